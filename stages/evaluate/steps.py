"""The evaluate stage: items in, answers by each model out, and a report that compares them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from cleanguard.report.hidden import hidden_by_line
from guard import Provenance, attest
from guard.records.writer import item_key
from stages.comparing.plan import Plan
from stages.config import as_plain
from stages.engines import NOT_STARTED
from stages.evaluate.answering import answer_batches, pieces_of
from stages.evaluate.config import BASE, EvaluateConfig
from stages.evaluate.judging import JUDGE, judge_for, template_of
from stages.evaluate.logged import compare_logged
from stages.evaluate.scoring import check_items
from stages.evaluate.subjects import Subject, load_subjects
from stages.folder import run_folder, write_text
from stages.jsonl import read_lines
from stages.processes.pieces import spread
from stages.processes.ranks import rank
from stages.registry import Outcome
from stages.reports.as_json import as_json
from stages.reports.beside import session_gate
from stages.reports.build import Inputs, build
from stages.reports.earlier import read_earlier
from stages.reports.markdown import as_markdown
from stages.reports.model import Report
from stages.reports.results import RESULTS, Result, pairs_of, read_results
from stages.reports.words import bits, percent, with_interval
from stages.suites.choices import MEASURE_NAMES, measures_of
from stages.suites.code import source_digests
from stages.suites.forms import BY_LETTER, check_forms
from stages.suites.item import Endpoint, FormName, Suite, plain_item
from stages.suites.registry import find_suite, limited, too_few, with_examples

# What only shapes the report or says how long is waited: a finished run takes other values without
# asking the models again.
_REPORT_ONLY = (
    "show",
    "moved",
    "against",
    "training_data",
    "gate",
    "threshold",
    "gate_file",
    "notice",
    "html",
    "plan",
    "scorer",
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
    config.scorer.allow()
    found = with_examples(find_suite(config.suite), (*config.forms, *config.base_forms))
    suite = limited(found, config.limit)
    _check_kind(config, suite)
    forms = _labels(config, suite, config.forms or suite.forms)
    check_forms(suite, forms, config.few)
    template_of(config)
    few = too_few(suite, len(suite.items), config.plan.minimum)
    if few:
        _log.warning("evaluate: %s", few)
    if config.gate and config.threshold is None and suite.threshold is None:
        raise JobError(
            f"threshold: the suite {suite.name} has none of its own; give one for the gate"
        )
    _check_files(config)
    with run_folder(config.out, "evaluate", _answering_part(config)) as folder:
        finished = all((folder / name).exists() for name in (RESULTS, "report.json"))
        engine, subjects = load_subjects(config, lazy=finished)
        sources = {subject.name: subject.provenance for subject in subjects}
        made_with: dict[str, Any] = dict(sources)
        if config.engine == "vllm":  # it has no adapters, so what happens to it is the base's
            made_with[BASE] = engine.source
        judge = judge_for(config, suite)
        if judge is not None and judge.own is not None:
            sources[JUDGE] = made_with[JUDGE] = judge.own.provenance
        # Where files lie changes no answer; adapters are known by their digests.
        params = {**as_plain(_answering_part(config)), "out": None, "adapters": None}
        params["engine"] = engine.name
        params["items"] = item_key([plain_item(item) for item in suite.items])
        params["code"] = source_digests(suite.items, suite.path and suite.path.parent)
        plan = [(subject, _forms_for(config, suite, subject, forms)) for subject in subjects]
        asked = list(dict.fromkeys(label for _, labels in plan for label in labels))
        check_items(config, suite, asked, engine)
        if judge is not None:
            judge.check(engine)
        spread(
            folder, (RESULTS,), made_with, params, pieces_of(config, suite, plan),
            lambda batches, files: answer_batches(suite, batches, engine, files[0], judge),
        )  # fmt: skip
        if rank():
            return Outcome(())
        results = read_results(folder)
        report = _report(config, suite, forms, subjects, sources, results)
        _write(config, report, results, folder)
    asked_none = () if engine.started else (NOT_STARTED,)
    return Outcome(
        (*asked_none, *_summary(config, report)),
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


def _check_kind(config: EvaluateConfig, suite: Suite) -> None:
    """Raise JobError for settings that the suite's kind of items does not take."""
    if suite.kind != "answers" and config.temperature:
        raise JobError(f"temperature: the items of {suite.name} are scored, so nothing is sampled")
    if suite.kind == "perplexity":
        if config.forms and config.forms != ("raw",):
            raise JobError(
                f"forms: the items of {suite.name} are texts, and are read as they stand"
            )
        if config.gate:
            raise JobError("gate: a text is neither passed nor failed; leave the gate out")
    if config.window_is_narrow:
        raise JobError("perplexity.overlap: must be smaller than perplexity.window")
    names = [name for name, _ in config.named_adapters]
    if JUDGE in names and any(item.scorer == JUDGE for item in suite.items):
        raise JobError(f"adapters: the name {JUDGE!r} is the judge's; take another one")


