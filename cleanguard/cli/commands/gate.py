"""`cleanguard gate`: go or no-go before a GPU session, with the evidence in a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cleanguard.cli.exit_codes import CLEAN, FINDINGS
from cleanguard.cli.inputs import inputs_of
from cleanguard.cli.named import named_model
from cleanguard.cli.outputs import writable
from cleanguard.cli.overrides import Overrides
from cleanguard.cli.progress import waiting
from cleanguard.cli.quiet import quieten
from cleanguard.cli.report_options import configuration_options
from cleanguard.cli.writing import write_out
from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.installing import install
from cleanguard.report.counting import counted
from cleanguard.report.hidden import as_document, hidden_lines
from cleanguard.settings.config import Settings
from cleanguard.version import VERSION

if TYPE_CHECKING:
    from lint_rules._engine.compiling import Content

SCHEMA = "cleanguard.gate/1"
_MOST_TOLD = 20
Verdict = Literal["pass", "fail", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate.

    Attributes:
        name: `findings`, `compiles`, `versions`, `model`.
        verdict: How it ended.
        detail: In words.
    """

    name: str
    verdict: Verdict
    detail: str


@click.command("gate")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--model",
    metavar="ID",
    help="Load this model, guarded, with its sentinels: a folder, a hub id, or `tiny`.",
)
@click.option("--no-model", is_flag=True, help="Leave the model out; the gate says so.")
@click.option("--load-in-8bit", is_flag=True, help="Load the model in int8.")
@click.option("--load-in-4bit", is_flag=True, help="Load the model in nf4.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("gate.json"),
    show_default=True,
    help="Where the evidence is written.",
)
@configuration_options
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    model: str | None,
    no_model: bool,
    load_in_8bit: bool,
    load_in_4bit: bool,
    output: Path,
    config: tuple[str, ...],
    isolated: bool,
) -> None:
    """Check that PATHS have no error, that all compile, that the versions are known, and that the model passes.

    Exit codes: 0 go, 1 no-go, 2 the gate could not be held. In each case but the last the evidence is
    in gate.json, which a stage can record and require.
    """
    if (model is None) != no_model:
        raise click.UsageError("name the session's model with --model, or pass --no-model")
    _refuse_no_model(model)
    writable(output)
    found = inputs_of(paths, Overrides(config=config, isolated=isolated), notebooks=True)
    _refuse(found.problems)
    settings, files = found.settings, found.files
    contents = _read(files)
    checks = [_findings(files, settings), _compiles(contents)]
    with waiting("Measuring the session"):
        environment, versions = _environment()
    checks.append(versions)
    measured: dict[str, Any] | None = None
    if model is None:
        checks.append(Check("model", "skipped", "left out with --no-model"))
    else:
        measured, check = _model(model, load_in_8bit=load_in_8bit, load_in_4bit=load_in_4bit)
        checks.append(check)
    go = all(check.verdict != "fail" for check in checks)
    document = {
        "schema": SCHEMA,
        "cleanguard": VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "go": go,
        "checks": [asdict(check) for check in checks],
        "scripts": {content.name: content.sha256 for content in contents},
        "environment": environment,
        "model": measured,
    }
    write_out(
        output,
        as_document(json.loads(json.dumps(document, default=str))),
        "the gate's evidence cannot be written",
    )
    _show(checks, output, go=go)
    ctx.exit(CLEAN if go else FINDINGS)


def _refuse_no_model(model: str | None) -> None:
    """Refuse a path to nothing before scripts are checked and torch is imported.

    Raises:
        JobError: It is no directory and no hub id, so the gate cannot be held.
    """
    from guard.errors import ModelNotFoundError
    from guard.files.naming import refuse_no_model

    try:
        if model is not None:
            refuse_no_model(model)
    except ModelNotFoundError as error:
        raise JobError(str(error)) from None


def _read(files: Sequence[SourceFile]) -> list[Content]:
    """What the files hold.

    Raises:
        JobError: Some cannot be read, so nothing can be said about the session's scripts; it names them.
    """
    from lint_rules._engine.compiling import content_of
    from lint_rules._engine.each import Each, Unread

    found: list[Content] = []
    unread: list[str] = []
    with Each(content_of, "compiling") as each:
        for outcome in each.run(files):
            if isinstance(outcome, Unread):
                unread.append(f"{outcome.line}: {outcome.reason} (CG900)")
            else:
                found.append(outcome)
    _refuse(unread)
    return found


