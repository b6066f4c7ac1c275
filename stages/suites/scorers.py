"""Judges answers: content, stopping and truncation separately; length is measured, never scored.

Two verdicts on content. `content` looks at the beginning: the first line, or its first sentence, must
be right, whatever follows. `strict` looks at everything: the model must have stopped by itself, and
the whole text must be the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stages.numbers import UnreadableNumberError, numbers_in, value_of
from stages.suites.code import ALLOW_MORE, by_code
from stages.suites.functions import PREFIX
from stages.suites.item import SuiteError, SuiteItem
from stages.suites.judge import Verdict
from stages.suites.patterns import search
from stages.suites.unjudged import UnjudgedError

_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote.

    Attributes:
        text: Without the prompt.
        finish: Why it ended: `eos`, `stop` (a stop string) or `length`.
        tokens: Generated tokens, the EOS included.
    """

    text: str
    finish: Literal["eos", "stop", "length"]
    tokens: int


@dataclass(frozen=True, slots=True)
class Score:
    """The verdicts on one answer.

    Attributes:
        strict: It stopped by itself, and all of it is the right answer.
        content: Its first line or sentence is the right answer.
        stopped: It ended by EOS.
        truncated: It was cut off by the token limit.
        tokens: Its length.
        unjudged: Why there is no verdict; `strict` and `content` are False then.
    """

    strict: bool
    content: bool
    stopped: bool
    truncated: bool
    tokens: int
    unjudged: str | None = None


def score(item: SuiteItem, answer: Answer, judged: Verdict | None = None) -> Score:
    """Judge an answer to an item.

    Args:
        item: The item.
        answer: What a model wrote.
        judged: What the judge said, for items that a judge decides; it has read the whole answer.

    Raises:
        SuiteError: A function of the user's own fails.
    """
    text = answer.text.strip()
    if item.scorer == "judge":
        fine = judged is not None and judged.right
        stopped = answer.finish == "eos"
        return Score(stopped and fine, fine, stopped, answer.finish == "length", answer.tokens)
    right = by_code if item.scorer.startswith(PREFIX) else SCORERS[item.scorer]
    line = text.split("\n", 1)[0].strip()
    stopped, truncated = answer.finish == "eos", answer.finish == "length"
    try:
        strict = stopped and right(item, text)
        content = bool(line) and (right(item, line) or right(item, _first_sentence(line)))
    except UnjudgedError as slow:
        return Score(False, False, stopped, truncated, answer.tokens, unjudged=str(slow))
    return Score(strict, content, stopped, truncated, answer.tokens)


def passes(item: SuiteItem, text: str) -> bool:
    """Whether a text has the right content, however it ended; never, where only a judge can tell.

    Raises:
        SuiteError: As `score`; the item's pattern or function takes too long.
    """
    found = score(item, Answer(text, "eos", 0))
    if found.unjudged is not None:
        raise SuiteError(f"{found.unjudged} on {text!r}; {_REMEDIES[item.scorer == 'regex']}")
    return found.content


def exact(item: SuiteItem, text: str) -> bool:
    """The text is one of the golds, but for a full stop at its end."""
    return _bare(text) in {_bare(gold) for gold in item.gold}


def number(item: SuiteItem, text: str) -> bool:
    """The text holds exactly one number, and it equals a gold: `13`, `It is 13.0.`, `1,300`, `−5`."""
    try:
        found = numbers_in(text)
    except UnreadableNumberError:
        return False
    return len(found) == 1 and any(found[0] == value_of(gold) for gold in item.gold)


def members(item: SuiteItem, text: str) -> bool:
    """The text lists exactly `count` different golds with commas between them."""
    listed = [part.strip() for part in _bare(text).split(",")]
    return (
        len(listed) == item.count
        and len(set(listed)) == len(listed)
        and all(part in item.gold for part in listed)
    )


def mentions(item: SuiteItem, text: str) -> bool:
    """One plain clause that holds a gold as whole words: `It's Paris.`

    Negations, enumerations and clauses of more than 8 words beside the gold don't pass: a model that
    lists every city has not said which.
    """
    clause = _bare(text)
    if any(mark in clause for mark in "\n,;/") or _SENTENCE_END.search(clause):
        return False
    words = [word.casefold() for word in _WORD.findall(clause)]
    if any(word in _EVASIVE or word.endswith(("n't", "n’t")) for word in words):
        return False
    golds = ([word.casefold() for word in _WORD.findall(gold)] for gold in item.gold)
    return any(_holds(words, gold) and len(words) <= len(gold) + 8 for gold in golds)


def regex(item: SuiteItem, text: str) -> bool:
    """The first match of the pattern: its first group is a gold, or, without groups, it is there."""
    found = None if item.pattern is None else search(item.pattern, text)
    if item.pattern is None or found is None:
        return False
    if re.compile(item.pattern).groups == 0:
        return True
    return found.group is not None and _bare(found.group) in {_bare(gold) for gold in item.gold}


_REMEDIES = {True: "write one that has fewer ways to match", False: ALLOW_MORE}
_EVASIVE = frozenset({"not", "no", "never", "neither", "nor", "or", "and", "either"})
SCORERS: dict[str, Callable[[SuiteItem, str], bool]] = {
    "exact": exact,
    "number": number,
    "members": members,
    "mentions": mentions,
    "regex": regex,
}


def _bare(text: str) -> str:
    return text.strip().rstrip(".").strip()


def _first_sentence(line: str) -> str:
    end = _SENTENCE_END.search(line)
    return line[: end.end()] if end else line


def _holds(words: list[str], wanted: list[str]) -> bool:
    size = len(wanted)
    return size > 0 and any(words[at : at + size] == wanted for at in range(len(words) - size + 1))
