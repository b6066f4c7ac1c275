"""Makes the fixes that findings carry, and proves each rewritten file before it may be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanguard.catalogue.findings import Finding
from cleanguard.editing.edits import Edit
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source
from lint_rules._run.others import OtherFiles
from lint_rules._run.source import SourceError, decode, parse_fast

# Fixes whose edits touch wait for the next pass; more passes than this would be a fix that undoes another.
MAX_PASSES = 10


@dataclass(frozen=True, slots=True)
class Fixed:
    """What fixing one file came to.

    Attributes:
        before: The file's bytes.
        after: Its bytes with the fixes made; equal to `before` where there are none.
        findings: What is left.
        codes: How many findings of each code were fixed.
        refusal: Why nothing is written although there was something to fix, None otherwise.
    """

    before: bytes
    after: bytes
    findings: tuple[Finding, ...]
    codes: Mapping[str, int]
    refusal: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the file would be written."""
        return self.after != self.before


class _RefusedError(Exception):
    """A fix does not keep its contract."""


def fix_source(
    filename: str,
    raw: bytes,
    settings: Settings,
    files: Sequence[SourceFile] = (),
    path: Path | None = None,
    *,
    unsafe: bool = False,
) -> Fixed:
    """Fixes one file's bytes; writes nothing.

    Args:
        filename: The path as the report gives it.
        raw: The file's bytes.
        settings: What the run was told.
        files: The files of the run.
        path: Where the file stands, if that is not `filename`.
        unsafe: Make the fixes that may change results as well.

    Raises:
        RuleCrashError: A rule failed on this file.
    """

    def check(content: bytes) -> tuple[Finding, ...]:
        # Afresh each time: the files of a run remember the syntax of what they were given.
        others = OtherFiles(files, settings) if len(files) > 1 else None
        return check_source(filename, content, settings, others, path)

    found = first = check(raw)
    current = raw
    codes: Counter[str] = Counter()
    try:
        for _ in range(MAX_PASSES):
            chosen = _compatible([f for f in found if _wanted(f, unsafe)])
            if not chosen:
                return Fixed(raw, current, found, codes)
            current = _applied(current, {e for f in chosen if f.fix for e in f.fix.edits})
            now = check(current)
            _compare(found, now, chosen)
            codes.update(finding.code for finding in chosen)
            found = now
    except _RefusedError as refused:
        return Fixed(raw, raw, first, {}, str(refused))
    return Fixed(raw, raw, first, {}, "the fixes undo each other")


def _wanted(finding: Finding, unsafe: bool) -> bool:
    fix = finding.fix
    if fix is None or not fix.edits:
        return False
    return fix.applicability == "safe" or (unsafe and fix.applicability == "unsafe")


def _compatible(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, in order, whose edits touch none of an earlier one's; equal edits are one."""
    taken: set[Edit] = set()
    chosen: list[Finding] = []
    for finding in findings:
        edits = set(finding.fix.edits) if finding.fix else set()
        new = edits - taken
        if not any(_touch(edit, other) for edit in new for other in taken):
            taken |= new
            chosen.append(finding)
    return chosen


def _touch(one: Edit, other: Edit) -> bool:
    return one.start <= other.end and other.start <= one.end


def _applied(raw: bytes, edits: set[Edit]) -> bytes:
    source = decode(raw)
    try:
        after = source.edited(edits)
    except SourceError as error:
        raise _RefusedError(str(error)) from error
    try:
        parsed = parse_fast(decode(after)) is not None
    except SourceError:
        parsed = False
    if not parsed and parse_fast(source) is not None:
        raise _RefusedError("the fixed file would not parse")
    return after


def _compare(before: Sequence[Finding], now: Sequence[Finding], chosen: Sequence[Finding]) -> None:
    """Each fixed finding must be gone, and none be new."""
    allowed = Counter(finding.code for finding in before)
    gone = Counter(finding.code for finding in chosen)
    for code, number in Counter(finding.code for finding in now).items():
        if number > allowed[code]:
            raise _RefusedError(f"the fixed file would have a new finding, {code}")
        if number > allowed[code] - gone[code]:
            raise _RefusedError(f"a fixed finding of {code} would still be there")
