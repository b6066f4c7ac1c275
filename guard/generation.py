"""Generates texts from prompts: checked, batched by length, with what happened to each."""

from __future__ import annotations

import secrets
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cleanguard import hazards
from guard.enforcement import is_lifted, vetted
from guard.errors import GuardWarning, SettingsError, TokenizerMismatchError, TruncatedPromptError
from guard.hub import torch, transformers
from guard.policy import policy_of
from guard.prompts import encode_rows, pad_left
from guard.sampling import SeededSampling, record_seed
from guard.settings import Settings, config_for, settle
from guard.state import GuardState, state_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FinishReason = Literal["eos", "stop", "length"]
_FIRST_BATCH = 64


@dataclass(frozen=True, slots=True)
class Completion:
    """One generated text and how it came about.

    Attributes:
        text: As `generate` returns it.
        ids: The generated ids, the EOS that ended them included, padding not.
        prompt_tokens: Tokens of the prompt, BOS included.
        finish_reason: `eos`, `stop` (a stop string) or `length`.
        seed: The seed that this text was sampled with; None if greedy.
        control_tokens: Control tokens that the model itself emitted.
        batch: Rows in the batch it was generated in (bf16 results may depend on it).
        ignored: Settings that were given and had no effect.
    """

    text: str
    ids: tuple[int, ...]
    prompt_tokens: int
    finish_reason: FinishReason
    seed: int | None
    control_tokens: int
    batch: int
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """A row to generate: the prompt's place and ids, its sampling seed, its room in tokens."""

    place: int
    row: list[int]
    seed: int | None
    budget: int


def complete(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    options: Mapping[str, Any],
    *,
    batch_size: int | None = None,
    call: str = "complete",
) -> list[list[Completion]]:
    """Generate for each prompt; the result has one list of completions per prompt, in their order.

    Args:
        model: A guarded model, or an adapter's wrapper around one.
        tokenizer: Its tokenizer.
        prompts: Plain texts.
        options: Keywords as in `GenerationOptions`.
        batch_size: Rows at a time; None begins with 64. Halved when the GPU's memory is full.
        call: The call's name, for messages.

    Raises:
        LoaderCallError, SettingsError, ContaminationError, DoubledBosError, TruncatedPromptError:
            see there. UnguardedModelError, TokenizerMismatchError: the model or tokenizer is
            another.
    """
    settings = settle(call, options)
    state = state_of(model)
    policy = policy_of(tokenizer)
    if policy.digest != state.policy.digest:
        raise TokenizerMismatchError(
            "this tokenizer is not the one that the model was loaded with",
            evidence={"tokenizer": policy.digest, "expected": state.policy.digest},
            remedy="use the tokenizer that `load()` returned with the model",
        )
    if batch_size is not None and batch_size < 1:
        raise SettingsError(
            f"batch_size={batch_size}", remedy="batch_size is a whole number from 1"
        )
    context = state.provenance.model.context
    rows = encode_rows(tokenizer, policy, prompts, max_length=context, lifted=is_lifted(state))
    jobs = _jobs(state, rows, settings)
    _warn_of_context(state, jobs, context)
    done: dict[int, list[Completion]] = {place: [] for place in range(len(rows))}
    was_training = model.training
    model.eval()
    try:
        for batch in _batches(jobs, batch_size or _FIRST_BATCH):
            for job, completion in _run(model, tokenizer, state, settings, batch):
                done[job.place].append(completion)
    finally:
        model.train(was_training)
    return [done[place] for place in range(len(rows))]


def _jobs(state: GuardState, rows: list[list[int]], settings: Settings) -> list[_Job]:
    """The rows to generate, longest prompt first; a sampled prompt has one for each text."""
    jobs: list[_Job] = []
    seen: Counter[bytes] = Counter()
    if settings.sampling and settings.seed is None and state.run_seed is None:
        state.run_seed = secrets.randbits(32)
        state.note("seed-drawn", hazards.UNSEEDED_SAMPLING, seed=state.run_seed)
    for place, row in enumerate(rows):
        budget = settings.max_new_tokens or (settings.max_length or 0) - len(row)
        if budget < 1:
            raise TruncatedPromptError(
                f"prompt {place} has {len(row)} tokens, max_length is {settings.max_length}",
                evidence={"prompt": place, "tokens": len(row), "limit": settings.max_length},
                remedy="pass max_new_tokens instead",
            )
        if not settings.sampling:
            jobs.append(_Job(place, row, None, budget))
            continue
        key = b",".join(b"%d" % i for i in row)
        counter, seed = (
            (state.drawn, state.run_seed) if settings.seed is None else (seen, settings.seed)
        )
        for _ in range(settings.count):
            jobs.append(_Job(place, row, record_seed(seed or 0, row, counter[key]), budget))
            counter[key] += 1
    return sorted(jobs, key=lambda job: -len(job.row))


