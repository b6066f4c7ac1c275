"""The evidence of an audit, and the verdict that it supports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cleanguard.report.counting import counted
from guard import Behaviour, Provenance
from stages.reports.model import Rates
from stages.reports.words import percent, with_interval

Leaning = Literal["clean", "contaminated", "neutral"]
Verdict = Literal["clean", "contaminated", "unclear"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence.

    Attributes:
        about: What was looked at.
        leaning: What it speaks for.
        decisive: Enough for the verdict by itself; the rest is advice.
        words: With its figures.
    """

    about: str
    leaning: Leaning
    decisive: bool
    words: str


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """`contaminated` on any decisive evidence; `clean` if the decisive evidence and all else agree.

    Advisory evidence alone never condemns a model: pretraining data may hold chat.
    """
    if any(one.decisive and one.leaning == "contaminated" for one in findings):
        return "contaminated"
    if any(one.leaning == "contaminated" for one in findings):
        return "unclear"
    return (
        "clean" if any(one.decisive and one.leaning == "clean" for one in findings) else "unclear"
    )


def of_sentinels(rates: Rates, most: float) -> Finding:
    """Bare requests: a base that answers and stops was tuned to."""
    interval = rates.strict.interval
    leaning: Leaning = (
        "contaminated" if interval.low > most else "clean" if interval.high <= most else "neutral"
    )
    return Finding(
        "sentinels",
        leaning,
        True,
        f"{with_interval(rates.strict)} of {rates.n} bare requests were answered rightly and ended "
        f"there ({percent(most)} may be)",
    )


def of_endings(rates: Rates, most: float) -> Finding:
    """Bare requests: a base writes on after nearly all; a tuned model ends there, right or wrong."""
    return Finding(
        "endings",
        "contaminated" if rates.stopped.interval.low > most else "neutral",
        False,
        f"{with_interval(rates.stopped)} of the texts after bare requests ended by themselves "
        f"(above {percent(most)} is unlike a base)",
    )


def of_control_tokens(rates: Sequence[Rates]) -> Finding:
    """Chat control tokens that came out of plain prompts."""
    count, answers = sum(one.control_tokens for one in rates), sum(one.n for one in rates)
    return Finding(
        "control tokens",
        "contaminated" if count else "neutral",
        False,
        f"{counted(count, 'chat control token')} in {counted(answers, 'answer')} to plain prompts",
    )


def of_behaviour(found: Behaviour) -> Finding:
    """The guard's behavioural sentinels: advice."""
    leaning: Leaning = {"chat": "contaminated", "base": "clean"}.get(found.impression, "neutral")  # type: ignore[assignment]
    mass = (
        "the tokenizer has no chat format to try"
        if found.turn_end_mass is None
        else f"after a finished chat turn the end of the turn has probability {found.turn_end_mass:.2g} "
        "(chat models 0.16 to 0.92, base models below 2e-9 where it was measured)"
    )
    return Finding(
        "behaviour",
        leaning,
        False,
        f"{mass}; {percent(found.stopped)} of {len(found.replies)} requests ended by themselves, "
        f"{percent(found.marked)} hold a chat phrase",
    )


def of_load(provenance: Provenance) -> list[Finding]:
    """Checks of the load that found something."""
    return [
        Finding(
            check.name,
            "contaminated" if check.verdict == "overridden" else "neutral",
            False,
            f"{check.code or ''} {check.verdict}: {check.detail}".strip(),
        )
        for check in provenance.checks
        if check.verdict in ("overridden", "recorded")
    ]


def of_formats(rates: Sequence[Rates]) -> Finding:
    """Which format brings out what the model knows; says nothing about contamination."""
    best = max(rates, key=lambda one: one.content.rate)
    shown = ", ".join(f"{one.slice} {with_interval(one.content)}" for one in rates)
    return Finding(
        "formats", "neutral", False, f"right beginnings by format: {shown}; best: {best.slice}"
    )
