"""What a suite is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cleanguard.errors import JobError

# Beside these, `python:module.function` is a scorer.
ScorerName = Literal[
    "exact", "number", "members", "mentions", "regex", "judge", "choices", "perplexity"
]
Kind = Literal["answers", "choices", "perplexity"]
Measure = Literal["total", "per_token", "per_byte", "per_character", "unconditional"]
FormName = Literal["raw", "formatted", "qa", "fewshot", "completion"]
Endpoint = Literal["strict", "content"]
Meaning = Literal["able", "contaminated"]


class SuiteError(JobError):
    """A suite that cannot be used; the message says which item or line and what was expected."""


@dataclass(frozen=True, slots=True)
class SuiteItem:
    """One question with its answer.

    Attributes:
        id: Unique in its suite; results of different runs are paired by it.
        prompt: The request, bare; a form puts it into the text that the model reads. For
            `perplexity` the text that is scored.
        gold: Accepted answers; for `members` the words that may be listed, for `choices` the right
            ones among them, for `perplexity` nothing.
        scorer: How an answer is judged: a `ScorerName`, or `python:module.function`.
        cluster: Items that share a fact share this key; statistics count clusters.
        slice: What results are broken down by.
        completion: The beginning of a sentence that the answer completes; None if there is none.
        count: How many members `members` wants.
        pattern: What `regex` looks for.
        choices: The texts that `choices` decides between.
        joint: What stands between prompt and choice; None is a space where neither brings one.
        data: What a function of the user's own is handed beside the answer, as JSON text.
        line: Where it stands in its file; None for a suite that has none.
    """

    id: str
    prompt: str
    gold: tuple[str, ...]
    scorer: str
    cluster: str
    slice: str
    completion: str | None = None
    count: int | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    joint: str | None = None
    data: str | None = None
    line: int | None = field(default=None, compare=False)

    @property
    def kind(self) -> Kind:
        """Whether it is answered in words, by the likelihood of choices, or only read."""
        if self.scorer == "choices":
            return "choices"
        return "perplexity" if self.scorer == "perplexity" else "answers"


@dataclass(frozen=True, slots=True)
class Shot:
    """A worked example for few-shot prompts.

    Attributes:
        prompt: Its request.
        answer: What stands behind it.
        cluster: Its fact; it is never shown to an item of the same one. None if it has none of its own.
        choices: Where its item has some; `answer` is one of them.
    """

    prompt: str
    answer: str
    cluster: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """A named set of items.

    Attributes:
        name: As on the command line.
        about: What it measures, in one sentence.
        items: The items.
        endpoint: The verdict that conclusions rest on.
        forms: The prompt forms that it is run with unless told otherwise.
        shots: Worked examples, none of them an item.
        threshold: For a gate: the rate that the interval's lower end must reach; None without one.
        meaning: Whether passing shows ability, or, for sentinels, a base that was not one.
        path: The file that it was read from; None for a built-in one.
    """

    name: str
    about: str
    items: tuple[SuiteItem, ...]
    endpoint: Endpoint = "strict"
    forms: tuple[FormName, ...] = ("formatted",)
    shots: tuple[Shot, ...] = ()
    threshold: float | None = None
    meaning: Meaning = "able"
    path: Path | None = None

    @property
    def kind(self) -> Kind:
        """What its items have in common."""
        return self.items[0].kind

    @property
    def clusters(self) -> int:
        """How many clusters the items come in."""
        return len({item.cluster for item in self.items})

    def place(self, item: SuiteItem) -> str:
        """Where an item stands, for messages: file and line, or its id."""
        if self.path is None or item.line is None:
            return f"item {item.id!r}"
        return f"{self.path}:{item.line}"


def plain_item(item: SuiteItem) -> Mapping[str, Any]:
    """What an item asks, in JSON types; where it stands in its file is no part of that.

    Fields that are not set are left out, so that a run begun before there were such fields goes on.
    """
    fields = asdict(item)
    del fields["line"]
    later = ("pattern", "choices", "joint", "data")
    return {name: value for name, value in fields.items() if value or name not in later}
