"""What `cleanguard lm-eval` was asked for, read by lm-evaluation-harness' own parser before torch is imported."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from lm_eval._cli import HarnessCLI

# This registers lm_eval's own models: once ours is registered, lm_eval no longer does.
from lm_eval.models import MODEL_MAPPING

from cleanguard.catalogue.selection import did_you_mean
from cleanguard.errors import JobError
from guard.errors import GuardError
from guard.files.naming import refuse_no_model
from stages.models import TINY

NAME = "cleanguard"
# Arguments of GuardedLM itself; the others are CleanModelLoader's.
_OWN = (
    "pretrained",
    "batch_size",
    "max_batch_size",
    "device",
    "max_length",
    "max_gen_toks",
    "peft",
    "seed",
)
_COMMANDS = ("run", "ls", "validate")


def read(args: Sequence[str]) -> list[str]:
    """The arguments with our defaults, understood by lm_eval's parser; what they name is there.

    Args:
        args: As after `lm-eval`.

    Raises:
        JobError: No model was named, or none that there is; `--config` is no file; `--samples` would get
            each other's results.
        SystemExit: `--help` was asked for, or the arguments are none of lm_eval's.
    """
    argv = with_defaults(args)
    with as_process(argv):
        cli = HarnessCLI()
        parsed = cli.parse_args()
        if not hasattr(parsed, "model_args"):
            return argv
    _refuse_absent(argv, parsed)
    return argv


def model_of(argv: Sequence[str]) -> str | None:
    """The model that arguments with defaults name; None where nothing is evaluated."""
    if argv[:1] != ["run"]:
        return None
    return value_of(argv, "--model", "-M") or _told_by(argv).get("model")


def _refuse_absent(argv: Sequence[str], parsed: Any) -> None:
    file = value_of(argv, "--config", "-C")
    if file is not None and not Path(file).is_file():
        raise JobError(f"lm-eval: --config: {file}: there is no such file")
    model = model_of(argv)
    if model != NAME:
        if model is not None and model not in MODEL_MAPPING:
            near = did_you_mean(model, [NAME, *MODEL_MAPPING])
            raise JobError(
                f"lm-eval: --model: lm_eval {version('lm_eval')} has no model {model!r}{near}"
            )
        return
    if value_of(argv, "--tasks", "-t") == "list":
        raise JobError("lm-eval: --tasks list: `cleanguard lm-eval ls tasks` lists them")
    given = parsed.model_args or _told_by(argv).get("model_args") or {}
    if not isinstance(given, dict):
        return
    named = given.get("pretrained")
    if named is None:
        near = next(filter(None, (did_you_mean(str(key), ("pretrained",)) for key in given)), "")
        raise JobError(f"lm-eval: no model was named{near}: --model_args pretrained=NAME")
    try:
        if isinstance(named, str) and named != TINY:
            refuse_no_model(named)
        # Only now: it imports torch.
        from stages.harnesses.arguments import keywords_of

        rest = {name: value for name, value in given.items() if name not in _OWN}
        keywords_of(f"--model {NAME}", rest)
    except GuardError as error:
        raise JobError(f"lm-eval: {error}") from None


def with_defaults(args: Sequence[str]) -> list[str]:
    """The arguments with our model and batches of the guard's own size, where nothing is said of them.

    Raises:
        JobError: `--samples` would get each other's results.
    """
    found = list(args)
    if not found or found[0] in ("-h", "--help", *_COMMANDS[1:]):
        return found
    rest = found[1:] if found[0] == "run" else found
    if rest[:1] in (["-h"], ["--help"], []):
        return ["run", *rest]
    _refuse_unordered(value_of(rest, "--samples", "-E"))
    told = _told_by(rest)
    model = value_of(rest, "--model", "-M") or told.get("model")
    if model is None:
        rest += ["--model", NAME]
    batches = "batch_size" in told or _said(rest, "--batch_size", "-b")
    if model in (None, NAME) and not batches:
        rest += ["--batch_size", "auto"]
    return ["run", *rest]


@contextmanager
def as_process(argv: Sequence[str]) -> Iterator[None]:
    """lm_eval reads the process' own arguments."""
    before = sys.argv
    sys.argv = ["cleanguard lm-eval", *argv]
    try:
        yield
    finally:
        sys.argv = before


def _said(args: Sequence[str], *names: str) -> bool:
    return any(arg == name or arg.startswith(f"{name}=") for arg in args for name in names)


def value_of(args: Sequence[str], *names: str) -> str | None:
    """What an option of lm_eval's is given, by any of its names; None where it is not said."""
    for at, arg in enumerate(args):
        if arg in names and at + 1 < len(args):
            return args[at + 1]
        for name in names:
            if arg.startswith(f"{name}="):
                return arg.partition("=")[2]
    return None


def _refuse_unordered(samples: str | None) -> None:
    if samples is None:
        return
    try:
        text = Path(samples).read_text(encoding="utf-8") if Path(samples).is_file() else samples
        asked = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return  # lm_eval says what is wrong with it
    for task, numbers in asked.items() if isinstance(asked, dict) else ():
        whole = isinstance(numbers, list) and all(isinstance(one, int) for one in numbers)
        if whole and numbers != sorted(numbers):
            raise JobError(
                f"--samples: {task} lists {numbers}, which is not ascending; lm_eval would put the "
                f"results under each other's numbers: write {sorted(numbers)}"
            )


def _told_by(args: Sequence[str]) -> dict[str, Any]:
    file = value_of(args, "--config", "-C")
    return {} if file is None else _settings_in(Path(file))


def _settings_in(path: Path) -> dict[str, Any]:
    """What lm_eval's configuration file says; nothing where lm_eval itself will say what is wrong."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}
