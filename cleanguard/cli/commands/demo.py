"""`cleanguard demo`: the whole road on 15 real-looking scripts and the small built-in model."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cleanguard.catalogue.findings import Finding
from cleanguard.cli.checking.with_trace import compared, read_trace
from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN
from cleanguard.cli.migrating import plan_report as plan_report
from cleanguard.cli.showing import demo_acts as acts
from cleanguard.cli.showing import demo_chain as chain
from cleanguard.cli.showing import demo_trace as traces
from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.report import styled
from cleanguard.report.counting import counted
from cleanguard.report.styled import Line, Span
from cleanguard.settings.config import Settings

if TYPE_CHECKING:
    from codemods.migration import Migration

_PIPE = 80
_WIDEST = 160
_PROMPTS_SHOWN = 5
_TRACED_SHOWN = 6
_GROUPS = {"CG1": "load", "CG2": "token", "CG3": "gener", "CG4": "train", "CG5": "numb."}


def _width() -> int:
    """The columns of the terminal, and 80 for a pipe."""
    return min(styled.width_of(sys.stdout) or _PIPE, _WIDEST)


@click.command("demo")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Work in this new folder and leave it behind.",
)
@click.option(
    "--full",
    is_flag=True,
    help="End with `cleanguard run chain`: data, fine-tuning, pairs, preferences, evaluation.",
)
@click.pass_context
def command(ctx: click.Context, keep: Path | None, full: bool) -> None:
    """Check, migrate and run 15 legacy scripts in a temporary folder, on a small built-in model.

    Needs no network and takes under a minute, with `--full` under two. Exit codes: 0 the texts are
    the same before and after (and with `--full` each training step is shown to help), 2 they are
    not, or something is missing.
    """
    if keep is not None and keep.exists():
        raise JobError(f"{keep}: already there; name a new folder")
    acts.need_extras(full=full)
    if keep is not None:
        keep.mkdir(parents=True)
        good = _show(keep.resolve(), full, keep)
    else:
        with tempfile.TemporaryDirectory(prefix="cleanguard-demo-") as folder:
            good = _show(Path(folder), full, None)
    ctx.exit(CLEAN if good else CANNOT_DO)


def _show(folder: Path, full: bool, kept: Path | None) -> bool:
    same = _show_scripts(folder)
    return _show_chain(folder, kept) and same if full else same


def _show_chain(folder: Path, kept: Path | None) -> bool:
    _title("9", "cleanguard run chain: from nothing to an evaluated adapter")

    def begun(stage: str) -> None:
        _print([[Span(f"   {stage} …", "dim")]])

    ran = chain.run_chain(folder, begun)
    _print([[], *(line for text in ran.lines for line in styled.wrapped([], text, _width()))])
    where = (
        f"The report with its plots: {kept / chain.REPORT}"
        if kept
        else "With --keep FOLDER its report stays to be looked at."
    )
    verdict = (
        f"Each training step helps, shown on {counted(ran.items, 'item')} in {counted(ran.clusters, 'cluster')}."
        if ran.better
        else "NOT EVERY TRAINING STEP IS SHOWN TO HELP."
    )
    style = "bold green" if ran.better else "bold red"
    _print([[], *styled.wrapped([], where, _width()), [Span(verdict, style)]])
    return ran.better


def _show_scripts(folder: Path) -> bool:
    old, new = acts.copy_scripts(folder)
    _title("1", f"cleanguard check: {len(acts.scripts_in(old))} scripts as a team wrote them")
    _print(_findings_table(acts.check(old), acts.scripts_in(old)))

    _title("2", f"cleanguard trace {acts.EXAMPLE}: what it really does")
    _print(_traced(old, traces.trace_example(old)))

    plans = acts.plan(new)
    example = next(plan for plan in plans if plan.filename == acts.EXAMPLE)
    _title("3", f"cleanguard migrate: the diff of {acts.EXAMPLE}")
    _print(_cropped(plan_report.diff(example)))

    if not example.changed:
        raise JobError(
            f"{acts.EXAMPLE} was not migrated: {example.refusal or 'nothing to rewrite'}"
        )
    acts.write(plans, new)
    _title("4", "cleanguard migrate --write: rewritten, and what is left to a person")
    _print(plan_report.table(plans, _width()))
    _print(_left(plans))

    _title("5", "cleanguard check again, and does everything compile?")
    _print(_again(acts.check(new), acts.compiled(new)))

    _title("6", f"{acts.EXAMPLE} on the built-in model, before and after")
    before, after = acts.run_example(old), acts.run_example(new)
    _print(_comparison(before, after))

    _title("7", "where one of these texts came from")
    record = acts.guarded_record(after.texts[0])
    _print([line for text in record.lines for line in _wrapped_json(text)])
    _title("8", "and a chat prompt, by whatever road it comes")
    _print(styled.wrapped([], record.refusal.replace("\n", " "), _width()))
    same = before.texts == after.texts and before.scores == after.scores and record.same
    verdict = (
        "The migrated script gives the same texts and scores." if same else "THE RESULTS DIFFER."
    )
    _print([[], [Span(verdict, "bold green" if same else "bold red")]])
    return same


def _title(number: str, text: str) -> None:
    _print([[], [Span(f"── {number}  {text} ", "bold cyan")], []])


def _print(lines: Sequence[Line]) -> None:
    styled.write(lines, sys.stdout)
    sys.stdout.flush()


def _findings_table(findings: Sequence[Finding], names: Sequence[str]) -> list[Line]:
    room = _width() - 6 * len(_GROUPS)
    heads = "".join(f"{title:>6}" for title in _GROUPS.values())
    lines: list[Line] = [[Span(f"{'findings about':<{room}}{heads}", "bold")]]
    for name in names:
        own = [finding.code[:3] for finding in findings if finding.filename == name]
        counts = [Span(f"{own.count(group) or '·':>6}", "red") for group in _GROUPS]
        lines.append([Span(f"{_short(name, room):<{room}}"), *counts])
    errors = sum(finding.severity == "error" for finding in findings)
    total = f"{errors} errors, {len(findings) - errors} warnings; "
    return [*lines, [], [Span(f"{total}`cleanguard explain CG201` says why one matters.", "bold")]]


def _traced(folder: Path, saved: Path) -> list[Line]:
    """What check said of the example, held against the run."""
    files = [SourceFile(acts.EXAMPLE, folder / acts.EXAMPLE)]
    of_check = [found for found in acts.check(folder) if found.filename == acts.EXAMPLE]
    findings = compared(of_check, [read_trace(saved)], files, Settings())
    traced = [(found, found.traced) for found in findings if found.traced is not None]
    lines: list[Line] = []
    for found, said in [pair for pair in traced if pair[1].message][:_TRACED_SHOWN]:
        lines.append([Span(f"{acts.EXAMPLE}:{found.location} {found.code}", "blue")])
        lines += styled.wrapped([Span("    ")], said.message, _width())
    statuses = Counter(str(said.status) for _, said in traced)
    counts = ", ".join(f"{number} {status}" for status, number in statuses.items())
    told = f"What check said of it, held against this run: {counts}."
    return [*lines, [], *styled.wrapped([], told, _width(), "bold")]


def _short(name: str, room: int) -> str:
    return name if len(name) <= room else f"{name[: room - 9]}…{name[-8:]}"


def _cropped(lines: Iterator[Line]) -> list[Line]:
    """Lines cut at the width: a diff's line says enough at its start."""
    cut: list[Line] = []
    for line in lines:
        [span] = line
        text = span.text if len(span.text) <= _width() else span.text[: _width() - 1] + "…"
        cut.append([Span(text, span.style)])
    return cut


