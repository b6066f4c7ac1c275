"""Writes a suppression comment with a reason at every finding of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from cleanguard.catalogue.findings import Finding
from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.editing.write import WriteError, replace_file
from cleanguard.files import SourceFile
from cleanguard.report.counting import counted
from cleanguard.report.spoken import say
from cleanguard.settings.adding import check_reason, ignored
from cleanguard.settings.config import Settings


def add_ignores(
    findings: Sequence[Finding], files: Sequence[SourceFile], settings: Settings, reason: str
) -> int:
    """Write the comments, say what was done, and give the exit code: 1 where findings are left.

    Raises:
        JobError: The reason is none.
    """
    reason = check_reason(reason)
    own: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        own[finding.filename].append(finding)
    done: Counter[str] = Counter()
    left: list[Finding] = []
    failures: list[str] = []
    changed = 0
    for file in files:
        if file.name not in own:
            continue
        try:
            kept = _add(file, own[file.name], settings, reason)
        except (WriteError, OSError) as error:
            failures.append(str(error))
            continue
        codes = Counter(finding.code for finding in own[file.name])
        codes.subtract(finding.code for finding in kept)
        done += codes
        changed += bool(+codes)
        left += kept
    added = ", ".join(f"{number} {code}" for code, number in sorted(done.items()))
    if added:
        say(
            f"Suppressed {counted(sum(done.values()), 'finding')} ({added}) in {counted(changed, 'file')}.",
            err=True,
        )
    for finding in left:
        why = (
            "is in a notebook, which this does not write into; put the comment into the cell"
            if finding.location.cell
            else "cannot be suppressed by a comment here"
        )
        place = f"{finding.filename}:{finding.location}"
        say(f"cleanguard: {place}: {finding.code} {why}", err=True)
    for failure in failures:
        say(f"cleanguard: {failure}", err=True)
    return CANNOT_DO if failures else FINDINGS if left else CLEAN


def _add(
    file: SourceFile, findings: Sequence[Finding], settings: Settings, reason: str
) -> tuple[Finding, ...]:
    """Writes the comments of one file; gives the findings that are left."""
    from lint_rules._engine.checking import check_source
    from lint_rules._run.source import SourceError, decode

    if any(finding.location.cell for finding in findings):
        return tuple(findings)
    raw = file.read()
    try:
        source = decode(raw)
        plan = ignored(source.text, findings, reason)
        after = source.edited(plan.edits)
    except SourceError:
        return tuple(findings)
    still = {one.message for one in check_source(file.name, after, settings, None, file.path)}
    if any(
        one.message in still for one in plan.covered
    ):  # such as a reason that is none to the rules
        return tuple(findings)
    if after != raw:
        replace_file(file.path, raw, after, (Path.cwd(), file.path.absolute().parent))
    return plan.left
