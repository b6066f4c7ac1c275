"""The differentiate stage: every model answers every item at every temperature; then the claims."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from cleanguard.report.hidden import hidden_by_line
from guard import attest
from guard.records.writer import item_key
from stages.config import as_plain
from stages.differentiate.config import DifferentiateConfig
from stages.differentiate.markdown import as_markdown
from stages.differentiate.measure import build
from stages.differentiate.report import SCHEMA, DifferentiationReport
from stages.evaluate.answering import answer_batches, pieces_of
from stages.evaluate.subjects import load_subjects
from stages.folder import run_folder, write_text
from stages.jsonl import read_lines
from stages.processes.pieces import spread
from stages.processes.ranks import rank
from stages.registry import Outcome
from stages.reports.as_json import as_json
from stages.reports.beside import session_gate
from stages.reports.results import RESULTS, read_results
from stages.reports.words import percent
from stages.suites.forms import check_forms
from stages.suites.item import FormName, plain_item
from stages.suites.registry import answers_only, find_suite, limited, too_few, with_examples

# What only shapes the report: a finished run takes other values without asking the models again.
_REPORT_ONLY = ("margin", "gate", "training_data", "gate_file", "notice", "html", "plan", "scorer")
_log = logging.getLogger("cleanguard.differentiate")


def differentiate(config: DifferentiateConfig) -> Outcome:
    """Write `results.jsonl` and the reports into the run's folder.

    A run that was stopped goes on with the answers that are missing, in any number of processes.

    Raises:
        JobError: The suite, an adapter or the folder cannot be used.
        GuardError: The model cannot be loaded, or a prompt is not clean.
    """
    config.scorer.allow()
    found = with_examples(find_suite(config.suite), (config.form,))
    suite = limited(answers_only(found, "differentiate"), config.limit)
    form: FormName = suite.forms[0] if config.form == "suite" else config.form
    check_forms(suite, (form,))
    few = too_few(suite, len(suite.items), config.plan.minimum)
    if few:
        _log.warning("differentiate: %s", few)
    _check_files(config)
    answering = _answering_part(config)
    with run_folder(config.out, "differentiate", answering) as folder:
        engine, subjects = load_subjects(config.at(config.temperatures[0]))
        sources = {subject.name: subject.provenance for subject in subjects}
        # Where files lie changes no answer; adapters are known by their digests.
        params = {**as_plain(answering), "out": None, "adapters": None}
        params["items"] = item_key([plain_item(item) for item in suite.items])
        plan = [(subject, (form,)) for subject in subjects]
        pieces = [
            piece
            for temperature in config.temperatures
            for piece in pieces_of(config.at(temperature), suite, plan)
        ]
        spread(
            folder, (RESULTS,), sources, params, pieces,
            lambda batches, files: answer_batches(suite, batches, engine, files[0]),
        )  # fmt: skip
        if rank():
            return Outcome(())
        report = build(config, suite, form, read_results(folder), sources)
        _write(config, report, folder)
    return Outcome(tuple(_summary(config, report)), passed=report.passed or not config.gate)


def _answering_part(config: DifferentiateConfig) -> DifferentiateConfig:
    """The settings with those at their defaults that the answers don't depend on."""
    plain = DifferentiateConfig()
    return replace(config, **{name: getattr(plain, name) for name in _REPORT_ONLY})


def _check_files(config: DifferentiateConfig) -> None:
    """Raise JobError for a file that is needed later, before any answer is paid for."""
    for path in config.training_data:
        read_lines(path, {})
    if config.gate_file is not None:
        session_gate(config.gate_file)
    if config.notice is not None and not config.notice.is_file():
        raise JobError(f"{config.notice}: there is no such file")


def _write(config: DifferentiateConfig, report: DifferentiationReport, folder: Path) -> None:
    files = {
        "report.json": as_json(report, SCHEMA),
        "report.md": hidden_by_line(as_markdown(report)),
    }
    if config.html:
        from stages.differentiate.html import as_html

        files["report.html"] = as_html(report)
    for name, text in files.items():
        write_text(folder / name, text)
        attest(folder / name, report.sources, params=report.settings)


def _summary(config: DifferentiateConfig, report: DifferentiationReport) -> list[str]:
    lines = [
        f"{report.suite}: {counted(report.n, 'item')} in {counted(report.clusters, 'cluster')}, "
        f"{counted(report.samples, 'answer')} each at {counted(len(report.temperatures), 'temperature')}"
    ]
    for name in report.subjects:
        rates = [
            f"{percent(cell.rates.of(report.endpoint).rate)} at {cell.temperature:g}"
            for cell in report.cells
            if cell.rates.subject == name
        ]
        lines.append(f"  {name} ({report.form}): {report.endpoint} {', '.join(rates)}")
    for claim in report.claims:
        lines.append(claim.words)
        lines += [f"  {shift.label}: {shift.verdict}" for shift in claim.shifts]
        lines += [f"  {claim.trend_words}"] if claim.trend_words else []
    lines += [f"note: {warning}" for warning in report.warnings]
    lines.append(f"report: {config.out / ('report.html' if config.html else 'report.md')}")
    return lines
