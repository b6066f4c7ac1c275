"""Generates texts from prompts: checked, batched by length, with what happened to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.base.modes import evaluating
from guard.base.progress import Progress
from guard.base.shards import embedding_rows
from guard.decoding import graphs
from guard.decoding.failures import forward_failures
from guard.enforcing.passing import is_lifted
from guard.errors import (
    BrokenModelError,
    GenerationInterrupted,
    MemoryFullError,
    SettingsError,
)
from guard.files.devices import memory_is_full
from guard.files.hub import torch
from guard.generation.completion import Completion, decode, emitted_control, trim
from guard.generation.plain import find_broken_layer, generate_plainly
from guard.prompts.encoding import encode_rows, with_special_tokens
from guard.prompts.learned import may_pad
from guard.prompts.pairing import matching_policy
from guard.prompts.state import GuardState, state_of
from guard.settings.inherited import refuse_changed_config
from guard.settings.jobs import Job, filled_up, make_jobs, next_batch, warn_of_context
from guard.settings.settled import Settings, refuse_ends_beyond, settle

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from guard.decoding.graphs import Engine

_FIRST_BATCH, _FIRST_OF_SMALL = 64, 128
_SMALL = 100_000_000  # parameters
_INVARIANT_BATCH = 32

OnFinished = Callable[[int, list[Completion]], object]


@dataclass(frozen=True, slots=True)
class Task:
    """One call, checked and ready to run.

    Attributes:
        model, tokenizer: What generates.
        state: The guard of the model.
        settings: What the call's keywords come to.
        prompts: How many prompts there are.
        jobs: The rows to generate, longest prompt first.
        engine: What is to decode, as asked for.
        invariant: Batches must not show in the texts.
        padded: Rows of different lengths may share a batch.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    state: GuardState
    settings: Settings
    prompts: int
    jobs: list[Job]
    engine: Engine
    invariant: bool
    padded: bool


def prepare(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Mapping[str, Any],
    call: str,
    *,
    engine: Engine = "auto",
    invariant: bool = False,
) -> Task:
    """Check a call and its prompts; raises as `complete`."""
    engine = graphs.settle_engine(engine, invariant)
    settings = settle(call, options)
    state = state_of(model)
    policy = matching_policy(tokenizer, state)
    refuse_ends_beyond(settings, embedding_rows(model.get_input_embeddings()))
    refuse_changed_config(model, state)
    context = state.provenance.model.context
    policy = with_special_tokens(tokenizer, policy, settings.special_tokens)
    rows = encode_rows(tokenizer, policy, prompts, max_length=context, lifted=is_lifted(state))
    jobs = make_jobs(state, rows, settings)
    warn_of_context(state, jobs, context)
    padded = may_pad(
        model, use_cache=settings.use_cache, beams=settings.num_beams, invariant=invariant
    )
    return Task(model, tokenizer, state, settings, len(rows), jobs, engine, invariant, padded)


def complete(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Mapping[str, Any],
    *,
    batch_size: int | None = None,
    progress: bool | None = False,
    on_finished: OnFinished | None = None,
    call: str = "complete",
    engine: Engine = "auto",
    batch_invariant: bool = False,
) -> list[list[Completion]]:
    """Generate for each prompt; the result has one list of completions per prompt, in their order.

    Args:
        model: A guarded model, or an adapter's wrapper around one.
        tokenizer: Its tokenizer.
        prompts: Plain texts.
        options: Keywords as in `GenerationOptions`.
        batch_size: Rows at a time; None begins with 64, or 128 for a model below 100 million
            parameters. When memory is full it is halved, for the rest of the call; not with
            `batch_invariant`, where it decides texts (32 unless said).
        progress: Show a bar on standard error; None does on a terminal.
        on_finished: Called with the number of a prompt and its completions when all of them are
            there, batch by batch: the place to write records from.
        call: The call's name, for messages.
        engine: `graphs` decodes with captured CUDA steps, `plain` with the library's `generate`;
            `auto` takes the faster one that model, settings and device allow. Each `Completion`
            says what was taken.
        batch_invariant: A text does not depend on the other prompts, their number or their order,
            in bfloat16 neither: every batch has the same number of rows and lengths come from a
            coarse scale, filled up. It costs most where there are few prompts.

    Raises:
        LoaderCallError, SettingsError, ContaminationError, DoubledBosError, TruncatedPromptError:
            see there. UnguardedModelError, TokenizerMismatchError: the model or tokenizer is
            another.
        MemoryFullError: One prompt alone does not fit; it carries what was finished.
        GenerationInterrupted: A KeyboardInterrupt that carries what was finished.
    """
    if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
        raise SettingsError(
            f"batch_size={batch_size!r}", remedy="batch_size is a whole number from 1"
        )
    if on_finished is not None and not callable(on_finished):
        raise SettingsError(
            f"on_finished={on_finished!r}",
            remedy="on_finished is called with the number of a prompt and its completions",
        )
    prompts = listed(prompts, call)
    task = prepare(
        model, tokenizer, prompts, options, call, engine=engine, invariant=batch_invariant
    )
    finished: dict[int, list[Completion]] = {}
    try:
        with evaluating(model), Progress(task.prompts, progress) as shown:
            _run(task, batch_size or _first_batch(task), finished, shown, on_finished)
    except KeyboardInterrupt as error:
        raise GenerationInterrupted(finished, task.prompts) from error
    finally:
        graphs.end_of_call(model)
    return [finished[place] for place in range(task.prompts)]


