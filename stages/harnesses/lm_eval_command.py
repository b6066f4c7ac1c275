"""lm-evaluation-harness' own command line, with the guarded model registered as `cleanguard`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import yaml
from lm_eval import loggers
from lm_eval._cli import HarnessCLI
from lm_eval.api.registry import register_model
from lm_eval.loggers import EvaluationTracker
from lm_eval.utils import setup_logging

from cleanguard.errors import JobError
from cleanguard.report.spoken import say
from guard.errors import GuardError, RecordsError
from guard.files.devices import refuse_absent_device
from stages.harnesses.lm_eval_files import seal_results, seal_samples
from stages.harnesses.lm_eval_model import GuardedLM

NAME = "cleanguard"
_COMMANDS = ("run", "ls", "validate")
# Names of errors that say that data would have come from the network.
_AWAY = ("Offline", "ConnectionError", "LocalEntryNotFound", "ConnectError", "DatasetNotFound",
         "RepositoryNotFound", "MaxRetryError", "HfHubHTTPError", "ConnectTimeout")  # fmt: skip


class _Made:
    """The models that one call made, and the files that it sealed."""

    def __init__(self) -> None:
        self.models: list[GuardedLM] = []
        self.files: list[Path] = []


@register_model(NAME)
class RegisteredLM(GuardedLM):
    """The guarded model under its name; the call that asks for it remembers it."""

    made: ClassVar[_Made] = _Made()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.made.models.append(self)


def run_command(args: Sequence[str]) -> list[str]:
    """Carry out `lm-eval ARGS` with `--model cleanguard` where no model is named.

    Args:
        args: As after `lm-eval`.

    Returns:
        What a person should know, a sentence each.

    Raises:
        JobError: It could not be done; the message has lm_eval's reason or the guard's.
        SystemExit: `--help` was asked for, or the arguments are none of lm_eval's.
    """
    made = _Made()
    try:
        argv = with_defaults(args)
    except GuardError as error:
        raise JobError(f"lm-eval: {error}") from error
    with _sealing(made), _arguments(argv):
        setup_logging()
        try:
            cli = HarnessCLI()
            cli.execute(cli.parse_args())
        except (GuardError, JobError) as error:
            raise JobError(f"lm-eval: {error}") from error
        except Exception as error:
            raise JobError(_told(error)) from error
    return list(_notes(made))


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
    _refuse_unordered(_value(rest, "--samples", "-E"))
    file = _value(rest, "--config", "-C")
    told = {} if file is None else _settings_in(Path(file))
    model = _value(rest, "--model", "-M") or told.get("model")
    if model is None:
        rest += ["--model", NAME]
    elif model != NAME:
        say(
            f"cleanguard: --model {model} runs without the guard, and its files get no statement",
            err=True,
        )
    if model in (None, NAME):
        if not ("batch_size" in told or _said(rest, "--batch_size", "-b")):
            rest += ["--batch_size", "auto"]
        refuse_absent_device(_value(rest, "--device"))
    return ["run", *rest]


class SealedTracker(EvaluationTracker):
    """lm_eval's tracker; what it wrote gets its statement, and a file that is not there is an error."""

    def save_results_aggregated(self, results: Any, samples: Any = None) -> None:
        """Write the results, and the statement beside them."""
        super().save_results_aggregated(results=results, samples=samples)
        for path in self._written("*{}.json", "the results"):
            if RegisteredLM.made.models:
                seal_results(path, RegisteredLM.made.models[-1])

    def save_results_samples(self, task_name: str, samples: Any) -> None:
        """Write the samples of a task, each with its provenance."""
        super().save_results_samples(task_name=task_name, samples=samples)
        for path in self._written(f"samples_{task_name}_{{}}.jsonl", f"the samples of {task_name}"):
            if RegisteredLM.made.models:
                seal_samples(path, RegisteredLM.made.models[-1])

    def _written(self, pattern: str, what: str) -> list[Path]:
        if not self.output_path:
            return []
        path = Path(self.output_path)
        folder = (
            path.parent
            if path.suffix == ".json"
            else path / self.general_config_tracker.model_name_sanitized
        )
        found = list(folder.glob(pattern.format(getattr(self, "date_id", "…"))))
        if not found:
            raise RecordsError(
                f"lm_eval could not write {what} to {folder}",
                remedy="look at its warning above; nothing else says so",
            )
        RegisteredLM.made.files += found
        return found


@contextmanager
def _sealing(made: _Made) -> Iterator[None]:
    """Our tracker in the place of lm_eval's."""
    RegisteredLM.made = made
    before = loggers.EvaluationTracker
    loggers.EvaluationTracker = SealedTracker
    try:
        yield
    finally:
        loggers.EvaluationTracker = before


@contextmanager
def _arguments(argv: Sequence[str]) -> Iterator[None]:
    """lm_eval reads the process' own."""
    before = sys.argv
    sys.argv = ["cleanguard lm-eval", *argv]
    try:
        yield
    finally:
        sys.argv = before


def _notes(made: _Made) -> Iterator[str]:
    for model in made.models:
        if model.cut:
            yield f"{model.cut} contexts were too long and lost their beginning"
        for task, count in model.ties.items():
            yield (
                f"{task}: {count} documents have several choices with the same log-likelihood; "
                "lm_eval takes the first of them"
            )
    if made.models and made.files:
        yield f"cleanguard verify {' '.join(map(str, made.files))}"


def _said(args: Sequence[str], *names: str) -> bool:
    return any(arg == name or arg.startswith(f"{name}=") for arg in args for name in names)


def _value(args: Sequence[str], *names: str) -> str | None:
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
    except (OSError, ValueError):
        return  # lm_eval says what is wrong with it
    for task, numbers in asked.items() if isinstance(asked, dict) else ():
        whole = isinstance(numbers, list) and all(isinstance(one, int) for one in numbers)
        if whole and numbers != sorted(numbers):
            raise JobError(
                f"--samples: {task} lists {numbers}, which is not ascending; lm_eval would put the "
                f"results under each other's numbers: write {sorted(numbers)}"
            )


def _settings_in(path: Path) -> dict[str, Any]:
    """What lm_eval's configuration file says; nothing where lm_eval itself will say what is wrong."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _told(error: Exception) -> str:
    """What lm_eval says, on one line, and what to do where it wanted the network."""
    said = " ".join(str(error).split()) or "no reason given"
    chain: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in chain:
        chain.append(one)
        one = one.__cause__ or one.__context__
    names = [kind.__name__ for member in chain for kind in type(member).__mro__]
    if any(part in name for name in names for part in _AWAY):
        return (
            f"lm-eval: the data of a task are not on this machine: {said}\n"
            "  remedy: name local files in the task's YAML (dataset_path: json, dataset_kwargs: "
            "data_files: …), or go online and unset HF_HUB_OFFLINE and HF_DATASETS_OFFLINE"
        )
    return f"lm-eval: {type(error).__name__}: {said}"
