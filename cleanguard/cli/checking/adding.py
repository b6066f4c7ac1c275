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
    from lint_rules._engine.reported import io_problem

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
        except WriteError as error:
            failures.append(str(error))
            continue
        except OSError as error:
            failures.append(f"{file.name}: {io_problem(error)}")
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
        place = f"{finding.filename}:{finding.location}"
        say(f"cleanguard: {place}: {finding.code} cannot be suppressed by a comment here", err=True)
    for failure in failures:
        say(f"cleanguard: {failure}", err=True)
    return CANNOT_DO if failures else FINDINGS if left else CLEAN


def _add(
    file: SourceFile, findings: Sequence[Finding], settings: Settings, reason: str
) -> tuple[Finding, ...]:
    """Writes the comments of one file; gives the findings that are left."""
    from lint_rules._engine.checking import check_source
    from lint_rules._run.source import SourceError

    raw = file.read()
    try:
        after, covered, left = _suppressed(file.name, raw, findings, reason)
    except SourceError:
        return tuple(findings)
    # Comments stand at the ends of lines, so that no finding has moved.
    still = {
        (one.code, one.location)
        for one in check_source(file.name, after, settings, None, file.path)
    }
    if any(
        (one.code, one.location) in still for one in covered
    ):  # such as a reason that is none to the rules
        return tuple(findings)
    if after != raw:
        roots = (Path.cwd(), file.path.absolute().parent)
        replace_file(file.path, raw, after, roots, file.name)
    return left


def _suppressed(
    name: str, raw: bytes, findings: Sequence[Finding], reason: str
) -> tuple[bytes, list[Finding], tuple[Finding, ...]]:
    """A file with the comments: its bytes, the findings that they cover, and those that they cannot.

    Raises:
        SourceError: It cannot be read, or not be written as planned.
    """
    from lint_rules._run.notebook import SUFFIX
    from lint_rules._run.source import decode

    if not name.endswith(SUFFIX):
        source = decode(raw)
        plan = ignored(source.text, findings, reason)
        return source.edited(plan.edits), list(plan.covered), plan.left
    from codemods.plan.notebook_document import NotebookDocument

    covered: list[Finding] = []
    left = [one for one in findings if not one.location.cell]
    for index in range(len(NotebookDocument(raw).notebook.sources)):
        document = NotebookDocument(raw, index)
        own = [
            (document.unplaced(one), one)
            for one in findings
            if one.location.cell and document.holds(one.location.cell)
        ]
        plan = ignored(
            document.source.text, [row for row, _ in own], reason, closed=document.foreign
        )
        raw = document.written(document.fitted(plan.edits)) if plan.edits else raw
        left_here = {id(one) for one in plan.left}
        for row, one in own:
            (left if id(row) in left_here else covered).append(one)
    return raw, covered, tuple(left)
