"""Reads the numbers in a text as people write them: one reader for golds and for answers.

Signs (also the typographic minus, and `minus`), decimals with or without a zero before them, thousands grouped in
threes, fractions (`3/4`, `5½`, `1 3/4`), exponents, `2 million`. What could be two things, such as `1,3`, is no
number: an answer is better counted as none than as another.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

_GROUPERS = ",'’\u00a0\u2009\u202f"
_MINUS = "-\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d\u2796"
_THIN = "\u00a0\u2009\u200a\u202f"
# A hyphen and a space begin a line of a list; this sign does not.
_APART = "\u2212\ufe63\uff0d\u2796"
_MINUS_WORD = re.compile(r"(?i)(?<!\w)(?:minus|negative) $")
# Roots, "not", "about": what follows one of them is another number, or none.
_CHANGES = re.compile(rf"[±∓√∛∜≠⁻₋]\s?$|[{_MINUS}]\s?[(\[]$")
_SCALE = re.compile(r"(?i)[\s-]?\b(hundred|thousand|million|billion|trillion|dozen)s?\b")
_SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
}  # fmt: skip
# "5k", "5 M", "5 and a half": a multiple of it, a unit or more than it.
_UNCLEAR = re.compile(
    r"\s?(?:[kKM]|bn|mn|mln|tn)(?![\w'’])|B(?![\w'’])|\s(?:and|&)\s(?:an?|one|two|three)\s(?:half|third|quarter|fifth)"
)
_VULGAR = "".join(
    chr(code)
    for code in (*range(0xBC, 0xBF), *range(0x2150, 0x215F), 0x2189)
)  # fmt: skip
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"
# Everything that digits and what belongs to them can be; what it comes to is decided afterwards.
_RUN = re.compile(
    rf"(?:\d|[.,/⁄](?=\d)|(?<=\d)[{_GROUPERS}](?=\d)|[{_VULGAR}]|[{_RAISED}])+(?:[eE][-+]?\d+(?!\w))?"
)
_PLAIN = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?")
_GROUPED = re.compile(rf"\d{{1,3}}([{_GROUPERS}])\d{{3}}(?:\1\d{{3}})*(?:\.\d+)?")
_MIXED = re.compile(rf"(\d*)([{_VULGAR}])")
_LONGEST = 400  # characters; a longer one is no number that anybody writes


class UnreadableNumberError(ValueError):
    """Digits that are no number, or could be several."""


def numbers_in(text: str) -> list[Fraction]:
    """The numbers in a text, in order, exactly.

    Raises:
        UnreadableNumberError: Some digits are no number, or could be several.
    """
    found: list[Fraction] = []
    mixed_end = -1  # where a whole number ended that a fraction may follow
    for run in _RUN.finditer(text):
        before = text[max(0, run.start() - 12) : run.start()]
        sign = _sign(before)
        if (sign == 0 and before[-1:].isalpha()) or before[-1:] == "_":
            raise UnreadableNumberError(f"{run[0]!r} stands inside a word")
        if _CHANGES.search(before) or _UNCLEAR.match(text, run.end()):
            raise UnreadableNumberError(f"{run[0]!r} is not all of the number")
        value = _value(run[0])
        scale = _SCALE.match(text, run.end())
        times = _SCALES[scale[1].lower()] if scale else 1
        whole = text[mixed_end : run.start()] == " " and mixed_end >= 0
        if whole and value < 1 and any(mark in run[0] for mark in "/⁄" + _VULGAR) and not sign:
            found[-1] = (found[-1] + (value if found[-1] >= 0 else -value)) * times
            mixed_end = -1
            continue
        found.append((-value if sign < 0 else value) * times)
        mixed_end = run.end() if run[0].isdecimal() and not scale else -1
    return found


def last_number_in(text: str) -> Fraction | None:
    """The last number in a text, whatever stands before it; None if it cannot be told."""
    runs = list(_RUN.finditer(text))
    if not runs:
        return None
    start = runs[-1].start()
    part = any(mark in runs[-1][0] for mark in "/⁄" + _VULGAR)
    if part and len(runs) > 1 and text[runs[-2].end() : start] == " ":
        start = runs[-2].start()
    try:
        return numbers_in(text[max(0, start - 12) :])[-1]  # a sign, and what stands before it
    except UnreadableNumberError:
        return None


def value_of(number: str) -> Fraction | None:
    """What a text is that is one number and nothing else; None if it is none."""
    text = number.strip()
    inside = text[1:] if text[:1] in ("+", *_MINUS) else text
    if not _RUN.match(inside) or not (inside[-1:].isdecimal() or inside[-1:] in _VULGAR):
        return None
    try:
        found = numbers_in(text)
    except UnreadableNumberError:
        return None
    rest = _RUN.sub("", text).strip("+" + _MINUS + " ")
    return found[0] if len(found) == 1 and not rest else None


def _sign(before: str) -> int:
    """-1 or 1 for a sign before the digits, a currency between them or not; 0 if there is none."""
    if _MINUS_WORD.search(before):
        return -1
    if unicodedata.category(before[-1:] or " ") == "Sc" and before[-2:-1] in (
        " ",
        *_THIN,
        *_MINUS,
        "+",
    ):
        before = before[:-1]
    close = before.rstrip(_THIN)
    apart = close.rstrip(" ")
    before = apart if apart[-1:] in _APART and not apart[:-1].rstrip()[-1:].isalnum() else close
    mark, earlier = before[-1:], before[-2:-1]
    if not mark or earlier.isalnum() or earlier in (")", "]"):
        return 0  # a range, a product name, a subtraction
    return -1 if mark in _MINUS else 1 if mark == "+" else 0


def _value(run: str) -> Fraction:
    if len(run) > _LONGEST:
        raise UnreadableNumberError(f"{run[:20]}… has {len(run)} characters")
    parts = re.split("[/⁄]", run)
    if len(parts) == 2:
        above, below = (_value(part) if part else Fraction(0) for part in parts)
        if below:
            return above / below
    elif _PLAIN.fullmatch(run) or _GROUPED.fullmatch(run):
        exponent = re.search(r"[eE]([-+]?\d+)$", run)
        if exponent is None or abs(int(exponent[1])) <= _LONGEST:
            return Fraction(_ascii(run).translate(_UNGROUPED))
    elif mixed := _MIXED.fullmatch(run):
        above_line, below_line = unicodedata.normalize("NFKC", mixed[2]).split("⁄")
        if int(below_line):
            return int(mixed[1] or 0) + Fraction(int(above_line or 0), int(below_line))
    raise UnreadableNumberError(f"{run!r} is no number, or could be several")


_UNGROUPED = dict.fromkeys(map(ord, _GROUPERS))


def _ascii(run: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in run)
