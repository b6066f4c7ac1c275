"""`cleanguard lm-eval`: lm-evaluation-harness' own command line over a guarded base model."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click

from cleanguard.cli.exit_codes import CANNOT_DO, CLEAN
from cleanguard.errors import JobError
from cleanguard.installing import install
from cleanguard.report.spoken import say


@click.command(
    "lm-eval",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, args: tuple[str, ...]) -> None:
    """Run lm-evaluation-harness with all its options; `--model cleanguard` is the default.

    Models are named by `--model_args pretrained=NAME`, beside keywords of CleanModelLoader. Results
    and samples get statements for `cleanguard verify`. Exit codes: 0 done, 2 it could not be done.
    """
    if find_spec("lm_eval") is None:
        raise JobError(f"lm-eval needs lm_eval: {install('harness')}")
    from stages.harnesses.lm_eval_arguments import read

    try:
        argv = read(args)
        # Only now: it imports torch, and help and misspelt options need none.
        from stages.harnesses.lm_eval_command import run_command

        notes = run_command(argv)
    except SystemExit as error:
        ctx.exit(CANNOT_DO if error.code else CLEAN)
    sys.stdout.flush()
    for note in notes:
        say(f"cleanguard: {note}", err=True)