def _refuse(problems: Sequence[str]) -> None:
    """Hold no gate where there are problems.

    Raises:
        JobError: There are some; it names the first of them, and how many there are.
    """
    if not problems:
        return
    told = list(problems[:_MOST_TOLD])
    if len(problems) > _MOST_TOLD:
        told.append(f"and {len(problems) - _MOST_TOLD} more")
    raise JobError("\n".join([*told[:-1], f"{told[-1]}; the gate was not held"]))


def _findings(files: Sequence[SourceFile], settings: Settings) -> Check:
    from lint_rules._engine.pipeline import check_files

    run = check_files(files, settings, cached=False)
    _refuse(run.failures)
    errors = [item for item in run.findings if item.severity == "error"]
    detail = (
        f"{counted(len(errors), 'error')} and "
        f"{counted(len(run.findings) - len(errors), 'warning')} in {counted(len(files), 'file')}"
    )
    if errors:
        first = errors[0]
        place = f"cell {first.location.cell}:" if first.location.cell else ""
        detail += f"; first {first.filename}:{place}{first.location.row} {first.code}"
    return Check("findings", "fail" if errors else "pass", detail)


def _compiles(contents: Sequence[Content]) -> Check:
    for content in contents:
        if content.problem is not None:
            return Check("compiles", "fail", f"{content.name}: {content.problem}")
    return Check("compiles", "pass", f"{counted(len(contents), 'file')} compiled")


def _environment() -> tuple[dict[str, Any] | None, Check]:
    try:
        from guard.provenance.environment import measure_environment

        found = asdict(measure_environment())
    except ImportError as error:
        return None, _needs("versions", error)
    python = found.get("python") or sys.version.split()[0]
    return found, Check(
        "versions", "pass", f"Python {python}; libraries, CUDA and git state recorded"
    )


def _model(
    model: str, *, load_in_8bit: bool, load_in_4bit: bool
) -> tuple[dict[str, Any] | None, Check]:
    """Loads the model guarded: its sentinels and every other check of the load run on the way."""
    if not sys.stderr.isatty():  # in a terminal the bar of a large model is welcome
        quieten()
    try:
        from guard import CleanModelLoader
        from guard.errors import GuardError
    except ImportError as error:
        return None, _needs("model", error)
    try:
        loader = CleanModelLoader(
            named_model(model), load_in_8bit=load_in_8bit, load_in_4bit=load_in_4bit
        )
        provenance = loader.load().provenance.to_dict()
    except GuardError as error:
        return None, Check("model", "fail", str(error).splitlines()[0])
    held = provenance.get("checks", [])
    return provenance, Check(
        "model", "pass", f"{model} loaded guarded; {len(held)} checks of the load held"
    )


def _needs(name: str, error: ImportError) -> Check:
    """What is missing, and what brings it; the first package that was missed may be another's."""
    missing = [package for package in ("torch", "transformers") if find_spec(package) is None]
    what = ", ".join(missing) or error.name or "a package"
    verb = "are" if len(missing) > 1 else "is"
    return Check(name, "fail", f"{what} {verb} not installed: {install('guard')}")


def _show(checks: Sequence[Check], output: Path, *, go: bool) -> None:
    from cleanguard.report import styled
    from cleanguard.report.escaping import printable
    from cleanguard.report.styled import Line, Span

    colours = {"pass": "green", "fail": "bold red", "skipped": "yellow"}
    lines: list[Line] = [
        [
            Span(f"{check.verdict:<8}", colours[check.verdict]),
            Span(f"{check.name:<10}", "bold"),
            Span(printable(check.detail)),
        ]
        for check in checks
    ]
    word = "GO" if go else "NO-GO"
    lines += [
        [],
        [
            Span(
                f"{word}: the evidence is in {printable(str(output))}.",
                "bold green" if go else "bold red",
            )
        ],
    ]
    styled.write(hidden_lines(lines), sys.stdout)
