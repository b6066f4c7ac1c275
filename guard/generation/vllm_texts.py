"""What goes into vLLM and comes out as a text: ids that the model has, lengths that fit, completions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.errors import (
    ContaminationError,
    GuardWarning,
    TokenizerMismatchError,
    TruncatedPromptError,
)
from guard.generation.completion import Completion, decode, emitted_control, trim
from guard.settings.jobs import Job
from guard.settings.settled import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from guard.prompts.policy import PromptPolicy
    from guard.prompts.state import GuardState


def refuse_ids(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Sequence[int]], embedding: int
) -> None:
    """Raise TokenizerMismatchError for an id that the embedding has no row for.

    vLLM takes some of these, and ends at others.
    """
    for place, row in enumerate(rows):
        beyond = [index for index in row if index >= embedding]
        if beyond:
            raise TokenizerMismatchError(
                f"prompt {place} has id {beyond[0]} ({tokenizer.convert_ids_to_tokens(beyond[0])!r}), "
                f"and the model's embedding has {embedding} rows",
                evidence={"prompt": place, "ids": beyond[:20], "rows": embedding},
                remedy="take that token out of the prompt: the tokenizer has it and the model does not",
            )


def fitted(
    jobs: Sequence[Job], settings: Settings, room: int | None, state: GuardState
) -> list[Job]:
    """The jobs with no more tokens than fit behind their prompts; less is warned of and recorded.

    Args:
        jobs, settings: Of one call.
        room: Most positions that vLLM reads; None where nothing is known.
        state: Gets the event.

    Raises:
        TruncatedPromptError: A prompt leaves no room.
    """
    if room is None:
        return list(jobs)
    found, short = [], 0
    for job in jobs:
        left = room - len(job.row)
        if left < max(1, settings.min_new_tokens or 0):
            raise TruncatedPromptError(
                f"prompt {job.place} has {len(job.row)} tokens, and vLLM reads {room}: there is room "
                f"for {left} new ones, and {max(1, settings.min_new_tokens or 0)} are asked for",
                evidence={"prompt": job.place, "tokens": len(job.row), "limit": room},
                remedy="shorten the prompt, lower min_new_tokens, or raise vllm.context",
            )
        short += left < job.budget
        found.append(replace(job, budget=min(job.budget, left)))
    if short and not any(event.kind == "warning" for event in state.events):
        longest = max(len(job.row) + job.budget for job in jobs)
        state.note("warning", hazards.SILENT_TRUNCATION, positions=longest, context=room)
        warnings.warn(
            f"prompt and answer may reach {longest} positions and vLLM reads {room}; "
            f"{short} texts end there",
            GuardWarning,
            stacklevel=3,
        )
    return found


def completion_of(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    job: Job,
    output: Any,
    settings: Settings,
    eos: tuple[int, ...],
    rows: int,
) -> Completion:
    """The completion of a job, from vLLM's `RequestOutput`.

    Raises:
        ContaminationError: vLLM says that it had another prompt.
    """
    if list(output.prompt_token_ids) != job.row:
        raise ContaminationError(
            f"vLLM says that prompt {job.place} had other ids than it was given",
            evidence={"given": job.row, "reported": list(output.prompt_token_ids)},
        )
    ids, reason = trim(tokenizer, list(output.outputs[0].token_ids), eos, None, ())
    return Completion(
        text=decode(tokenizer, ids, settings),
        ids=tuple(ids),
        prompt_tokens=len(job.row),
        finish_reason=reason,
        seed=job.seed,
        control_tokens=emitted_control(tokenizer, policy.control, ids),
        batch=rows,
        ignored=settings.ignored,
        engine="vllm",
    )
