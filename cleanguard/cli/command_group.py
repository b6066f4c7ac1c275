"""The command group. A command's module is imported when it is called, so that start-up stays fast."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import click

from cleanguard.cli.shadowing import refuse_strangers
from cleanguard.errors import JobError
from cleanguard.version import VERSION

COMMANDS = {
    "check": "Find hazards in Python files.",
    "trace": "Run a script as it is, and say what reached the models.",
    "migrate": "Rewrite hazards into CleanModelLoader calls.",
    "status": "Say which scripts are clean, pending, migrated or excluded.",
    "gate": "Go or no-go before a GPU session, with the evidence in a file.",
    "verify": "Check that files of results are what their statements say.",
    "sign": "Sign the statements of files with a local key.",
    "env": "Print the session's versions, devices and git state as JSON.",
    "baseline": "Enter today's findings, so that a check reports only new ones.",
    "explain": "Say what a hazard is, why it matters and what to do.",
    "lsp": "Show findings in an editor while a file is written.",
    "completion": "Print a script that makes a shell complete commands and codes.",
    "doctor": "Say what a model is: base or chat, BOS, surprises.",
    "run": "Run a stage: generation, fine-tuning, preference training.",
    "lm-eval": "Run lm-evaluation-harness over a guarded base model.",
    "compare": "Compare any number of evaluations in one table and one page.",
    "demo": "Show check, migrate and a guarded run on a small built-in model.",
}


class ReaderLeft(Exception):  # noqa: N818 - an event, like KeyboardInterrupt
    """Nobody reads the output any more, as in `cleanguard check | head`."""


class LazyGroup(click.Group):
    """Finds each command as the attribute `command` of the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        refuse_strangers()
        _refuse_no_folder()
        command = import_module(f"cleanguard.cli.commands.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; click itself would answer a closed pipe with 1, which says "findings"."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderLeft from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Propose the nearest command for an unknown one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from cleanguard.catalogue.selection import did_you_mean

            ctx.fail(f"No such command {args[0]!r}{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


def _refuse_no_folder() -> None:
    try:
        os.getcwd()  # noqa: PTH109 - asked for whether it is there
    except OSError:
        raise JobError(
            "the folder that this was started in is gone; go to one that is there"
        ) from None


def _debug(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        os.environ["CLEANGUARD_DEBUG"] = "1"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "-V", "--version", prog_name="cleanguard")
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_debug,
    help="Show the traceback of an internal error.",
)
def group() -> None:
    """Keep base language models clean: find, rewrite and block chat-template contamination.

    Exit codes: 0 clean, 1 findings, 2 the job could not be done.
    """
