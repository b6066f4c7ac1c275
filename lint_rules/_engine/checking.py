"""Checks files: reads, screens, follows the values, asks the rules, and places what they report."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from cleanguard.settings.per_file import with_severity, without_unfixable
from cleanguard.settings.suppressions import may_suppress, suppressed
from lint_rules._engine.gate import parses
from lint_rules._engine.outcome import CheckRun
from lint_rules._engine.reported import (
    START,
    fix_of,
    fix_with_edits,
    io_problem,
    placed_finding,
    unreadable,
)
from lint_rules._questions.exempt import active_codes
from lint_rules._run.notebook import SUFFIX, read
from lint_rules._run.others import OtherFiles
from lint_rules._run.screen import Screened, has_trigger, is_told, screened
from lint_rules._run.source import Source, SourceError, decode, parse_fast, syntax_error

if TYPE_CHECKING:
    import libcst as cst

    from lint_rules._flow.analysis import Flow
    from lint_rules._light.positions import Positions
    from lint_rules.rule import Report, Rule


# Where libcst's parser stopped, by its message: the line of the error itself is one too high.
_STOP = re.compile(r"error at (\d+):(\d+)")


class RuleCrashError(Exception):
    """A rule raised: our defect, reported with code, file and cause while the other files go on."""


def check_files(files: Sequence[SourceFile], settings: Settings, *, edits: bool = True) -> CheckRun:
    """Checks files in order; one that cannot be read, or kills a rule, costs only itself."""
    findings: list[Finding] = []
    failures: list[str] = []
    checked = 0
    others = OtherFiles(files, settings) if len(files) > 1 else None
    for file in files:
        try:
            raw = file.read()
        except OSError as error:
            found = unreadable(file.name, io_problem(error), settings, what=file.kind)
            findings.extend(found)
            checked += 1
            continue
        checked += 1
        try:
            findings.extend(check_source(file.name, raw, settings, others, file.path, edits=edits))
        except RuleCrashError as crash:
            failures.append(str(crash))
    return CheckRun(
        tuple(sorted(findings, key=lambda found: found.sort_key)), checked, tuple(failures)
    )


def check_source(
    filename: str,
    raw: bytes,
    settings: Settings,
    others: OtherFiles | None = None,
    path: Path | None = None,
    *,
    edits: bool = True,
) -> tuple[Finding, ...]:
    """The findings of one file.

    Args:
        filename: The path as the report gives it.
        raw: The file's bytes.
        settings: What the run was told.
        others: The files of the run, whose functions and constants this one may import.
        path: Where the file stands, if that is not `filename`.
        edits: Fixes come with their edits, which takes a full syntax tree.

    Raises:
        RuleCrashError: A rule failed on this file.
    """
    settings = settings.at(path or Path(filename))
    job = _Job(filename, path or Path(filename), settings, others, edits)
    try:
        if not filename.endswith(SUFFIX):
            return _check_text(job, decode(raw))
        notebook = read(raw)
    except SourceError as error:
        return unreadable(filename, str(error), settings, error.position)
    found = list(_check_text(job, notebook.source))
    for written in notebook.sources[1:]:  # files of their own, which nothing here imports yet
        found += _check_text(replace(job, others=None), written)
    placed = [notebook.placed(one) for one in found]
    for reason, place in notebook.problems:
        placed += unreadable(filename, reason, settings, place, "cell")
    return tuple(sorted(placed, key=lambda one: one.sort_key))


def _check_text(job: _Job, source: Source) -> tuple[Finding, ...]:
    filename, settings, others = job.filename, job.settings, job.others
    found: tuple[Finding, ...] = ()
    try:
        said, tree = screened_text(source, job.path, others)
        if said is None and tree is None:
            found = _check_full(job, source, parsed=False)
        if said is not None and said.matters:
            found = _check_light(job, source, tree)
        if may_suppress(source.raw):
            reason = settings.require_suppression_reason
            found = suppressed(
                found, source.text, filename, active_codes(job.path, settings), reason
            )
    except SourceError as error:
        found = unreadable(filename, str(error), settings, error.position)
    except RecursionError:
        found = unreadable(filename, "nested too deeply to be followed", settings)
    return tuple(without_unfixable(with_severity(finding, settings), settings) for finding in found)


def screened_text(
    source: Source, path: Path, others: OtherFiles | None = None
) -> tuple[Screened | None, ast.Module | None]:
    """What can be said of a file before its values are followed, and its tree, if it was parsed for that.

    Returns:
        None for what is said where nothing in the file can matter; None for both where this Python cannot parse it.
    """
    said = None if others is None else others.known(path)
    if said is not None:
        return said, None
    if _is_told(source):
        return Screened(matters=False, exports=False), None
    tree = parse_fast(source)
    if tree is not None and has_trigger(source.raw):
        said = screened(tree, source.text)
        if others is not None:
            others.know(path, tree, said)
    return said, tree


def _is_told(source: Source) -> bool:
    """Whether nothing of a file can matter and it parses: most of these only write about models."""
    return has_trigger(source.raw) and is_told(source.text) and parses(source.raw)


def followed_findings(
    filename: str,
    source: Source,
    reports: Sequence[tuple[Rule, Report]],
    positions: Positions,
    settings: Settings,
) -> tuple[Finding, ...]:
    """The findings of a file that was followed already, as `check_source` gives them.

    Args:
        filename: The path as the report gives it.
        source: Its text.
        reports: What all rules report on its full tree.
        positions: Of that tree.
        settings: What the run was told.
    """
    active = active_codes(Path(filename), settings)
    found = tuple(
        placed_finding(filename, rule, report, positions, fix_of(report))
        for rule, report in reports
        if rule.hazard.code in active
    )
    if may_suppress(source.raw):
        reason = settings.require_suppression_reason
        found = suppressed(found, source.text, filename, active, reason)
    return tuple(with_severity(finding, settings) for finding in found)


@dataclass(frozen=True, slots=True)
class _Job:
    """What checking one file needs besides its text."""

    filename: str
    path: Path
    settings: Settings
    others: OtherFiles | None
    edits: bool


def _check_light(job: _Job, source: Source, tree: ast.Module | None) -> tuple[Finding, ...]:
    """Looks at a light tree, and at the full one only for edits and for what the light one lacks."""
    flow = _followed(job, tree)
    try:
        reports = [(rule, report) for rule in _rules(job) for report in rule.check(flow)]
        if not reports:
            return ()
        if not job.edits:
            return _placed(job, source, flow, reports, tree or parse_fast(source))
    except Exception:  # noqa: BLE001 - no place, or it asks for whitespace; a crash comes again below
        return _check_full(job, source, parsed=True)
    try:
        return _check_full(job, source, parsed=True)
    except SourceError:  # libcst refuses what Python takes: the findings stand without their edits
        return _placed(job, source, flow, reports, tree or parse_fast(source))


def _placed(
    job: _Job,
    source: Source,
    flow: Flow,
    reports: Sequence[tuple[Rule, Report]],
    tree: ast.Module | None,
) -> tuple[Finding, ...]:
    """The findings without their edits.

    Raises:
        KeyError: A node whose place a light tree does not tell.
    """
    from lint_rules._light import Places

    assert tree is not None
    nodes = [(report.node, flow.statement_of(report.node)) for _, report in reports]
    places = Places(flow.module, nodes, tree, source.text)
    return tuple(
        placed_finding(job.filename, rule, report, places, fix_of(report))
        for rule, report in reports
    )


def _check_full(job: _Job, source: Source, *, parsed: bool) -> tuple[Finding, ...]:
    # Here and not at the top: a tree without hazards must not pay for libcst.
    from lint_rules._light.positions import Positions

    module = parse_full(source, parsed=parsed)
    flow = _followed(job, module)
    reports = [(rule, report) for rule in _rules(job) for report in _run(rule, flow, job.filename)]
    if not reports:
        return ()
    positions = Positions(module, source.text)
    return tuple(
        placed_finding(job.filename, rule, report, positions, fix_with_edits(report, positions))
        for rule, report in reports
    )


def _rules(job: _Job) -> list[Rule]:
    from lint_rules.registry import RULES

    codes = active_codes(job.path, job.settings)
    return [rule for rule in RULES if rule.hazard.code in codes]


def parse_full(source: Source, *, parsed: bool) -> cst.Module:
    """The full syntax tree.

    Args:
        source: The text.
        parsed: The interpreter takes it, so that a refusal is libcst's.

    Raises:
        SourceError: It is refused.
    """
    import libcst as cst

    from lint_rules._engine.refused import place_of_refused

    try:
        return cst.parse_module(source.text)
    except (RecursionError, MemoryError, AssertionError):
        raise
    except Exception as error:  # of any class: a tree may be refused after it was parsed
        if not parsed:
            raise syntax_error(source) from error
        message = "this version of libcst cannot parse the file"
        stop = _STOP.search(str(error.args[0]) if error.args else "")
        place = Position(int(stop[1]), int(stop[2])) if stop else START
        if not isinstance(error, cst.ParserSyntaxError):
            place = place_of_refused(source.text)
            message += f": {' '.join(str(error).split())}"
        raise SourceError(message, place) from error


def _followed(job: _Job, tree: ast.Module | cst.Module | None) -> Flow:
    """The values of a module, on its full tree or on a light one, which the other files know."""
    from lint_rules._flow.analysis import analyse
    from lint_rules._light import light_module

    project = None if job.others is None else job.others.project()
    try:
        if tree is None or isinstance(tree, ast.Module):
            if project is not None:
                return project.flow(job.path)
            assert tree is not None
            return analyse(light_module(tree), job.settings, job.path)
        if project is not None:
            return project.exact_flow(job.path, tree)
        return analyse(tree, job.settings, job.path)
    except (RecursionError, MemoryError):
        raise  # the file's doing, not ours
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise RuleCrashError(
            f"{job.filename}: following the values crashed ({cause}); please report it"
        ) from error


def _run(rule: Rule, flow: Flow, filename: str) -> list[Report]:
    try:
        return list(rule.check(flow))
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise RuleCrashError(
            f"{filename}: rule {rule.hazard.code} crashed ({cause}); please report it"
        ) from error
