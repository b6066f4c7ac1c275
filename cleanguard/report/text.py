"""Findings for people: `full` with the code in question, `concise` with one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from cleanguard.catalogue.findings import Applicability, Finding
from cleanguard.catalogue.fingerprints import Sources
from cleanguard.catalogue.hazards import BY_CODE
from cleanguard.report.counting import counted
from cleanguard.report.escaping import printable
from cleanguard.report.styled import Line, Span, columns, wrapped

_COLOUR = {"error": "bold red", "warning": "bold yellow"}
_COMMANDS: dict[Applicability, str] = {
    "safe": "can be rewritten: `cleanguard check --fix`",
    "unsafe": "can be rewritten: `cleanguard check --unsafe-fixes`, which may change results",
    # How many it rewrites, only the plan knows.
    "migrate": "for `cleanguard migrate`, which shows what it rewrites and leaves to you",
}
_TAB = 4


def concise(findings: Sequence[Finding]) -> list[Line]:
    """One line for each finding: `path:row:column: CODE [*] message`, `path:cell N:row:column` in a notebook."""
    return [
        [*_place(finding), Span(": "), *_code(finding), Span(_message(finding))]
        for finding in findings
    ]


def grouped(findings: Sequence[Finding]) -> list[Line]:
    """The findings under the name of their file, in columns."""
    lines: list[Line] = []
    for name, group in groupby(findings, key=lambda finding: finding.filename):
        own = list(group)
        widest = max(len(str(finding.location)) for finding in own)
        lines.append([Span(printable(name), "bold"), Span(":")])
        lines += [
            [
                Span(f"  {finding.location!s:<{widest}} ", "cyan"),
                *_code(finding),
                Span(_message(finding)),
            ]
            for finding in own
        ]
        lines.append([])
    return lines


def full(findings: Sequence[Finding], sources: Sources, width: int | None) -> list[Line]:
    """A block for each finding: message, place, code, remedy.

    Args:
        findings: In the order to print.
        sources: The lines of a finding's file, or cell; none where it cannot be read.
        width: Columns to wrap at, None to leave messages on one line.
    """
    lines: list[Line] = []
    for finding in findings:
        head = [Span(finding.severity, _COLOUR[finding.severity]), Span(" "), *_code(finding)]
        lines += wrapped(head, _message(finding), width, "bold")
        frame = _frame(finding, sources(finding), width)
        gutter = " " * (len(str(finding.location.row)) if frame else 1)
        lines.append([Span(f"{gutter}--> ", "blue"), *_place(finding)])
        lines += frame
        lines += wrapped([Span(f"{gutter} = ", "blue")], printable(finding.remedy), width)
        lines.append([])
    return lines


def summary(findings: Sequence[Finding], checked: int, width: int | None) -> list[Line]:
    """What was found in how many files, and what can be rewritten by which command."""
    if not findings:
        return [[Span(f"No hazards found in {counted(checked, 'file')}.", "bold green")]]
    errors = sum(finding.severity == "error" for finding in findings)
    files = len({finding.filename for finding in findings})
    found = (
        f"Found {counted(len(findings), 'finding')}"
        f" ({counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')})"
        f" in {files} of {counted(checked, 'file')}."
    )
    lines = wrapped([], found, width, "bold")
    for applicability, command in _COMMANDS.items():
        number = sum(_offers(finding, applicability) for finding in findings)
        if number:
            can = f"{number} {command}."
            lines += wrapped([Span("[*] ", "cyan")], can, width)
    return lines


def fixed(codes: Mapping[str, int], verb: str) -> list[Line]:
    """What `--fix` did, or `--diff` would do: nothing where it is nothing."""
    total = sum(codes.values())
    if not total:
        return []
    parts = ", ".join(f"{number} {code}" for code, number in sorted(codes.items()))
    return [[Span(f"{verb} {counted(total, 'finding')} ({parts}).", "bold")]]


def fixed_in(names: Mapping[str, Mapping[str, int]]) -> list[Line]:
    """Which fixes were made in which file."""
    lines: list[Line] = []
    for name, codes in sorted(names.items()):
        if codes:
            lines.append([Span(f"  {printable(name)}:", "bold")])
            lines += [
                [Span(f"    {number} × {code} ({BY_CODE[code].name})")]
                for code, number in sorted(codes.items())
            ]
    return lines


def _offers(finding: Finding, applicability: Applicability) -> bool:
    return finding.fix is not None and finding.fix.applicability == applicability


def _code(finding: Finding) -> list[Span]:
    mark = [Span("[*] ", "cyan")] if finding.fix else []
    return [Span(f"{finding.code} ", _COLOUR[finding.severity]), *mark]


def _message(finding: Finding) -> str:
    return printable(finding.message)


def _place(finding: Finding) -> list[Span]:
    return [Span(printable(finding.filename), "bold"), Span(f":{finding.location}", "cyan")]


def _frame(finding: Finding, source: Sequence[str], width: int | None) -> list[Line]:
    """The first line of the finding with its place marked; nothing where the line is not there."""
    start, end = finding.location, finding.end_location
    if not 1 <= start.row <= len(source):
        return []
    line = source[start.row - 1].rstrip()
    until = end.column - 1 if end.row == start.row else len(line)
    before, marked, after = (
        _shown(part)
        for part in (line[: start.column - 1], line[start.column - 1 : until], line[until:])
    )
    room = width and width - len(str(start.row)) - 3
    before = _scrolled(before, columns(marked), room)
    code = _cropped(before + marked + after, room)
    number = str(start.row)
    gutter = " " * len(number)
    indent = min(columns(before), columns(code) - 1)
    carets = "^" * max(1, min(columns(marked), columns(code) - indent))
    return [
        [Span(f"{gutter} |", "blue")],
        [Span(f"{number} | ", "blue"), Span(code)],
        [
            Span(f"{gutter} | ", "blue"),
            Span(" " * indent),
            Span(carets, _COLOUR[finding.severity]),
        ],
    ]


def _shown(code: str) -> str:
    from cleanguard.secrets.redaction import redact_text

    return printable(redact_text(code, ()).replace("\t", " " * _TAB))


def _scrolled(before: str, marked: int, room: int | None) -> str:
    """What stands before the marked part, with its beginning cut where that would push it out of sight."""
    if room is None or columns(before) + min(marked, room // 2) < room:
        return before
    while before and columns(before) > room // 4:
        before = before[1:]
    return "…" + before


def _cropped(code: str, room: int | None) -> str:
    if room is None or columns(code) <= room:
        return code
    while code and columns(code) > room - 1:
        code = code[:-1]
    return code + "…"
