"""`cleanguard run STAGE`: generation and training, each stage with its own configuration."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from cleanguard.catalogue.selection import did_you_mean
from cleanguard.cli.exit_codes import CLEAN, FINDINGS, INTERRUPTED
from cleanguard.cli.quiet import quieten
from cleanguard.errors import JobError
from cleanguard.report.spoken import put, say, spelt
from stages.config import Option, as_plain, as_toml, options_of, resolve
from stages.config.resolve import DEFAULT_PRESET
from stages.folder import refuse_unusable
from stages.processes.ranks import leave, rank, world_size
from stages.registry import BY_NAME, STAGES, Stage
from stages.training.launch import LAUNCH_FILES, launch_file


class StageGroup(click.Group):
    """Builds a stage's command, options included, when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The stages in the order in which one runs them."""
        return list(BY_NAME)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one stage's configuration and make its command."""
        stage = BY_NAME.get(cmd_name)
        return None if stage is None else _command(stage)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the stages without importing them."""
        with formatter.section("Stages"):
            formatter.write_dl([(stage.name, stage.summary) for stage in STAGES])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Propose the nearest stage for an unknown one."""
        if args and args[0] not in BY_NAME and not args[0].startswith("-"):
            near = did_you_mean(args[0], BY_NAME) or f"; the stages are {', '.join(BY_NAME)}"
            ctx.fail(f"There is no stage {args[0]!r}{near}")
        return super().resolve_command(ctx, args)


class _StageCommand(click.Command):
    """Proposes the nearest option by cleanguard's own rule, sections included.

    Its help tells what would run with the preset, file or model that stand beside `--help`.
    """

    def __init__(self, stage: Stage, **options: Any) -> None:
        super().__init__(stage.name, **options)
        self.stage = stage

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = [_hyphened(arg) for arg in args]
        try:
            if "--help" in args:
                self._suit(self.make_parser(ctx).parse_args(list(args))[0])
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [name for param in self.params for name in param.opts]
            wanted = error.option_name.lstrip("-")
            ends = [name for name in known if name.rpartition(".")[2] == wanted]
            near = (
                f"; did you mean {ends[0]!r}?" if ends else did_you_mean(error.option_name, known)
            )
            raise click.UsageError(f"No such option {error.option_name!r}{near}", ctx) from None

    def _suit(self, given: Mapping[str, Any]) -> None:
        """Put what would run into the help, if something that decides it was given; raises ConfigError."""
        file, preset, model = (given.get(name) for name in ("_file", "_preset", "o_model__id"))
        if file is None and preset is None and model is None:
            return
        config: Any = resolve(
            self.stage.config, self.stage.presets,
            file=Path(file) if file else None, preset=preset,
            overrides={"model.id": model} if model else None,
        )  # fmt: skip
        named = {"--preset": preset, "--config": file, "--model.id": model}
        words = " ".join(f"{name} {value}" for name, value in named.items() if value)
        self.help = f"{self.stage.summary}\n\nIn brackets stands what runs with {words}."
        self.params = _options(self.stage, as_plain(config), alone=True)


def _print_launch_file(ctx: click.Context, param: click.Parameter, name: str | None) -> None:
    if name is not None:
        put(f"{launch_file(name)}\n")
        ctx.exit(CLEAN)


@click.group("run", cls=StageGroup)
@click.option(
    "--launch-file",
    type=click.Choice(LAUNCH_FILES),
    is_eager=True,
    expose_value=False,
    callback=_print_launch_file,
    help="Print the path of a shipped configuration: fsdp for accelerate, zero2 and zero3 for DeepSpeed.",
)
def command() -> None:
    """Run a stage: data generation, fine-tuning, preference training, evaluation.

    Every stage runs on the small built-in model as it is; `--preset` or `--config` take another one.
    A run that was stopped goes on where it was. Exit codes: 0 done, 1 a check failed, 2 it could not
    be done.
    """


