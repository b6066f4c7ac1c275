"""1,000 plain prompts from real text in many languages and notations: none may be flagged."""

from __future__ import annotations

import random
import sysconfig
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest

from guard.errors import GuardWarning
from guard.prompts.encoding import encode_rows
from guard.prompts.policy import policy_of

# Article 1 of the Universal Declaration of Human Rights, in the words of the United Nations.
SENTENCES = (
    "All human beings are born free and equal in dignity and rights.",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "Усі люди народжуються вільними і рівними у своїй гідності та правах.",
    "人人生而自由，在尊严和权利上一律平等。",
    "人人生而自由﹐在尊嚴和權利上一律平等。",
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "মানুষ স্বাধীনভাবে জন্মগ্রহণ করে এবং মর্যাদা ও অধিকারে সমান।",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
    "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
)
NOTATION = (
    r"\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}",
    "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−f(a)|<ε",
    "a <- b | c; x <| y |> z; if (a < b && c > d) { return a << 2 >> 1; }",
    "<html><body><h1>Users</h1><p>Some <b>bold</b> and <i>italic</i> text.</p></body></html>",
    "<table><tr><td>system</td><td>user</td></tr></table>",
    "std::vector<std::pair<int, T>> v; template <typename T> class user {};",
    "User: what is 2 + 2?\nAssistant: 4\nUser: and 3 + 3?\nAssistant:",
    "Instruction: Name two colors.\nResponse:",
    "### Instruction:\nSay hello.\n\n### Response:\n",
    "see [1], [Smith 2020] and [TODO]; array[INSTANCE] = <user@example.org>",
    "👩‍👩‍👧‍👦 🏳️‍🌈 ✨ 🇨🇭 1️⃣ ✅",
    "usage: tool [-h] [--user USER] <system> <file>...",
    "$ cat a | grep '<b>' > out 2>&1 || echo \"<none>\"",
    '{"role": "user", "content": "hi", "tool": null}',
)


def plain_prompts(count: int, seed: int = 0) -> list[str]:
    """Prompts of mixed kinds: documentation, code, 20 languages, notation, rare characters."""
    draw = random.Random(seed)
    library = Path(sysconfig.get_path("stdlib"))
    sources = [path.read_text(encoding="utf-8") for path in sorted(library.glob("*.py"))]
    manual = [topics[name] for name in sorted(topics)]
    named = [chr(i) for i in range(0x21, 0x1FAFF) if unicodedata.name(chr(i), "")]

    def piece(texts: list[str]) -> str:
        text = draw.choice(texts)
        at = draw.randrange(max(1, len(text) - 50))
        return text[at : at + draw.randrange(50, 400)]

    kinds: tuple[Callable[[], str], ...] = (
        lambda: piece(sources),
        lambda: piece(manual),
        lambda: " ".join(draw.sample(SENTENCES, draw.randrange(2, 5))),
        lambda: "\n".join(draw.sample(NOTATION, draw.randrange(2, 5))),
        lambda: "".join(draw.choices(named, k=draw.randrange(3, 40))),
        lambda: ", ".join(unicodedata.name(c) for c in draw.choices(named, k=4)),
    )
    prompts = []
    for number in range(count):
        parts = [kinds[number % len(kinds)](), *(draw.choice(kinds)() for _ in range(number % 3))]
        prompts.append(draw.choice(["\n", "\n\n", " "]).join(parts))
    return prompts


@pytest.fixture(scope="session")
def prompts() -> list[str]:
    return [prompt for prompt in plain_prompts(1000) if prompt.strip()]


def flags_none(tokenizer: Any, prompts: list[str]) -> None:
    policy = policy_of(tokenizer)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        rows = encode_rows(tokenizer, policy, prompts)
    wanted = len(policy.prefix)
    assert all(tuple(row[:wanted]) == policy.prefix for row in rows)
    assert policy.bos_id is None or all(row.count(policy.bos_id) == 1 for row in rows)


def test_there_are_a_thousand(prompts: list[str]) -> None:
    assert len(set(prompts)) > 950
    assert len(prompts) == 1000


def test_the_embedded_model_flags_none(raw: tuple[Any, Any], prompts: list[str]) -> None:
    flags_none(raw[1], prompts)


PIP = (
    *("qwen2", "llama3", "llama3-early", "mistral-v1", "mistral-v2", "mistral-v3"),
    *("deepseek", "claude"),
)
NPM = ("gpt2", "qwen3", "llama3-instruct", "llama3.1-instruct", "gemma3-it")


@pytest.mark.parametrize("name", PIP)
def test_no_published_tokenizer_flags_one(
    real: Callable[[str], Any], prompts: list[str], name: str
) -> None:
    flags_none(real(name), prompts)


@pytest.mark.slow
@pytest.mark.parametrize("name", NPM)
def test_no_tokenizer_from_npm_flags_one(
    real: Callable[[str], Any], prompts: list[str], name: str
) -> None:
    flags_none(real(name), prompts)
