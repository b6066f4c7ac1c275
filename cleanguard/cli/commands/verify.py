"""`cleanguard verify`: check that files of results are what their statements say."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli.progress import waiting
from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from cleanguard.report.escaping import printable
from cleanguard.report.hidden import as_document, hidden_lines
from cleanguard.report.spoken import put, say
from cleanguard.report.styled import Line, Span, width_of, wrapped, write

if TYPE_CHECKING:
    from guard.records.verification import Problem, Verdict

_SHOWN = 20  # problems per file in text; JSON has them all


@click.command("verify")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--allow",
    multiple=True,
    metavar="KIND",
    help="Accept this kind of problem, such as lifted-guard; may be repeated.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="PEM",
    help="Public key that every statement must be signed with; see `cleanguard sign`.",
)
@click.option(
    "--output-format",
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the verdicts.",
)
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    allow: tuple[str, ...],
    key: Path | None,
    output_format: str,
) -> None:
    """Check that every record of FILES traces to a clean load and that nothing was edited.

    A file is compared with the statement beside it (FILE.intoto.json); naming that one means the
    same. Exit codes: 0 all is well, 1 something is wrong with a file, 2 a file cannot be read.

    The digests show what was changed by mistake or by hand. Somebody who computes them all anew is
    found out by a signature only: sign the statements (`cleanguard sign`) and verify with `--key`.
    """
    from guard.errors import GuardError
    from guard.records.statement import file_of
    from guard.records.verification import KINDS, verify_file

    unknown = [kind for kind in allow if kind not in KINDS]
    if unknown:
        raise JobError(f"--allow {unknown[0]}: the kinds are {', '.join(KINDS)}")
    if key is not None:
        from guard.records.signing import refuse_no_key

        try:
            refuse_no_key(key)
        except GuardError as error:
            raise JobError(str(error)) from None
    verdicts, unreadable = [], []
    for name in dict.fromkeys(str(file_of(Path(name))) for name in files):
        try:
            with waiting(f"Verifying {printable(name)}"):
                verdicts.append(verify_file(Path(name), key))
        except IsADirectoryError:
            inside = f"{name.rstrip('/')}/*.jsonl"
            unreadable.append(f"{name} cannot be read: it is a folder; name its files: {inside}")
        except OSError as error:
            unreadable.append(f"{name} cannot be read: {error.strerror or error}")
        except GuardError as error:
            raise JobError(str(error)) from error
    if output_format == "json":
        put(as_document([_as_object(v, allow) for v in verdicts]))
    else:
        write(hidden_lines(_text(verdicts, allow)), sys.stdout)
    for said in unreadable:
        say(f"cleanguard: {said}", err=True)
    faulty = any(_counted(verdict, allow) for verdict in verdicts)
    ctx.exit(CANNOT_DO if unreadable else FINDINGS if faulty else CLEAN)


def _counted(verdict: Verdict, allow: Sequence[str]) -> list[Problem]:
    return [problem for problem in verdict.problems if problem.kind not in allow]


def _as_object(verdict: Verdict, allow: Sequence[str]) -> dict[str, object]:
    return {
        "filename": verdict.path,
        "ok": not _counted(verdict, allow),
        "records": verdict.records,
        "runs": verdict.runs,
        "models": list(verdict.models),
        "problems": [
            {
                "kind": problem.kind,
                "code": problem.code,
                "row": problem.line,
                "key": problem.key,
                "message": problem.reason,
                "allowed": problem.kind in allow,
            }
            for problem in verdict.problems
        ],
        "notes": list(verdict.notes),
    }


def _text(verdicts: Sequence[Verdict], allow: Sequence[str]) -> Iterator[Line]:
    width = width_of(sys.stdout)
    for verdict in verdicts:
        counted = _counted(verdict, allow)
        name = printable(verdict.path)
        if counted:
            yield [Span("error ", "bold red"), Span(name, "bold"), Span(f": {_size(verdict)}")]
        else:
            yield [Span("ok ", "bold green"), Span(name, "bold"), Span(f": {_size(verdict)}")]
        for problem in counted[:_SHOWN]:
            where = "" if problem.line is None else f" line {problem.line}"
            key = "" if problem.key is None else f" {printable(problem.key)!r}"
            head = [Span("  "), Span(problem.kind, "red"), Span(f"{where}{key}: ")]
            yield from wrapped(head, printable(problem.reason), width)
        if len(counted) > _SHOWN:
            yield [Span(f"  … and {len(counted) - _SHOWN} more; --output-format json has them all")]
        allowed = len(verdict.problems) - len(counted)
        if allowed:
            yield [Span(f"  {allowed} allowed: {', '.join(sorted(set(allow)))}", "dim")]
        # Loads of one model beside its adapters have the same to say.
        for note, times in Counter(verdict.notes).items():
            again = f" ({times} loads)" if times > 1 else ""
            yield from wrapped([Span("  note: ", "cyan")], f"{printable(note)}{again}", width)


def _size(verdict: Verdict) -> str:
    made = f"{', '.join(printable(model) for model in verdict.models) or 'no load known'}"
    runs = counted(verdict.runs, "run")
    if verdict.records is None:
        return f"{made}, {runs}" if verdict.runs else made
    return f"{counted(verdict.records, 'record')}, {runs}, {made}"