def _command(stage: Stage) -> click.Command:
    usual = as_plain(resolve(stage.config, stage.presets))

    def carry_out(
        _file: Path | None, _preset: str | None, _show: bool, **given: str | None
    ) -> None:
        overrides = {
            one.key: text
            for one in options_of(stage.config)
            if (text := given[_variable(one)]) is not None
        }
        config: Any = resolve(
            stage.config, stage.presets, file=_file, preset=_preset, overrides=overrides
        )
        if _show:
            put(as_toml(config))
            return
        click.get_current_context().exit(_run(stage, config))

    return _StageCommand(
        stage,
        params=_options(stage, usual, alone=False),
        callback=carry_out,
        help=f"{stage.summary}\n\n{_HELP}" if DEFAULT_PRESET in stage.presets else stage.summary,
        context_settings={"max_content_width": 100},
    )


def _options(stage: Stage, runs: Mapping[str, Any], *, alone: bool) -> list[click.Parameter]:
    """The options of a stage.

    Args:
        stage: The stage.
        runs: What runs without them.
        alone: Do not say beside it what would run with another model.
    """
    return [
        click.Option(
            ["--config", "_file"],
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Settings in TOML or YAML; options win over them.",
        ),
        click.Option(
            ["--preset", "_preset"],
            metavar="NAME",
            help=f"Settings to begin with: {', '.join(stage.presets)}.",
        ),
        click.Option(
            ["--show-config", "_show"], is_flag=True, help="Print the settings as TOML and stop."
        ),
        *(_click_option(one, runs, alone=alone) for one in options_of(stage.config)),
    ]


def _click_option(one: Option, usual: Mapping[str, Any], *, alone: bool) -> click.Option:
    """An option whose help ends in what would run without it, and in what would with another model."""
    kind = "LIST" if one.many else "|".join(one.choices) or _METAVARS[one.kind]
    found: Any = usual
    for part in one.key.split("."):
        found = found[part]
    runs, otherwise = _shown(one, found), _shown(one, one.default)
    other = runs != otherwise and not alone
    differs = f"; {otherwise or 'unset'} with another model" if other else ""
    default = f"  [{runs or 'unset'}{differs}]" if runs or differs else ""
    name = f"--{one.key.replace('_', '-')}"
    return click.Option([name, _variable(one)], metavar=kind, help=f"{one.help}{default}")


def _shown(one: Option, value: Any) -> str:
    """A value as one would type it; empty for none."""
    if one.many:
        value = ",".join(map(str, value))
    return "" if value in (None, "") else _as_typed(value)


_HELP = (
    f"Without --preset the preset {DEFAULT_PRESET} runs, unless --model.id or --config name another "
    "model. In brackets stands what runs then; --show-config prints all of it for your own options."
)
_METAVARS = {str: "TEXT", int: "N", float: "X", bool: "true|false", Path: "PATH"}


def _as_typed(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if text.isprintable() else repr(text)


def _hyphened(arg: str) -> str:
    """An option as it is spelt here, if somebody wrote it as in a file."""
    name, equals, value = arg.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else arg


def _variable(one: Option) -> str:
    return "o_" + one.key.replace(".", "__")


def _run(stage: Stage, config: Any) -> int:
    from cleanguard.cli.absent import refuse_absent
    from guard.errors import GuardError

    try:
        refuse_absent(config)
    except GuardError as error:
        raise JobError(str(error)) from None
    stage.require()
    if rank() == 0:
        refuse_unusable(config.out)
    quieten()
    _log_to_stderr()
    with _stopped_by_signals() as came:
        try:
            outcome = stage.run(config)
        except GuardError as error:
            raise JobError(str(error)) from error
        except KeyboardInterrupt:
            if world_size() > 1:  # a terminal and torchrun both send it
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            if rank() == 0:
                say("stopped; the same command goes on from here", err=True)
            return came[0] if came else INTERRUPTED
    leave()
    if rank() == 0:
        _print(outcome.lines)
    return CLEAN if outcome.passed else FINDINGS


@contextmanager
def _stopped_by_signals() -> Iterator[list[int]]:
    """SIGTERM, as a scheduler or `kill` sends it, stops a run as Ctrl-C does; yields exit codes for it."""
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(128 + number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


class _Spelt(logging.Formatter):
    """What the stages log, spelt out as all that is said to people."""

    def format(self, record: logging.LogRecord) -> str:
        return spelt(super().format(record))


def _log_to_stderr() -> None:
    # transformers and trl tell each other of renamed arguments; nobody who runs a stage can act on it.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl|peft")
    logger = logging.getLogger("cleanguard")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Spelt("%(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.ERROR if rank() else logging.INFO)