def _labels(config: EvaluateConfig, suite: Suite, forms: Sequence[FormName]) -> tuple[str, ...]:
    """The forms, and for choices how they are put: by text, by letter, or both."""
    if suite.kind != "choices":
        return tuple(forms)
    if not config.choices.by:
        raise JobError("choices.by: name text, letter, or both")
    return tuple(
        form + (BY_LETTER if by == "letter" else "") for by in config.choices.by for form in forms
    )


def _forms_for(
    config: EvaluateConfig, suite: Suite, subject: Subject, forms: tuple[str, ...]
) -> tuple[str, ...]:
    if subject.name != BASE:
        return forms
    own = _labels(config, suite, [form for form in config.base_forms if _can(suite, form)])
    return (*forms, *(form for form in own if form not in forms))


def _can(suite: Suite, form: FormName) -> bool:
    # The items of `formats` are prompts already, and texts are read as they stand.
    if suite.name == "formats" or suite.kind == "perplexity":
        return False
    if form == "completion":
        return all(item.completion is not None for item in suite.items)
    return form != "fewshot" or bool(suite.shots)


def _report(
    config: EvaluateConfig,
    suite: Suite,
    forms: tuple[str, ...],
    subjects: Sequence[Subject],
    sources: dict[str, Provenance],
    results: list[Result],
) -> Report:
    threshold = config.threshold if config.threshold is not None else suite.threshold
    inputs = Inputs(
        suite=suite,
        subjects=tuple(subject.name for subject in subjects),
        forms=forms,
        plan=_plan(config),
        sources=sources,
        settings=as_plain(config),
        earlier=read_earlier(config.against, pairs_of(results)) if config.against else None,
        threshold=threshold,
        training_data=config.training_data,
        show=config.show,
        moved=config.moved,
        names=_names(config, suite),
        gate_file=config.gate_file,
        notice=config.notice,
        folder=config.out,
    )
    return build(results, inputs)


def _names(config: EvaluateConfig, suite: Suite) -> dict[Endpoint, str] | None:
    """What the two verdicts are called in a report of choices."""
    if suite.kind != "choices":
        return None
    first, second = (MEASURE_NAMES[one] for one in measures_of(config.choices.measure))
    return {"strict": first, "content": second}


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
    files = {"report.json": as_json(report), "report.md": hidden_by_line(as_markdown(report))}
    if config.html:
        from stages.reports.html import as_html

        files["report.html"] = as_html(report, results)
    for name, text in files.items():
        write_text(folder / name, text)
        attest(folder / name, report.sources, params=report.settings)


def _summary(config: EvaluateConfig, report: Report) -> list[str]:
    lines = [
        f"{report.suite}: {counted(report.n, 'item')} in {counted(report.clusters, 'cluster')}"
    ]
    if report.lead:
        lines.append(report.lead.words)
    for rate in report.rates:
        stopped = "" if report.kind == "choices" else f", stopped {percent(rate.stopped.rate)}"
        lines.append(
            f"  {rate.subject} ({rate.form}): {report.names[report.endpoint]} "
            f"{with_interval(rate.of(report.endpoint))}{stopped}"
        )
    for text in report.texts:
        lines.append(
            f"  {text.subject}: {bits(text.bits)} bits per byte; perplexity {text.by_token:.4g} by token, "
            f"{text.by_word:.4g} by word, {text.by_byte:.4g} by byte"
        )
    lines += [f"{one.label}: {one.verdict}" for one in (*report.primary, *report.earlier)]
    lines += [f"{one.label}: {one.verdict}" for one in report.text_shifts]
    if report.gate:
        lines.append(report.gate.words)
    lines += [f"note: {warning}" for warning in report.warnings]
    for example in report.examples:
        lines += ["", example.item]
        lines += [
            f"  {name} {'right' if right else 'wrong'}: {said!r}"
            for name, said, right in example.answers
        ]
    lines.append(f"report: {config.out / ('report.html' if config.html else 'report.md')}")
    return lines