def _batches(jobs: list[_Job], size: int) -> list[list[_Job]]:
    """Neighbours of equal room together: in one batch every row may grow by the same length."""
    batches: list[list[_Job]] = []
    for job in jobs:
        if batches and len(batches[-1]) < size and batches[-1][0].budget == job.budget:
            batches[-1].append(job)
        else:
            batches.append([job])
    return batches


def _run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    state: GuardState,
    settings: Settings,
    batch: list[_Job],
) -> list[tuple[_Job, Completion]]:
    try:
        return _generate(model, tokenizer, state, settings, batch)
    except torch.OutOfMemoryError:
        if len(batch) == 1:
            raise
    torch.cuda.empty_cache()
    half = len(batch) // 2
    return [
        pair
        for part in (batch[:half], batch[half:])
        for pair in _run(model, tokenizer, state, settings, part)
    ]


def _generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    state: GuardState,
    settings: Settings,
    batch: list[_Job],
) -> list[tuple[_Job, Completion]]:
    policy = state.policy
    eos = settings.eos_token_id or end_ids(model)
    pad = model.generation_config.pad_token_id
    ids, mask = pad_left([job.row for job in batch], pad if pad is not None else 0)
    extra: dict[str, Any] = {"tokenizer": tokenizer} if settings.stop_strings else {}
    if settings.sampling:
        noise = SeededSampling([job.seed or 0 for job in batch], settings, model.device)
        extra["logits_processor"] = transformers.LogitsProcessorList([noise])
    with vetted():
        output = model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            generation_config=config_for(settings, eos, pad, batch[0].budget),
            **extra,
        )
    texts_per_job = 1 if settings.sampling else settings.count
    results: list[tuple[_Job, Completion]] = []
    for number, row in enumerate(output[:, ids.shape[1] :].tolist()):
        job = batch[number // texts_per_job]
        kept, reason = _trim(tokenizer, row, eos, pad, settings.stop_strings)
        shown = [*job.row, *kept] if settings.return_full_text else kept
        completion = Completion(
            text=_decode(tokenizer, shown, settings),
            ids=tuple(kept),
            prompt_tokens=len(job.row),
            finish_reason=reason,
            seed=job.seed,
            control_tokens=len(policy.control.in_ids(kept)),
            batch=len(batch),
            ignored=settings.ignored,
        )
        results.append((job, completion))
    return results


def end_ids(model: PreTrainedModel) -> tuple[int, ...]:
    """The ids that end a text, from the model's generation config."""
    found = model.generation_config.eos_token_id
    if found is None:
        return ()
    return (found,) if isinstance(found, int) else tuple(found)


def _trim(
    tokenizer: PreTrainedTokenizerBase,
    row: list[int],
    eos: tuple[int, ...],
    pad: int | None,
    stops: tuple[str, ...],
) -> tuple[list[int], FinishReason]:
    """Cuts off the padding behind a finished row, and tells what finished it."""
    end = next((at for at, i in enumerate(row) if i in eos), None)
    if stops:
        body = row if end is None else row[:end]
        while body and end is None and body[-1] == pad:
            body = body[:-1]
        text = tokenizer.decode(body)
        if any(stop in text for stop in stops):
            return body, "stop"
    return (row, "length") if end is None else (row[: end + 1], "eos")


def _decode(tokenizer: PreTrainedTokenizerBase, ids: list[int], settings: Settings) -> str:
    clean = settings.clean_up_tokenization_spaces
    extra = {} if clean is None else {"clean_up_tokenization_spaces": clean}
    return str(tokenizer.decode(ids, skip_special_tokens=settings.skip_special_tokens, **extra))


def _warn_of_context(state: GuardState, jobs: list[_Job], context: int | None) -> None:
    over = [job for job in jobs if context is not None and len(job.row) + job.budget > context]
    if not over or any(event.kind == "warning" for event in state.events):
        return
    longest = max(len(job.row) + job.budget for job in over)
    state.note("warning", hazards.SILENT_TRUNCATION, positions=longest, context=context)
    warnings.warn(
        f"prompt and answer may reach {longest} positions and the model was made for {context}; "
        "what it writes beyond them means nothing",
        GuardWarning,
        stacklevel=4,
    )
