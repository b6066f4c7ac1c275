"""`cleanguard trace`: run a script as it is, and say what reached the models."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.selection import UnknownSelectorError
from cleanguard.cli.checking.known import Known
from cleanguard.cli.checking.output import Output, colour_of, sources_of
from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN, FINDINGS
from cleanguard.cli.tracing.options import TraceCommand, TraceOptions, trace_options
from cleanguard.cli.tracing.running import run
from cleanguard.cli.tracing.target import target_of
from cleanguard.cli.writing import write_out
from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.installing import install
from cleanguard.report.spoken import put, say
from cleanguard.settings.config import Settings, load_settings
from guard.tracing import document
from guard.tracing.findings import findings_of, placed, traced_codes
from guard.tracing.gathering import Gathered, gather


@click.command("trace", cls=TraceCommand, context_settings={"ignore_unknown_options": False})
@trace_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Run SCRIPT (or `-m MODULE`, `-c CODE`, a notebook) as it is, and report what reached the models.

    Everything from SCRIPT on belongs to the script. Loads, tokenizer calls, prompts, generations,
    training batches and saves are watched; nothing is changed or refused. The report goes to standard
    error. Exit codes: the script's own if it is not 0, else 1 with findings, else 0; 2 if nothing
    could be run.
    """
    options = TraceOptions(**given)
    with tempfile.TemporaryDirectory(prefix="cleanguard-trace-") as scratch:
        ctx.exit(_trace(options, Path(scratch)))


def _trace(options: TraceOptions, scratch: Path) -> int:
    target = target_of(options.script, scratch)
    settings = _settings(options, target.start)
    active = _active(settings)
    known = Known(options.baseline, settings, active)
    for file in (options.output_file, options.save):
        _need_writable(file)
    if find_spec("transformers") is None:
        raise JobError(
            "trace watches transformers, which is not installed here: " + install("guard")
        )
    folder = Path.cwd()
    pid, script_exit = run(target.python, scratch, settings)
    gathered = gather(scratch)
    if all(process["pid"] != pid for process in gathered.processes):
        say("cleanguard: the script's process was not watched; nothing can be said", err=True)
        return script_exit or CANNOT_DO
    findings = findings_of(gathered, settings, folder)
    files = _files(gathered, folder)
    findings = known.without(findings, files, stale=False)
    left = FINDINGS if findings and not options.exit_zero else CLEAN
    if gathered.failed and left == CLEAN:  # what was lost may have been a finding
        left = CANNOT_DO
    code = script_exit or left
    if options.as_json or options.save:
        text = document.dump(
            document.document(
                gathered,
                findings,
                command=target.shown,
                folder=folder,
                script_exit=script_exit,
                exit_code=code,
            )
        )
        if options.save:
            write_out(options.save, text, "cannot write the report")
        if options.as_json and options.output_file:
            write_out(options.output_file, text, "cannot write the report")
        elif options.as_json:
            put(text, err=True)
    if not options.as_json:
        _report(options, findings, files, gathered)
    return code


def _report(
    options: TraceOptions,
    findings: Sequence[Finding],
    files: Sequence[SourceFile],
    gathered: Gathered,
) -> None:
    colour = colour_of(options.color)
    output = Output(options.output_format, options.output_file, options.statistics, colour)
    output.print(findings, len(files), sources_of(files), sys.stderr)
    if options.output_format in ("full", "concise") and options.output_file is None:
        for line in summary(gathered):
            say(f"cleanguard: {line}", err=True)


_COUNTED = {
    "load": ("load", "loads"),
    "encode": ("tokenizer call", "tokenizer calls"),
    "render": ("rendered chat", "rendered chats"),
    "prefill": ("forward pass over a prompt or batch", "forward passes over prompts or batches"),
    "generate": ("generation", "generations"),
    "batch": ("training batch", "training batches"),
    "save": ("save", "saves"),
}


def summary(gathered: Gathered) -> list[str]:
    """What was watched, and what could not be, in a few lines."""
    seen = [
        f"{number} {one if number == 1 else many}"
        for kind, (one, many) in _COUNTED.items()
        if (number := gathered.count(kind))
    ]
    processes = len(gathered.processes)
    where = f" in {processes} processes" if processes > 1 else ""
    said = f"saw {', '.join(seen)}{where}" if seen else "the script used no model and no tokenizer"
    lines = [said]
    if gathered.training:
        counts = ", ".join(f"{number} {what}" for what, number in gathered.training.items())
        lines.append(f"training rows: {counts}")
    return [*lines, *(f"not seen: {what}" for what in gathered.unseen)]


def _settings(options: TraceOptions, start: Path) -> Settings:
    overrides = options.overrides
    if options.isolated:
        return overrides.on(Settings(root=start if start.is_dir() else start.parent))
    return overrides.on(load_settings(start, overrides.config_file))


def _active(settings: Settings) -> frozenset[str]:
    try:
        active = traced_codes(settings)
    except UnknownSelectorError as error:
        raise JobError(str(error)) from None
    if not active:
        chosen = ", ".join(settings.select)
        raise JobError(
            f"a trace sees none of {chosen}; `cleanguard explain CODE` says who reports it"
        )
    return active


def _need_writable(file: Path | None) -> None:
    """Say before the script runs, which may take hours, that its report has no place."""
    if file is None:
        return
    if not file.absolute().parent.is_dir():
        raise JobError(f"{file}: cannot write the report: there is no folder {file.parent}")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise JobError(f"{file}: cannot write the report: permission denied")


def _files(gathered: Gathered, folder: Path) -> list[SourceFile]:
    """The person's files that called something that is watched, or hold a finding."""
    names = dict.fromkeys(
        placed(seen.site, folder)[0] for seen in (*gathered.facts, *gathered.reached)
    )
    return [SourceFile(name, folder / name) for name in names]
