"""Compares runs that lm-evaluation-harness logged: paired by document, clustered, corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from guard.records.statement import statement_path
from guard.records.verification import verify_file
from stages.comparing.averaged import Averages, Shift, compare_averages
from stages.comparing.comparison import Comparison, Paired, compare
from stages.comparing.judging import adjust
from stages.comparing.plan import Plan
from stages.config import as_plain
from stages.evaluate.config import EvaluateConfig
from stages.folder import run_folder, write_json
from stages.registry import Outcome
from stages.reports.measure import model_pairs
from stages.suites.lm_eval_samples import Sample, read_samples, score_of

COMPARISON = "comparison.json"
Runs = Mapping[str, Sequence[Sample]]


def compare_logged(config: EvaluateConfig) -> Outcome:
    """Write `comparison.json` into the run's folder, and say what may be concluded.

    Each run is compared with the one before it, and the last with the first; metrics of 0 and 1 by
    items gained and lost, others by their means. Documents that share a text `cluster` are one cluster.

    Raises:
        JobError: A file is none of lm_eval's samples, or the runs were not asked the same.
    """
    files = dict(_named(text) for text in config.from_results)
    if len(files) < 2 or len(files) < len(config.from_results):
        raise JobError("from_results: name two runs or more, each by a name of its own")
    runs = {name: read_samples(path) for name, path in files.items()}
    metric = config.metric or next(iter(next(iter(runs.values()))[0].scores), "")
    if not metric:
        raise JobError(f"{next(iter(files.values()))}: its samples have no metric of numbers")
    plan = Plan(
        alpha=config.plan.alpha, power=config.plan.power, regressions=config.plan.regressions,
        minimum=config.plan.minimum, confidence=config.plan.confidence,
        resamples=config.plan.resamples, seed=config.seed,
    )  # fmt: skip
    found, alone = _compared(runs, metric, plan)
    warnings = [words for path in files.values() for words in _traced(path)]
    if alone:
        warnings.append(f"{alone} documents stand in only one of two runs and were left out")
    with run_folder(config.out, "evaluate", config) as folder:
        write_json(
            folder / COMPARISON,
            {
                "schema": "cleanguard-logged/1",
                "metric": metric,
                "files": {name: str(path) for name, path in files.items()},
                "comparisons": [asdict(one) for one in found],
                "warnings": warnings,
                "settings": as_plain(config),
            },
        )
    means = [
        f"{name} ({metric}): {_mean(samples, metric):.4f} on {counted(len(samples), 'document')}"
        for name, samples in runs.items()
    ]
    return Outcome((*means, *(one.verdict for one in found), *warnings))


def _compared(runs: Runs, metric: str, plan: Plan) -> tuple[Sequence[Comparison | Shift], int]:
    yes_no = all(score_of(one, metric) in (0, 1) for part in runs.values() for one in part)
    pairs: list[Comparison] = []
    shifts: list[Shift] = []
    alone = 0
    for one, other in model_pairs(list(runs)):
        before, after = _aligned(runs[one], runs[other])
        alone += len(runs[one]) + len(runs[other]) - 2 * len(before)
        clusters = tuple(_cluster(sample) for sample in after)
        first, second = (
            tuple(score_of(sample, metric) for sample in part) for part in (before, after)
        )
        if yes_no:
            verdicts = tuple(map(bool, first)), tuple(map(bool, second))
            pairs.append(compare(Paired(metric, one, other, *verdicts, clusters), plan))
        else:
            means = Averages(metric, one, other, first, second, clusters)
            shifts.append(compare_averages(means, plan))
    return (adjust(pairs, "holm", plan) if yes_no else adjust(shifts, "holm", plan)), alone


def _aligned(
    before: Sequence[Sample], after: Sequence[Sample]
) -> tuple[list[Sample], list[Sample]]:
    """The documents that both runs have, in one order."""
    known = {sample.number: sample for sample in before}
    shared = [sample for sample in after if sample.number in known]
    for sample in shared:
        other = known[sample.number]
        if sample.doc_hash != other.doc_hash or sample.doc != other.doc:
            raise JobError(
                f"{sample.place}: document {sample.number} is another one than in {other.place}; the "
                "task's data changed, or --samples was not ascending, which swaps lm_eval's numbers"
            )
        if sample.prompt_hash != other.prompt_hash:
            raise JobError(
                f"{sample.place}: document {sample.number} was asked in another text than in "
                f"{other.place}; run both with the same task, --num_fewshot and --seed"
            )
    if not shared:
        raise JobError(
            f"{after[0].place}: the run has no document in common with {before[0].place}"
        )
    return [known[sample.number] for sample in shared], shared


def _cluster(sample: Sample) -> str:
    named = sample.doc.get("cluster")
    return named if isinstance(named, str) and named else f"document {sample.number}"


def _mean(samples: Sequence[Sample], metric: str) -> float:
    return sum(score_of(sample, metric) for sample in samples) / len(samples)


def _traced(path: Path) -> list[str]:
    if not statement_path(path).exists():
        return [f"{path}: nothing says which model made it; run it by `cleanguard lm-eval`"]
    return [f"{path}: {problem.reason}" for problem in verify_file(path).problems[:3]]


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = (part.strip() for part in text.partition("="))
    if not equals or not name or not path:
        raise JobError(f"from_results: {text!r} is not of the form name=samples.jsonl")
    return name, Path(path).expanduser()