def _left(plans: Sequence[Migration]) -> list[Line]:
    lines: list[Line] = []
    for plan in plans:
        for site in plan.manual:
            lines.append([Span(f"{plan.filename}:{site.row} ", "blue"), Span(site.code, "bold")])
            lines += styled.wrapped([Span("    ")], site.reason or "", _width())
    return [[], *lines] if lines else []


def _again(findings: Sequence[Finding], compiled: int) -> list[Line]:
    lines: list[Line] = [
        [Span(f"{finding.filename}:{finding.location.row}: {finding.code} {finding.name}")]
        for finding in findings
    ]
    lines.append(
        [Span(f"{counted(len(findings), 'finding')} left; all {compiled} scripts compile.", "bold")]
    )
    return lines


def _comparison(before: acts.Run, after: acts.Run) -> list[Line]:
    pairs = list(zip(before.texts, after.texts, strict=True))
    lines: list[Line] = []
    for old, new in pairs[:_PROMPTS_SHOWN]:
        mark = Span("same  ", "green") if old == new else Span("DIFFERS  ", "bold red")
        shown = f"{old.prompt!r} → {new.text!r}"
        lines.append(
            [mark, Span(shown if len(shown) <= _width() - 6 else shown[: _width() - 7] + "…")]
        )
    equal = sum(old == new for old, new in pairs)
    total = f"{equal} of {len(pairs)} texts are the same."
    return [
        *lines,
        [],
        [Span(f"before: score {before.scores}; {before.seconds:.0f} s")],
        [Span(f"after:  score {after.scores}; {after.seconds:.0f} s")],
        [Span(total, "bold")],
    ]


def _wrapped_json(text: str) -> list[Line]:
    body = text.lstrip()
    return styled.wrapped([Span(" " * (len(text) - len(body)))], body, _width())
