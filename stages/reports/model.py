"""What a report says; every format is a rendering of this."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guard.provenance.record import Provenance
from stages.comparing.comparison import Comparison
from stages.comparing.plan import Plan
from stages.comparing.ratios import Ratio, RatioShift
from stages.statistics.length_only import LengthOnly
from stages.statistics.wilson import Proportion
from stages.suites.item import Endpoint, Kind, Meaning

SCHEMA = "cleanguard-evaluation/1"
ENDPOINT_NAMES: dict[Endpoint, str] = {"strict": "strict", "content": "content"}


@dataclass(frozen=True, slots=True)
class Rates:
    """One model in one prompt form, on all items or on a slice.

    Attributes:
        subject, form: Which.
        slice: The slice; None for all items.
        n, clusters: Items, and clusters that they come in.
        strict, content, stopped, truncated: Shares with Wilson intervals.
        mean_tokens, median_tokens: Generated tokens an answer.
        control_tokens: Control tokens that the model emitted, in all answers together.
    """

    subject: str
    form: str
    slice: str | None
    n: int
    clusters: int
    strict: Proportion
    content: Proportion
    stopped: Proportion
    truncated: Proportion
    mean_tokens: float
    median_tokens: float
    control_tokens: int

    def of(self, endpoint: Endpoint) -> Proportion:
        """The share at an endpoint."""
        return self.strict if endpoint == "strict" else self.content


@dataclass(frozen=True, slots=True)
class LengthCheck:
    """Whether length alone tells the endpoint; `found` is None where all verdicts are the same."""

    subject: str
    form: str
    found: LengthOnly | None


@dataclass(frozen=True, slots=True)
class PassAtK:
    """pass@k of one model in one form, at the endpoint."""

    subject: str
    form: str
    k: int
    rate: float


@dataclass(frozen=True, slots=True)
class Gate:
    """The go or no-go of a suite with a threshold, in words."""

    subject: str
    threshold: float
    passed: bool
    words: str


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One line of `cleanguard gate`: `pass`, `fail` or `skip`, and why."""

    name: str
    verdict: str
    detail: str


@dataclass(frozen=True, slots=True)
class SessionGate:
    """What `cleanguard gate` said before the session.

    Attributes:
        go: Whether it opened.
        created: When, UTC, ISO 8601.
        checks: Why.
        weights: Digest of the model that it looked at; None if it looked at none.
        link: Where its file lies, seen from the report.
    """

    go: bool
    created: str
    checks: tuple[GateCheck, ...]
    weights: str | None
    link: Path


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many items stand in training data; `items` names the first of them."""

    checked: int
    files: tuple[str, ...]
    count: int
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One item with what each model wrote to it."""

    item: str
    gold: tuple[str, ...]
    form: str
    answers: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Lead:
    """What a report opens with.

    Attributes:
        words: What tuning bought, or how a single model does, in one or two sentences.
        shown: The rates to put side by side: the base in its own form, then the models in theirs.
        weigh: The verdict that they are weighed by.
        gap: The last model in its form against the base in its own; None where both are one form.
    """

    words: str
    shown: tuple[Rates, ...]
    weigh: Endpoint
    gap: Comparison | None


@dataclass(frozen=True, slots=True)
class MovedItem:
    """An item whose verdict changed: its request, its right answers, and for each model name, text, verdict."""

    item: str
    gold: tuple[str, ...]
    answers: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Items that moved the same way between two models.

    Attributes:
        title: Which way, and between which.
        form: The prompt form.
        count: How many there are.
        items: Some of them, evenly spaced.
        kind: `gained`, `lost` or `missed`.
    """

    title: str
    form: str
    count: int
    items: tuple[MovedItem, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class ChoiceRates:
    """Accuracy of one model in one form at one measure.

    Attributes:
        subject, form, measure: Which.
        rate: Items on which the right choice alone is the likeliest, with Wilson's interval.
        ties: Items on which several share the first place; they count as wrong.
        chance: What guessing gets.
    """

    subject: str
    form: str
    measure: str
    rate: Proportion
    ties: int
    chance: float


@dataclass(frozen=True, slots=True)
class TextRates:
    """The likelihood of texts under one model.

    Attributes:
        subject, form: Which.
        slice: The slice; None for all texts.
        n, clusters: Texts, and clusters that they come in.
        bits: Bits per byte.
        by_token, by_word, by_byte: Perplexity by each of these.
        tokens, words, bytes, windows: What they were counted over.
    """

    subject: str
    form: str
    slice: str | None
    n: int
    clusters: int
    bits: Ratio
    by_token: float
    by_word: float
    by_byte: float
    tokens: int
    words: int
    bytes: int
    windows: int


@dataclass(frozen=True, slots=True)
class Report:
    """A whole evaluation.

    Attributes:
        suite, about, endpoint, meaning: Of the suite.
        n, clusters: Items that were run.
        rates: Models by prompt form, all items.
        slices: The same by slice.
        primary: Comparisons at the endpoint, corrected by Holm.
        secondary: The same at the other endpoint, Benjamini-Hochberg.
        by_slice: The primary comparisons within slices, Benjamini-Hochberg.
        earlier: Comparisons with an earlier run, Holm.
        lengths: The length-only check of each model and form.
        pass_at_k: With several answers an item.
        gate: The threshold's verdict; None without one.
        overlap: With training data; None if it was not checked.
        examples: Items with their answers.
        warnings: What a careful reader should know first.
        sources: Provenance of each model.
        plan: What was fixed before.
        settings: The configuration of the run.
        session_gate: What gate.json says; None if there was none.
        notice: The Methodology Change Notice; None if there was none.
        created: UTC time, ISO 8601.
        kind: What the items have in common: answers, choices or perplexity.
        names: What the two endpoints are called.
        lead: What the report opens with; None for texts.
        moved: Items gained and lost.
        choices: Accuracy at every measure, for items with choices.
        texts, text_slices: Likelihoods, for texts.
        text_shifts: How they differ, corrected by Holm; the first family of a suite of texts.
    """

    suite: str
    about: str
    endpoint: Endpoint
    meaning: Meaning
    n: int
    clusters: int
    rates: tuple[Rates, ...]
    slices: tuple[Rates, ...]
    primary: tuple[Comparison, ...]
    secondary: tuple[Comparison, ...]
    by_slice: tuple[Comparison, ...]
    earlier: tuple[Comparison, ...]
    lengths: tuple[LengthCheck, ...]
    pass_at_k: tuple[PassAtK, ...]
    gate: Gate | None
    overlap: Overlap | None
    examples: tuple[Example, ...]
    warnings: tuple[str, ...]
    sources: dict[str, Provenance]
    plan: Plan
    settings: dict[str, Any]
    session_gate: SessionGate | None
    notice: Path | None
    created: str
    kind: Kind = "answers"
    names: dict[Endpoint, str] = field(default_factory=lambda: dict(ENDPOINT_NAMES))
    lead: Lead | None = None
    moved: tuple[Moved, ...] = ()
    choices: tuple[ChoiceRates, ...] = ()
    texts: tuple[TextRates, ...] = ()
    text_slices: tuple[TextRates, ...] = ()
    text_shifts: tuple[RatioShift, ...] = ()
