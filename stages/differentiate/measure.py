"""Builds the report of a run from its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean

from cleanguard.errors import JobError
from guard.provenance.record import Provenance, utc_now
from stages.comparing.averaged import Averages, Shift, compare_averages
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.config import as_plain
from stages.differentiate.claims import claims_of
from stages.differentiate.config import DifferentiateConfig
from stages.differentiate.report import Cell, DifferentiationReport, SliceClaim
from stages.reports.beside import gate_words, linked, overlap_with, overlap_words, session_gate
from stages.reports.measure import model_pairs, rates_of, sliced_rates, verdict
from stages.reports.model import Overlap, SessionGate
from stages.reports.results import Result, unjudged_words
from stages.suites.item import Endpoint, FormName, Suite
from stages.suites.registry import too_few

Where = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers, by model and temperature, and the models in order."""

    subjects: tuple[str, ...]
    temperatures: tuple[float, ...]
    by_cell: dict[Where, list[Result]]

    def averages(
        self,
        one: str,
        two: str,
        temperature: float,
        endpoint: Endpoint,
        slice_name: str | None = None,
    ) -> Averages:
        """Two models' pass rates on the same items at one temperature."""
        before, after = (
            _by_item(self.by_cell[name, temperature], slice_name) for name in (one, two)
        )
        label = f"{endpoint}, temperature {temperature:g}"
        return Averages(
            label=label if slice_name is None else f"{slice_name}, {label}",
            before_name=one,
            after_name=two,
            before=tuple(_rate(before[item], endpoint) for item in before),
            after=tuple(_rate(after[item], endpoint) for item in before),
            clusters=tuple(answers[0].cluster for answers in before.values()),
        )


def build(
    config: DifferentiateConfig,
    suite: Suite,
    form: FormName,
    results: Sequence[Result],
    sources: dict[str, Provenance],
) -> DifferentiationReport:
    """Measure everything that the report says.

    Raises:
        JobError: A file that it needs cannot be read, or an answer is missing or there twice.
    """
    plan = plan_of(config)
    answers = _answers(config, suite, results, tuple(sources))
    pairs = model_pairs(answers.subjects)
    endpoint = suite.endpoint
    other: Endpoint = "content" if endpoint == "strict" else "strict"
    claims = claims_of(
        [
            {t: answers.averages(one, two, t, endpoint) for t in answers.temperatures}
            for one, two in pairs
        ],
        config.margin,
        plan,
    )
    steps = claims[: len(answers.subjects) - 1]
    overlap = overlap_with(suite, config.training_data) if config.training_data else None
    gate = session_gate(config.gate_file, config.out) if config.gate_file else None
    return DifferentiationReport(
        suite=suite.name,
        about=suite.about,
        endpoint=endpoint,
        form=form,
        n=len(suite.items),
        clusters=suite.clusters,
        samples=config.samples,
        temperatures=answers.temperatures,
        subjects=answers.subjects,
        cells=tuple(
            Cell(t, config.at(t).samples, rates_of(name, form, found, plan))
            for (name, t), found in answers.by_cell.items()
        ),
        slices=tuple(
            Cell(t, config.at(t).samples, rates)
            for (name, t), found in answers.by_cell.items()
            for rates in sliced_rates(name, form, found, plan)
        ),
        claims=claims,
        secondary=adjust(
            [
                compare_averages(answers.averages(one, two, t, other), plan)
                for one, two in pairs
                for t in answers.temperatures
            ],
            "benjamini-hochberg",
            plan,
        ),
        by_slice=_slice_claims(answers, suite, endpoint, plan),
        passed=all(claim.consistent for claim in steps),
        margin=config.margin,
        warnings=tuple(_warnings(config, suite, results, sources, overlap, gate)),
        overlap=overlap,
        sources=sources,
        plan=plan,
        settings=as_plain(config),
        session_gate=gate,
        notice=linked(config.notice, config.out) if config.notice else None,
        created=utc_now(),
    )


def plan_of(config: DifferentiateConfig) -> Plan:
    """What was fixed before."""
    given = config.plan
    return Plan(
        alpha=given.alpha, power=given.power, regressions=given.regressions, minimum=given.minimum,
        confidence=given.confidence, resamples=given.resamples, seed=config.seed,
    )  # fmt: skip


def _answers(
    config: DifferentiateConfig, suite: Suite, results: Sequence[Result], subjects: tuple[str, ...]
) -> Answers:
    temperatures = tuple(sorted(config.temperatures))
    by_cell: dict[Where, list[Result]] = {(s, t): [] for s in subjects for t in temperatures}
    for result in results:
        by_cell[result.subject, result.temperature or 0.0].append(result)
    for (name, t), found in by_cell.items():
        wanted = {(item.id, n) for item in suite.items for n in range(config.at(t).samples)}
        if sorted((one.item, one.sample) for one in found) != sorted(wanted):
            raise JobError(
                f"{config.out}: {len(found)} answers by {name} at temperature {t:g} instead of "
                f"{len(wanted)}, one for each item and sample"
            )
    return Answers(subjects, temperatures, by_cell)


def _by_item(results: Sequence[Result], slice_name: str | None) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        if slice_name is None or result.slice == slice_name:
            found.setdefault(result.item, []).append(result)
    return found


def _rate(answers: Sequence[Result], endpoint: Endpoint) -> float:
    return mean(float(verdict(answer, endpoint)) for answer in answers)


def _slice_claims(
    answers: Answers, suite: Suite, endpoint: Endpoint, plan: Plan
) -> tuple[SliceClaim, ...]:
    names = list(dict.fromkeys(item.slice for item in suite.items))
    if len(names) < 2:
        return ()
    places = [(name, pair) for pair in model_pairs(answers.subjects) for name in names]
    # Slices are smaller by design: no CG502.
    inside = replace(plan, minimum=0)
    found = [
        compare_averages(answers.averages(*pair, t, endpoint, name), inside)
        for name, pair in places
        for t in answers.temperatures
    ]
    adjusted = iter(adjust(found, "benjamini-hochberg", inside))

    def row() -> tuple[Shift, ...]:
        return tuple(next(adjusted) for _ in answers.temperatures)

    return tuple(SliceClaim(name, *pair, row()) for name, pair in places)


def _warnings(
    config: DifferentiateConfig,
    suite: Suite,
    results: Sequence[Result],
    sources: dict[str, Provenance],
    overlap: Overlap | None,
    gate: SessionGate | None,
) -> list[str]:
    found = []
    few = too_few(suite, len(suite.items), config.plan.minimum)
    if few:
        found.append(few)
    if overlap and overlap.count:
        found.append(overlap_words(overlap))
    unfit = gate and gate_words(gate, next(iter(sources.values())))
    if unfit:
        found.append(unfit)
    unjudged = unjudged_words(results)
    if unjudged:
        found.append(unjudged)
    emitted = sum(result.control_tokens for result in results)
    if emitted:
        found.append(f"the models emitted {emitted} chat control tokens")
    for name, source in sources.items():
        if source.overrides:
            found.append(f"{name} was loaded with protections off: {', '.join(source.overrides)}")
    return found
