"""Suppression comments: `# cleanguard: ignore[CG201] reason` and `# cleanguard: ignore-file[CG101] reason`.

The first form stands on the first or the last line of a finding. One that suppresses nothing is a
finding itself (CG901): unused codes are removed by `--fix`, a malformed comment is left to a person.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cleanguard.catalogue.findings import Finding, Fix, Position
from cleanguard.catalogue.hazards import BY_CODE, BY_NAME, UNREADABLE, UNUSED_SUPPRESSION
from cleanguard.catalogue.selection import did_you_mean, hint
from cleanguard.editing.edits import Edit
from cleanguard.settings.comments import MARK, Directive, directives

LINE, FILE = "ignore", "ignore-file"

_FORM = re.compile(r"(?P<kind>[\w-]+)\s*(?:\[(?P<codes>[^\]]*)\](?P<reason>.*))?", re.DOTALL)
# Prose may mention the tool; what looks like an order to it must be one that it understands.
_ORDER = re.compile(r"(ignore|noqa|disable|skip|off|allow|type)\b|.*\bCG\d", re.IGNORECASE)
_NEVER = frozenset({UNREADABLE.code, UNUSED_SUPPRESSION.code})


@dataclass(frozen=True, slots=True)
class Suppression:
    """One comment that suppresses findings.

    Attributes:
        directive: Where it stands.
        kind: `ignore` or `ignore-file`.
        codes: The codes it names, in its order.
        reason: Why, as written.
    """

    directive: Directive
    kind: str
    codes: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A comment that was meant to suppress and does not, with what is wrong with it."""

    directive: Directive
    problem: str


def may_suppress(raw: bytes) -> bool:
    """Whether a file may hold suppression comments; one regular expression over its bytes."""
    return MARK.search(raw) is not None


def suppressed(
    findings: Sequence[Finding],
    text: str,
    filename: str,
    active: frozenset[str],
    require_reason: bool,
) -> tuple[Finding, ...]:
    """The findings that no comment suppresses, and a CG901 for each comment that does nothing.

    Args:
        findings: The findings of one file.
        text: Its source without a byte order mark.
        filename: The path as the report gives it.
        active: The codes that were looked for; a comment about another code may be needed elsewhere.
        require_reason: A comment without a reason is malformed.
    """
    parsed = [_parse(directive, require_reason) for directive in directives(text)]
    comments = [entry for entry in parsed if isinstance(entry, Suppression)]
    used: set[tuple[Suppression, str]] = set()
    kept: list[Finding] = []
    for finding in findings:
        comment = _match(finding, comments)
        if comment is None:
            kept.append(finding)
        else:
            used.add((comment, finding.code))
    if UNUSED_SUPPRESSION.code in active:
        for entry in parsed:
            if isinstance(entry, Malformed):
                kept.append(_finding(filename, entry.directive, entry.problem, None))
            elif entry is not None:
                kept += _unused(filename, entry, active, {c for s, c in used if s is entry})
    return tuple(kept)


def suppresses(text: str, require_reason: bool) -> Callable[[str, int, int], bool]:
    """Whether a comment of a source covers a code between two rows, the first and the last."""
    parsed = [_parse(directive, require_reason) for directive in directives(text)]
    comments = [entry for entry in parsed if isinstance(entry, Suppression)]
    return lambda code, first, last: _covering(code, (first, last), comments) is not None


def read_comment(directive: Directive) -> Suppression | Malformed | None:
    """What a comment means where no reason is asked for; None where it is prose."""
    return _parse(directive, require_reason=False)


def _match(finding: Finding, comments: Iterable[Suppression]) -> Suppression | None:
    return _covering(finding.code, (finding.location.row, finding.end_location.row), comments)


def _covering(
    code: str, rows: tuple[int, int], comments: Iterable[Suppression]
) -> Suppression | None:
    """The comment that covers a finding; one on its line goes before one for the file."""
    if code in _NEVER:
        return None
    whole: Suppression | None = None
    for comment in comments:
        if code in comment.codes:
            if comment.kind == LINE and comment.directive.row in rows:
                return comment
            if comment.kind == FILE and whole is None:
                whole = comment
    return whole


def _parse(directive: Directive, require_reason: bool) -> Suppression | Malformed | None:
    form = _FORM.match(directive.body)
    kind = form["kind"] if form else ""
    if form is None or kind not in (LINE, FILE):
        near = did_you_mean(kind, (LINE, FILE)) if kind else ""
        if not near and not _ORDER.match(directive.body):
            return None
        return Malformed(directive, f"{kind!r} is not a suppression{near or _HOW}")
    if form["codes"] is None:
        return Malformed(directive, f"the suppression names no code{_HOW}")
    codes: list[str] = []
    for word in re.split(r"[,\s]+", form["codes"].strip()):
        hazard = BY_CODE.get(word) or BY_NAME.get(word)
        if hazard is None:
            problem = f"{word!r} is not a hazard{hint(word)}" if word else f"no code{_HOW}"
            return Malformed(directive, f"the suppression does nothing: {problem}")
        if hazard.code in _NEVER:
            problem = f"{hazard.code} cannot be suppressed by a comment"
            return Malformed(directive, f"the suppression does nothing: {problem}")
        codes.append(hazard.code)
    reason = form["reason"].strip(" \t:,;-–—")
    if require_reason and not re.search(r"\w", reason):
        return Malformed(directive, "the suppression gives no reason, so it does nothing")
    return Suppression(directive, kind, tuple(codes), reason)


_HOW = "; write `# cleanguard: ignore[CG201] reason`"


def _unused(
    filename: str, comment: Suppression, active: frozenset[str], used: set[str]
) -> list[Finding]:
    unused = {
        code
        for code in comment.codes
        if code not in used and (code in active or not BY_CODE[code].linted)
    }
    if not unused:
        return []
    left = [code for code in dict.fromkeys(comment.codes) if code not in unused]
    directive = comment.directive
    if left:
        text = f"# cleanguard: {comment.kind}[{', '.join(left)}] {comment.reason}".rstrip()
        edit = Edit(directive.start, directive.end, text)
    else:
        edit = Edit(*directive.cut)
    names = ", ".join(sorted(unused))
    where = "in this file" if comment.kind == FILE else "on this line"
    fix = Fix("safe", f"remove {names}" if left else "remove the comment", (edit,))
    return [_finding(filename, directive, f"unused suppression: no {names} {where}", fix)]


def _finding(filename: str, directive: Directive, message: str, fix: Fix | None) -> Finding:
    return Finding(
        hazard=UNUSED_SUPPRESSION,
        severity=UNUSED_SUPPRESSION.severity,
        confidence="followed",
        filename=filename,
        location=Position(directive.row, directive.column),
        end_location=Position(directive.row, directive.column + directive.length),
        message=message,
        remedy=UNUSED_SUPPRESSION.remedy if fix else "mend the comment, or remove it",
        fix=fix,
    )