def listed(prompts: object, call: str) -> list[str]:
    """Prompts as a list.

    Raises:
        SettingsError: It is one text, or nothing that can be gone through.
    """
    if isinstance(prompts, (str, bytes, Mapping)) or not isinstance(prompts, Iterable):
        raise SettingsError(
            f"{call} takes a list of prompts, not {type(prompts).__name__}",
            remedy="pass one prompt to generate, or [prompt] here",
        )
    return list(prompts)


def _first_batch(task: Task) -> int:
    if task.invariant:
        return _INVARIANT_BATCH
    small = sum(one.numel() for one in task.model.parameters()) < _SMALL
    return _FIRST_OF_SMALL if small else _FIRST_BATCH


def _run(
    task: Task,
    size: int,
    finished: dict[int, list[Completion]],
    shown: Progress,
    on_finished: OnFinished | None,
) -> None:
    """Work off the jobs; what is complete joins `finished` after each batch."""
    wanted = task.settings.count
    begun: dict[int, list[Completion]] = {}
    at, plain = 0, task.engine == "plain"
    while at < len(task.jobs):
        batch = next_batch(
            task.jobs, at, size, invariant=task.invariant, equal=plain, padded=task.padded
        )
        results = _unless_full(task, batch, finished, size)
        if results is None:
            size = len(batch) // 2
            task.state.note("batch-halved", rows=size)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            continue
        at += len(batch)
        plain = results[0][1].engine == "plain"
        for job, completion in results:
            begun.setdefault(job.place, []).append(completion)
        ready = {
            job.place: begun.pop(job.place)
            for job in batch
            if len(begun.get(job.place, ())) == wanted
        }
        finished |= ready
        shown.advance(len(ready), sum(len(done.ids) for _, done in results))
        if on_finished is not None:
            for place, completions in ready.items():
                on_finished(place, completions)


def _unless_full(
    task: Task, batch: list[Job], finished: Mapping[int, list[Completion]], size: int
) -> list[tuple[Job, Completion]] | None:
    """The batch's results; None if memory was full and half of it may fit.

    The error ends here, since its traceback holds the tensors that filled the memory.
    """
    try:
        return run_batch(task, batch, size)
    except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
        if not memory_is_full(error):
            raise
        if task.invariant and size > 1:
            raise MemoryFullError(
                f"memory is full with {size} rows, which batch_invariant does not change",
                finished,
                evidence={"rows": size, "finished": len(finished)},
                remedy="pass a smaller batch_size: texts are the same for the same one",
            ) from None
        if len(batch) == 1:
            raise MemoryFullError(
                f"memory is full with prompt {batch[0].place} alone ({len(batch[0].row)} tokens, "
                f"up to {batch[0].budget} new ones)",
                finished,
                evidence={"prompt": batch[0].place, "finished": len(finished)},
                remedy="shorten the prompt, lower max_new_tokens, or load the model quantized; what "
                "was finished is in the error's `finished`",
            ) from None
    return None


@forward_failures()
def run_batch(
    task: Task,
    batch: list[Job],
    size: int = 0,
    *,
    streamer: Any = None,
    halted: Callable[[], bool] | None = None,
) -> list[tuple[Job, Completion]]:
    """Generate one batch.

    Args:
        task, batch: What is generated.
        size: Rows of a full batch; with `batch_invariant` a smaller one is filled up.
        streamer: Gets the ids as they come, as in the library's `generate`.
        halted: Asked at each step whether to stop.
    """
    model, tokenizer, settings = task.model, task.tokenizer, task.settings
    eos = settings.eos_token_id or end_ids(model)
    pad = model.generation_config.pad_token_id
    length, rows = 0, batch
    if task.invariant:
        length = filled_up(len(batch[0].row))
        rows = batch + [batch[0]] * ((size or _INVARIANT_BATCH) - len(batch))
    road: str
    try:
        try:
            output, road = graphs.rows_of(
                model, tokenizer, settings, rows, eos, pad or 0,
                engine=task.engine, length=length, streamer=streamer, halted=halted,
            )  # fmt: skip
        except graphs.NoRoad as told:
            graphs.tell(task.state, model, task.engine, told)
            output, road = (
                generate_plainly(
                    model, tokenizer, settings, rows, eos, pad,
                    length=length, streamer=streamer, halted=halted,
                ),
                "plain",
            )  # fmt: skip
    except BrokenModelError:
        # Once more, with a look at where it begins: texts are the same every time.
        find_broken_layer(model, tokenizer, settings, rows, eos, pad, length)
        raise
    texts_per_job = 1 if settings.sampling else settings.count
    results: list[tuple[Job, Completion]] = []
    for number, row in enumerate(output[: len(batch) * texts_per_job]):
        job = batch[number // texts_per_job]
        kept, reason = trim(tokenizer, row, eos, pad, settings.stop_strings)
        shown = [*job.row, *kept] if settings.return_full_text else kept
        completion = Completion(
            text=decode(tokenizer, shown, settings),
            ids=tuple(kept),
            prompt_tokens=len(job.row),
            finish_reason=reason,
            seed=job.seed,
            control_tokens=emitted_control(tokenizer, task.state.policy.control, kept),
            batch=len(rows),
            ignored=settings.ignored,
            engine=road,
        )
        results.append((job, completion))
    return results


def end_ids(model: PreTrainedModel) -> tuple[int, ...]:
    """The ids that end a text, from the model's generation config."""
    found = model.generation_config.eos_token_id
    if found is None:
        return ()
    return (found,) if isinstance(found, int) else tuple(found)
