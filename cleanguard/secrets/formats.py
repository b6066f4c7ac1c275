"""Formats that secrets are known by, as a published scanner keeps them.

The rules are data: `formats.json`, made by tools/build_secret_formats.py from Betterleaks, the
successor of gitleaks (MIT). A rule has words of which a text must hold one before its expression is tried.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib import resources

# No format is shorter, and plain prose has few words as long.
_LONG = re.compile(r"\S{16}")

# Where a secret may begin: behind an underscore and behind an escape too, which end no word.
BEGUN = r"(?:\b|(?<=_)|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
_FIRST = re.compile(r"^((?:\(\?i\))?(?:\((?:\?i?:)?)*)\\b")
_LAST = re.compile(r"\\b(\)*)$")


@dataclass(frozen=True, slots=True)
class Format:
    """One published format.

    Attributes:
        name: The scanner's name for it.
        pattern: Its regular expression.
        group: The group that is the secret; 0 is the whole match.
        keywords: Lower-case words of which one stands in every text that holds it.
        entropy: Least entropy in bits a character; what has less is a placeholder.
    """

    name: str
    pattern: str
    group: int
    keywords: tuple[str, ...]
    entropy: float


@cache
def published() -> tuple[Format, ...]:
    """Every published format."""
    text = resources.files("cleanguard.secrets").joinpath("formats.json").read_text("utf-8")
    return tuple(
        Format(rule["id"], rule["pattern"], rule["group"], tuple(rule["keywords"]), rule["entropy"])
        for rule in json.loads(text)["rules"]
    )


@lru_cache(maxsize=256)
def hide_published(text: str, hidden: str) -> str:
    """The text with `hidden` in the place of every secret of a published format."""
    if not _LONG.search(text):
        return text
    lowered = text.lower()
    for known in published():
        if any(word in lowered for word in known.keywords):
            text = _compiled(known.pattern).sub(partial(_shown, known, hidden), text)
    return text


def entropy_of(text: str) -> float:
    """Shannon's entropy of a text's characters, in bits a character."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A rule's expression, for which an underscore ends a word: `run_<secret>_v1` is what runs are called."""
    begun = _FIRST.sub(lambda found: f"{found[1]}{BEGUN}", pattern, count=1)
    return re.compile(_LAST.sub(r"(?![A-Za-z0-9])\1", begun))


def _shown(known: Format, hidden: str, found: re.Match[str]) -> str:
    secret = found[known.group]
    if not secret or entropy_of(secret) < known.entropy:
        return found[0]
    start, end = (at - found.start() for at in found.span(known.group))
    return found[0][:start] + hidden + found[0][end:]
