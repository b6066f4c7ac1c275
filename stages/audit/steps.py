"""The audit stage: load, ask, weigh; the verdict comes with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cleanguard.report.escaping import code_for_markdown, for_markdown
from cleanguard.report.hidden import hidden_by_line
from guard import Provenance, attest, behaviour_of, provenance_of
from guard.errors import AdapterAsBaseError, ChatModelError
from guard.records.writer import JsonlWriter, item_key
from stages.audit.config import AuditConfig
from stages.audit.findings import (
    Finding,
    Verdict,
    of_behaviour,
    of_control_tokens,
    of_endings,
    of_formats,
    of_load,
    of_sentinels,
    verdict_of,
)
from stages.comparing.plan import Plan
from stages.config import as_plain
from stages.engines import TransformersEngine
from stages.evaluate.answering import answer_all
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.subjects import Subject, using
from stages.folder import run_folder, write_json, write_text
from stages.models import loader_of
from stages.processes.ranks import refuse_many
from stages.registry import Outcome
from stages.reports.measure import rates_of, sliced_rates
from stages.reports.results import RESULTS, read_results
from stages.stacks import whole_stack
from stages.suites.item import Suite, plain_item
from stages.suites.registry import find_suite, too_few

if TYPE_CHECKING:
    from guard import Loaded

_QUICK = 4


def audit(config: AuditConfig) -> Outcome:
    """Write `results.jsonl`, `audit.json` and `audit.md`; the exit code is 1 for a base that is none.

    Raises:
        JobError: The folder cannot be used.
        GuardError: The model cannot be loaded, for another reason than being no base.
    """
    refuse_many("audit")
    with run_folder(config.out, "audit", config) as folder:
        try:
            loaded = loader_of(config.model).load()
        except (ChatModelError, AdapterAsBaseError) as error:
            findings = [Finding("load", "contaminated", True, str(error.args[0]))]
            return _outcome(config, "contaminated", findings, (), [])
        subject = _subject(config, loaded)
        with using(loaded, subject) as model:
            behaviour = behaviour_of(model, loaded.tokenizer, max_new_tokens=config.max_new_tokens)
        suites = _suites(config)
        _answer(config, loaded, subject, suites, folder)
        findings, shown = _weigh(config, subject, folder, suites[0])
        findings.insert(1, of_behaviour(behaviour))
        verdict = verdict_of(findings)
        notes = [few for few in [too_few(suites[0], len(suites[0].items), config.minimum)] if few]
        report = {
            "schema": "cleanguard-audit/1",
            "verdict": verdict,
            "findings": [asdict(one) for one in findings],
            "notes": notes,
            "behaviour": behaviour.to_dict(),
            "settings": as_plain(config),
            "provenance": subject.provenance.to_dict(),
        }
        write_json(folder / "audit.json", report)
        page = _markdown(subject.provenance, verdict, findings, notes)
        write_text(folder / "audit.md", hidden_by_line(page))
        for name in ("audit.json", "audit.md"):
            attest(folder / name, subject.provenance, params=as_plain(config))
    return _outcome(config, verdict, findings, shown if config.quick else (), notes)


def _subject(config: AuditConfig, loaded: Loaded) -> Subject:
    if config.adapter is None:
        return Subject("base", (), loaded.provenance)
    trial = Subject("adapter", whole_stack("adapter", (config.adapter,)), loaded.provenance)
    with using(loaded, trial) as model:
        return replace(trial, provenance=replace(provenance_of(model), events=()))


def _suites(config: AuditConfig) -> list[Suite]:
    sentinels = find_suite("sentinels")
    if not config.quick:
        return [sentinels, find_suite("formats")]
    step = len(sentinels.items) // _QUICK
    return [replace(sentinels, items=sentinels.items[::step][:_QUICK])]


def _answer(
    config: AuditConfig, loaded: Loaded, subject: Subject, suites: Sequence[Suite], folder: Path
) -> None:
    asked = EvaluateConfig(max_new_tokens=config.max_new_tokens, batch_size=config.batch_size)
    params = as_plain(replace(config, out=Path()))
    params["items"] = item_key([plain_item(item) for suite in suites for item in suite.items])
    with JsonlWriter(folder / RESULTS, {subject.name: subject.provenance}, params=params) as out:
        for suite in suites:
            answer_all(asked, suite, [(subject, suite.forms)], TransformersEngine(loaded), out)


def _weigh(
    config: AuditConfig, subject: Subject, folder: Path, sentinels: Suite
) -> tuple[list[Finding], tuple[str, ...]]:
    results = read_results(folder)
    plan = Plan()
    bare = [result for result in results if result.suite == sentinels.name]
    others = [result for result in results if result.suite != sentinels.name]
    rates = rates_of(subject.name, "raw", bare, plan)
    findings = [of_sentinels(rates, config.most_followed), of_endings(rates, config.most_stopped)]
    formats = sliced_rates(subject.name, "raw", others, plan) if others else []
    findings.append(of_control_tokens([rates, *formats]))
    findings += of_load(subject.provenance)
    if formats:
        findings.append(of_formats(formats))
    return findings, tuple(f"  {result.prompt!r} → {result.text!r}" for result in bare)


def _outcome(
    config: AuditConfig,
    verdict: Verdict,
    findings: Sequence[Finding],
    shown: Sequence[str],
    notes: Sequence[str],
) -> Outcome:
    lines = [f"audit: {verdict}", *shown]
    lines += [f"  {one.about} ({_weight(one)}): {one.words}" for one in findings]
    lines += [f"note: {note}" for note in notes]
    fails = verdict == "contaminated" or (verdict == "unclear" and config.unclear_fails)
    return Outcome(tuple(lines), passed=not fails)


def _weight(one: Finding) -> str:
    return f"{one.leaning}, {'decides' if one.decisive else 'advice'}"


def _markdown(
    provenance: Provenance, verdict: Verdict, findings: Sequence[Finding], notes: Sequence[str]
) -> str:
    lines = [f"# Audit: {verdict}", "", f"Model: {code_for_markdown(provenance.model_id)}", ""]
    lines += [
        f"- **{for_markdown(one.about)}** ({_weight(one)}): {for_markdown(one.words)}"
        for one in findings
    ]
    lines += ["", *(f"> **Note:** {for_markdown(note)}" for note in notes)]
    return "\n".join(lines).rstrip() + "\n"
