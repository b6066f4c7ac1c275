"""What of a generated text is the answer, and whether it can be used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guard import Completion

# What people and models write where an answer should be; the first are those of older scripts.
_PLACEHOLDER = re.compile(
    r"the (capital is a large city|opposite is a different word|answer is a number)|"
    r"here is a list of several things|i will say it again|"
    r"\[[a-z ]*(answer|response|insert|your|placeholder|todo)[a-z ]*\]|"
    r"<[a-z ]*(answer|response|placeholder)[a-z ]*>|\{\w+\}|"
    r"(todo|tbd|n/?a|placeholder|lorem ipsum.*|xxx+|\.\.\.|…)\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer cut out of a generated text.

    Attributes:
        text: Without surrounding space.
        reason: Why it cannot be used; None if it can.
    """

    text: str
    reason: str | None


def answer_in(completion: Completion, cut_at: tuple[str, ...], *, completes: bool) -> Answer:
    """The answer in what a model wrote.

    Args:
        completion: As the guard returned it.
        cut_at: The answer ends before the first of these.
        completes: The prompt was a sentence to complete, so the answer begins with a space:
            without one the model went on with the prompt's last word.
    """
    ends = [at for mark in cut_at if (at := completion.text.find(mark)) >= 0]
    text = completion.text[: min(ends)] if ends else completion.text
    if completion.control_tokens:
        return Answer(text.strip(), "control-token")
    if not ends and completion.finish_reason == "length":
        return Answer(text.strip(), "unfinished")
    if completes and not text.startswith((" ", "\n")):
        return Answer(text.strip(), "runs-into-prompt")
    return given_answer(text)


def given_answer(text: str, *, plain: bool = True) -> Answer:
    """An answer that came from a file, or that was cut out of a text.

    Args:
        text: The answer.
        plain: Neither it nor its prompt holds a control token.
    """
    text = text.strip()
    if not plain:
        return Answer(text, "control-token")
    if not text:
        return Answer(text, "empty")
    return Answer(text, "placeholder" if is_placeholder(text) else None)


def is_placeholder(text: str) -> bool:
    """Whether a text stands where an answer should be."""
    return _PLACEHOLDER.match(text.strip()) is not None
