"""What a suite is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cleanguard.errors import JobError

ScorerName = Literal["exact", "number", "members", "mentions"]
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
        prompt: The request, bare; a form puts it into the text that the model reads.
        gold: Accepted answers; for `members` the words that may be listed.
        scorer: How an answer is judged.
        cluster: Items that share a fact share this key; statistics count clusters.
        slice: What results are broken down by.
        completion: The beginning of a sentence that the answer completes; None if there is none.
        count: How many members `members` wants.
    """

    id: str
    prompt: str
    gold: tuple[str, ...]
    scorer: ScorerName
    cluster: str
    slice: str
    completion: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Shot:
    """A worked example for few-shot prompts."""

    prompt: str
    answer: str


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
    """

    name: str
    about: str
    items: tuple[SuiteItem, ...]
    endpoint: Endpoint = "strict"
    forms: tuple[FormName, ...] = ("formatted",)
    shots: tuple[Shot, ...] = ()
    threshold: float | None = None
    meaning: Meaning = "able"

    @property
    def clusters(self) -> int:
        """How many clusters the items come in."""
        return len({item.cluster for item in self.items})
