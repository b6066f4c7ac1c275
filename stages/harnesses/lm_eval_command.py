"""lm-evaluation-harness' own command line, with the guarded model registered as `cleanguard`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from lm_eval import loggers
from lm_eval._cli import HarnessCLI
from lm_eval.api.registry import register_model
from lm_eval.loggers import EvaluationTracker
from lm_eval.utils import setup_logging

from cleanguard.catalogue.selection import did_you_mean
from cleanguard.errors import JobError
from cleanguard.report.spoken import say
from guard.errors import GuardError, RecordsError
from guard.files.devices import refuse_absent_device
from stages.harnesses.lm_eval_arguments import NAME, as_process, model_of, read, value_of
from stages.harnesses.lm_eval_files import seal_results, seal_samples
from stages.harnesses.lm_eval_model import GuardedLM

_NO_TASK = "Tasks not found: "
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
    argv = read(args)
    model = model_of(argv)
    if model == NAME:
        try:
            refuse_absent_device(value_of(argv, "--device"))
        except GuardError as error:
            raise JobError(f"lm-eval: {error}") from error
    elif model is not None:
        say(
            f"cleanguard: --model {model} runs without the guard, and its files get no statement",
            err=True,
        )
    with _sealing(made), as_process(argv):
        setup_logging()
        try:
            cli = HarnessCLI()
            cli.execute(cli.parse_args())
        except (GuardError, JobError) as error:
            raise JobError(f"lm-eval: {error}") from error
        except Exception as error:
            raise JobError(_told(error)) from error
    return list(_notes(made))


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
    missing = said.removeprefix(_NO_TASK)
    if missing != said:
        near = [did_you_mean(name, _tasks_at(error)) for name in missing.split(", ")]
        return (
            f"lm-eval: there is no task {missing}{next(filter(None, near), '')}\n"
            "  remedy: `cleanguard lm-eval ls tasks` lists them; a folder of your own YAML goes with --include_path"
        )
    return f"lm-eval: {type(error).__name__}: {said}"


def _tasks_at(error: Exception) -> list[str]:
    """The tasks that lm_eval knew where it raised; to read them again takes it 10 s."""
    trace = error.__traceback__
    known: list[str] = []
    while trace is not None:
        manager = trace.tb_frame.f_locals.get("task_manager")
        known = list(getattr(manager, "all_tasks", known))
        trace = trace.tb_next
    return known
