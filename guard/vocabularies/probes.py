"""Short texts of many kinds, on which two readers of one tokenizer must agree."""

from __future__ import annotations

import hashlib

PROBES: tuple[str, ...] = (
    "The quick brown fox doesn't jump over 13 lazy dogs.",
    "Fünf große Äpfel kosten 4,50 €; naïve café.",
    "Все люди рождаются свободными и равными.",
    "人人生而自由，在尊严和权利上一律平等。",
    "すべての人間は、生まれながらにして自由である。",
    "모든 인간은 태어날 때부터 자유롭다.",
    "يولد جميع الناس أحرارًا متساوين.",
    "सभी मनुष्यों को गौरव और अधिकार।",
    "def f(x):\n\treturn x ** 2  # 1234567\n\n\n    pass",
    '<p class="a">x &amp; y</p>\r\n<br/>',
    r"\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}",
    "   spaces   and\n\n\n\nlines  ",
    "👩‍👩‍👧‍👦 ✨ 🇨🇭",
    "CamelCaseWORDS and snake_case, HTTP/2 10.000.000",
)


def hash_of_probes() -> str:
    """Names these texts, for what is remembered of them from one version to the next."""
    return hashlib.sha256("\0".join(PROBES).encode()).hexdigest()[:16]
