"""What a report says; every format is a rendering of this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard.provenance.record import Provenance
from stages.comparing.comparison import Comparison
from stages.comparing.plan import Plan
from stages.statistics.length_only import LengthOnly
from stages.statistics.wilson import Proportion
from stages.suites.item import Endpoint, Meaning

SCHEMA = "cleanguard-evaluation/1"


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
