"""What the report says; every format is a rendering of this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from guard.provenance.record import Provenance
from stages.comparing.averaged import Shift
from stages.comparing.plan import Plan
from stages.reports.model import Overlap, Rates, SessionGate
from stages.statistics.within_margin import WithinMargin
from stages.suites.item import Endpoint

SCHEMA = "cleanguard-differentiation/1"
Trend = Literal["same", "changes", "unsettled"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One model at one temperature, on all items or on a slice.

    Attributes:
        temperature: Of the answers.
        samples: Answers an item.
        rates: Shares over all answers; intervals take an item's answers, and the items of a
            cluster, as belonging together.
    """

    temperature: float
    samples: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Change:
    """How the difference of two models changes from the lowest temperature to another one.

    Attributes:
        temperature: The other one.
        found: The test of no change beyond the margin.
        p: Two-sided p value of any change at all, by the clustered t test, corrected by Holm.
    """

    temperature: float
    found: WithinMargin
    p: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What may be said of two models over all temperatures.

    Attributes:
        before_name, after_name: The models.
        shifts: Their difference at each temperature, in order.
        consistent: Significant after correction, not below the minimal detectable effect, and upward,
            at every one of at least two temperatures.
        words: That in a sentence.
        changes: Against the lowest temperature.
        trend: `same` if every change lies within the margin, `changes` if one is significant.
        trend_words: That in a sentence; empty with one temperature.
    """

    before_name: str
    after_name: str
    shifts: tuple[Shift, ...]
    consistent: bool
    words: str
    changes: tuple[Change, ...]
    trend: Trend
    trend_words: str


@dataclass(frozen=True, slots=True)
class SliceClaim:
    """One slice of one pair of models: its difference at each temperature."""

    slice: str
    before_name: str
    after_name: str
    shifts: tuple[Shift, ...]


@dataclass(frozen=True, slots=True)
class DifferentiationReport:
    """A whole differentiation.

    Attributes:
        suite, about, endpoint, form: Of the items and their prompts.
        n, clusters: Items that were run.
        samples: Answers an item and temperature.
        temperatures, subjects: In order.
        cells: Every model at every temperature.
        slices: The same by slice; empty if there is one slice.
        claims: Each model with the one before it, and the last with the first; differences are
            corrected by Holm over all of them and all temperatures.
        secondary: The differences at the other endpoint, Benjamini-Hochberg.
        by_slice: Differences within slices, Benjamini-Hochberg over all.
        passed: Every model is consistently better than the one before it.
        margin: For the trend.
        warnings: What a careful reader should know first.
        overlap, sources, plan, settings, session_gate, notice, created: As in an evaluation.
    """

    suite: str
    about: str
    endpoint: Endpoint
    form: str
    n: int
    clusters: int
    samples: int
    temperatures: tuple[float, ...]
    subjects: tuple[str, ...]
    cells: tuple[Cell, ...]
    slices: tuple[Cell, ...]
    claims: tuple[Claim, ...]
    secondary: tuple[Shift, ...]
    by_slice: tuple[SliceClaim, ...]
    passed: bool
    margin: float
    warnings: tuple[str, ...]
    overlap: Overlap | None
    sources: dict[str, Provenance]
    plan: Plan
    settings: dict[str, Any]
    session_gate: SessionGate | None
    notice: Path | None
    created: str

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """The differences that the claims rest on."""
        return tuple(shift for claim in self.claims for shift in claim.shifts)
