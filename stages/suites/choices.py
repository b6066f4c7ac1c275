"""Multiple choice: the texts that a model is asked about, and which of them it finds most likely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, get_args

from stages.suites.item import Measure, SuiteError, SuiteItem

LETTERS = ascii_uppercase
MEASURES: tuple[Measure, ...] = get_args(Measure)
MEASURE_NAMES: dict[Measure, str] = {
    "total": "by total",
    "per_token": "per token",
    "per_byte": "per byte",
    "per_character": "per character",
    "unconditional": "less its likelihood alone",
}


@dataclass(frozen=True, slots=True)
class Scored:
    """How likely a model finds one choice.

    Attributes:
        text: The choice.
        logprob: The natural logarithm of its probability behind the prompt.
        tokens: How many tokens that is the sum of.
        bytes, characters: Of the choice itself; what joins it to the prompt is not counted.
        unconditional: The same without the prompt; None if that was not asked.
    """

    text: str
    logprob: float
    tokens: int
    bytes: int
    characters: int
    unconditional: float | None = None

    def by(self, measure: Measure) -> float:
        """Its value at a measure; the highest wins."""
        if measure == "unconditional":
            assert self.unconditional is not None
            return self.logprob - self.unconditional
        size = {"per_token": self.tokens, "per_byte": self.bytes, "per_character": self.characters}
        return self.logprob / size.get(measure, 1)


@dataclass(frozen=True, slots=True)
class Choice:
    """What came of an item.

    Attributes:
        best: At each measure, the numbers of the choices that share the first place.
        right: At each measure, whether a right one stands there, and no wrong one.
    """

    best: Mapping[str, tuple[int, ...]]
    right: Mapping[str, bool]

    def tied(self, measure: Measure) -> bool:
        """Whether several share the first place; argmax would take whichever stands first."""
        return len(self.best[measure]) > 1


def judge_choices(item: SuiteItem, scored: Sequence[Scored]) -> Choice:
    """Decide at every measure that can be computed.

    Args:
        item: The item.
        scored: Its choices in their order.
    """
    known = [
        measure
        for measure in MEASURES
        if measure != "unconditional" or all(one.unconditional is not None for one in scored)
    ]
    best: dict[str, tuple[int, ...]] = {}
    for measure in known:
        values = [one.by(measure) for one in scored]
        top = max(values)
        best[measure] = tuple(at for at, value in enumerate(values) if value == top)
    right = {
        measure: all(item.choices[at] in item.gold for at in places)
        for measure, places in best.items()
    }
    return Choice(best, right)


def measures_of(measure: Measure) -> tuple[Measure, Measure]:
    """The measure that decides, and the one that stands beside it."""
    return measure, "per_byte" if measure == "total" else "total"


def lettered(prompt: str, choices: Sequence[str]) -> str:
    """A prompt with its choices below it, a letter before each."""
    lines = [
        f"{letter}. {choice.strip()}" for letter, choice in zip(LETTERS, choices, strict=False)
    ]
    return "\n".join([prompt.rstrip(), *lines])


def joined(item: SuiteItem, prompt: str, text: str) -> str:
    """A choice with what stands between it and the prompt: the item's own joint, or one space."""
    if item.joint is not None:
        return item.joint + text
    bare = not prompt or prompt[-1].isspace() or text[:1].isspace()
    return text if bare else f" {text}"


def refuse_letters(item: SuiteItem) -> None:
    """Raise SuiteError for more choices than there are letters."""
    if len(item.choices) > len(LETTERS):
        raise SuiteError(f"{len(item.choices)} choices, and {len(LETTERS)} letters; ask by text")


def plain_scores(scored: Sequence[Scored]) -> list[dict[str, Any]]:
    """The scores as records hold them."""
    return [
        {
            "text": one.text,
            "logprob": one.logprob,
            "tokens": one.tokens,
            "bytes": one.bytes,
            "characters": one.characters,
            **({} if one.unconditional is None else {"unconditional": one.unconditional}),
        }
        for one in scored
    ]


def read_scores(plain: Sequence[Mapping[str, Any]]) -> list[Scored]:
    """Scores out of a record."""
    return [
        Scored(
            one["text"], one["logprob"], one["tokens"], one["bytes"], one["characters"],
            one.get("unconditional"),
        )
        for one in plain
    ]  # fmt: skip
