"""The evaluate stage: items in, answers by each model out, and a report that compares them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from cleanguard.errors import JobError
from guard import attest
from guard.records.writer import item_key
from stages.comparing.plan import Plan
from stages.config import as_plain
from stages.evaluate.answering import answer_batches, pieces_of
from stages.evaluate.config import BASE, EvaluateConfig
from stages.evaluate.logged import compare_logged
from stages.evaluate.subjects import Subject, load_subjects
from stages.folder import run_folder, write_text
from stages.jsonl import read_lines
from stages.pieces import spread
from stages.ranks import rank
from stages.registry import Outcome
from stages.reports.as_json import as_json
from stages.reports.beside import session_gate
from stages.reports.build import Inputs, build
from stages.reports.earlier import read_earlier
from stages.reports.markdown import as_markdown
from stages.reports.model import Report
from stages.reports.results import RESULTS, Result, pairs_of, read_results
from stages.reports.words import percent, with_interval
from stages.suites.forms import check_forms
from stages.suites.item import FormName, Suite
from stages.suites.registry import find_suite, limited, too_few

# What only shapes the report: a finished run takes other values without asking the models again.
_REPORT_ONLY = (
    "show",
    "against",
    "training_data",
    "gate",
    "threshold",
    "gate_file",
    "notice",
    "html",
    "plan",
)
_log = logging.getLogger("cleanguard.evaluate")


def evaluate(config: EvaluateConfig) -> Outcome:
    """Write `results.jsonl` and the reports into the run's folder.

    A run that was stopped goes on with the answers that are missing, in any number of processes.

    Raises:
        JobError: The suite, an adapter, the folder or an earlier run cannot be used.
        GuardError: The model cannot be loaded, or a prompt is not clean.
    """
    if config.from_results:
        return compare_logged(config)
    suite = limited(find_suite(config.suite), config.limit)
    forms = config.forms or suite.forms
    check_forms(suite, forms)
    few = too_few(suite, len(suite.items), config.plan.minimum)
    if few:
        _log.warning("evaluate: %s", few)
    if config.gate and config.threshold is None and suite.threshold is None:
        raise JobError(
            f"threshold: the suite {suite.name} has none of its own; give one for the gate"
        )
    _check_files(config)
    with run_folder(config.out, "evaluate", _answering_part(config)) as folder:
        loaded, subjects = load_subjects(config)
        sources = {subject.name: subject.provenance for subject in subjects}
        # Where files lie changes no answer; adapters are known by their digests.
        params = {**as_plain(_answering_part(config)), "out": None, "adapters": None}
        params["items"] = item_key([asdict(item) for item in suite.items])
        plan = [(subject, _forms_for(config, suite, subject, forms)) for subject in subjects]
        spread(
            folder, (RESULTS,), sources, params, pieces_of(config, suite, plan),
            lambda batches, files: answer_batches(suite, batches, loaded, files[0]),
        )  # fmt: skip
        if rank():
            return Outcome(())
        results = read_results(folder)
        report = _report(config, suite, forms, subjects, results)
        _write(config, report, results, folder)
    return Outcome(
        tuple(_summary(config, report)),
        passed=not config.gate or report.gate is None or report.gate.passed,
    )


def _answering_part(config: EvaluateConfig) -> EvaluateConfig:
    """The settings with those at their defaults that the answers don't depend on."""
    plain = EvaluateConfig()
    return replace(config, **{name: getattr(plain, name) for name in _REPORT_ONLY})


def _check_files(config: EvaluateConfig) -> None:
    """Raise JobError for a file that the report will need, before any answer is paid for."""
    if config.against is not None:
        read_results(config.against)
    for path in config.training_data:
        read_lines(path, {})
    if config.gate_file is not None:
        session_gate(config.gate_file)
    if config.notice is not None and not config.notice.is_file():
        raise JobError(f"{config.notice}: there is no such file")


def _forms_for(
    config: EvaluateConfig, suite: Suite, subject: Subject, forms: tuple[FormName, ...]
) -> tuple[FormName, ...]:
    if subject.name != BASE:
        return forms
    extra = [form for form in config.base_forms if form not in forms and _can(suite, form)]
    return (*forms, *extra)


def _can(suite: Suite, form: FormName) -> bool:
    # The items of `formats` are prompts already: no second form goes around them.
    if suite.name == "formats":
        return False
    if form == "completion":
        return all(item.completion is not None for item in suite.items)
    return form != "fewshot" or bool(suite.shots)


def _report(
    config: EvaluateConfig,
    suite: Suite,
    forms: tuple[FormName, ...],
    subjects: Sequence[Subject],
    results: list[Result],
) -> Report:
    threshold = config.threshold if config.threshold is not None else suite.threshold
    inputs = Inputs(
        suite=suite,
        subjects=tuple(subject.name for subject in subjects),
        forms=forms,
        plan=_plan(config),
        sources={subject.name: subject.provenance for subject in subjects},
        settings=as_plain(config),
        earlier=read_earlier(config.against, pairs_of(results)) if config.against else None,
        threshold=threshold,
        training_data=config.training_data,
        show=config.show,
        gate_file=config.gate_file,
        notice=config.notice,
        folder=config.out,
    )
    return build(results, inputs)


def _plan(config: EvaluateConfig) -> Plan:
    return Plan(
        alpha=config.plan.alpha,
        power=config.plan.power,
        regressions=config.plan.regressions,
        minimum=config.plan.minimum,
        confidence=config.plan.confidence,
        resamples=config.plan.resamples,
        seed=config.seed,
    )


def _write(config: EvaluateConfig, report: Report, results: Sequence[Result], folder: Path) -> None:
    files = {"report.json": as_json(report), "report.md": as_markdown(report)}
    if config.html:
        from stages.reports.html import as_html

        files["report.html"] = as_html(report, results)
    for name, text in files.items():
        write_text(folder / name, text)
        attest(folder / name, report.sources, params=report.settings)


def _summary(config: EvaluateConfig, report: Report) -> list[str]:
    lines = [f"{report.suite}: {report.n} items in {report.clusters} clusters"]
    for rate in report.rates:
        lines.append(
            f"  {rate.subject} ({rate.form}): {report.endpoint} {with_interval(rate.of(report.endpoint))}, "
            f"stopped {percent(rate.stopped.rate)}"
        )
    lines += [f"{one.label}: {one.verdict}" for one in (*report.primary, *report.earlier)]
    if report.gate:
        lines.append(report.gate.words)
    lines += [f"note: {warning}" for warning in report.warnings]
    for example in report.examples:
        lines += ["", example.item]
        for name, text, right in example.answers:
            lines.append(f"  {name} {'right' if right else 'wrong'}: {text!r}")
    lines.append(f"report: {config.out / ('report.html' if config.html else 'report.md')}")
    return lines
