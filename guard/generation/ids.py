"""Generates from ids that a script made itself: the library's `generate`, with everything said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guard.base.finiteness import watching
from guard.base.modes import evaluating, unwrapped
from guard.base.shards import embedding_rows
from guard.decoding.failures import forward_failures
from guard.enforcing.enforcement import watch_of
from guard.enforcing.passing import is_lifted, vetted
from guard.enforcing.roads import check_prompt
from guard.errors import SettingsError
from guard.files.hub import torch, transformers
from guard.generation.batches import end_ids
from guard.prompts.state import GuardState, state_of
from guard.settings.id_checks import (
    refuse_no_mask,
    refuse_other_helpers,
    refuse_other_ids,
    refuse_other_options,
    refuse_other_types,
    sound_prefixes,
)
from guard.settings.id_options import IN_CALL, IN_CONFIG, merge_settings
from guard.settings.inherited import refuse_changed_config
from guard.settings.jobs import Job, make_jobs, warn_of_context
from guard.settings.processors import processors_of
from guard.settings.settled import Settings, config_for, refuse_ends_beyond, settle

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase


def generate_ids(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    options: Mapping[str, Any],
    *,
    generation_config: GenerationConfig | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    logits_processor: Sequence[Any] | None = None,
    stopping_criteria: Sequence[Any] | None = None,
    streamer: Any = None,
    also: Mapping[str, Any] | None = None,
) -> Any:
    """Generate from ids as transformers' `generate` does, without what the model's own files say of settings.

    Args:
        model: A guarded model, or an adapter's wrapper around one.
        input_ids: Integers, of shape (rows, positions), padded on the left.
        attention_mask: Of the same shape; None takes for padding what rows are filled up with, unless that is an
            end of a text, as transformers does.
        options: Keywords as in `guard.settings.id_options.IdOptions`.
        generation_config: What it says holds where the keywords say nothing; see
            `guard.settings.id_options.merge_settings`.
        tokenizer: Needed for `stop_strings` alone.
        logits_processor, stopping_criteria, streamer: As in transformers' `generate`. Processors come
            before sampling.
        also: Further inputs of the model, such as `token_type_ids`.

    Returns:
        Ids of shape (rows, positions + new): each prompt as it came, and what follows it. With
        `return_dict_in_generate`, the object that transformers gives, with them as `sequences`.

    Raises:
        SettingsError: Ids or a mask of another shape or kind, ids that the model does not have, or settings
            that contradict each other.
        LoaderCallError: A keyword that does not exist.
        ContaminationError, DoubledBosError, MissingBosError, PaddingError: See their classes; rows
            without BOS are taken from a model that was loaded with `allow_missing_bos=True`.
        TruncatedPromptError: The prompts are as long as `max_length`.
        UnguardedModelError: The model is none of the loader's.
        BrokenModelError: Scores are no numbers, or the model cannot compute.
    """
    refuse_other_helpers(
        generation_config, tokenizer, logits_processor, stopping_criteria, streamer
    )
    said_end = options.get("eos_token_id", ...)
    endless = said_end in ([], ())  # no end at all, to transformers
    if endless:
        options = {**options, "eos_token_id": None}
    off = {name for name in ("eos_token_id", "pad_token_id") if options.get(name, ...) is None}
    options = merge_settings(options, generation_config)
    named = {name: value for name, value in options.items() if name not in (*IN_CONFIG, *IN_CALL)}
    settings = settle("generate_ids", named)
    state = state_of(model)
    rows = embedding_rows(model.get_input_embeddings())
    refuse_other_ids(input_ids, rows)
    refuse_no_mask(attention_mask, input_ids)
    refuse_other_types(model, (also or {}).get("token_type_ids"), input_ids)
    refuse_other_options(options, rows)
    if options.get("prefix_allowed_tokens_fn") is not None:
        options["prefix_allowed_tokens_fn"] = sound_prefixes(
            options["prefix_allowed_tokens_fn"], rows
        )
    _refuse_streamed(streamer, settings, input_ids)
    if settings.sampling and options.get("output_scores"):
        raise SettingsError(
            "output_scores of sampled texts: the guard's scores hold what was drawn, not what was likely",
            remedy="ask for output_logits, or for greedy texts",
        )
    if settings.stop_strings and tokenizer is None:
        raise SettingsError(
            "stop_strings are looked for in text, and generate_ids has ids alone",
            remedy="pass tokenizer= as well",
        )
    refuse_ends_beyond(settings, rows)
    refuse_changed_config(model, state)
    eos = () if "eos_token_id" in off else settings.eos_token_id or end_ids(model)
    pad = _filler(model, state, eos) if named.get("pad_token_id") is None else named["pad_token_id"]
    if "pad_token_id" in off:
        pad = eos[0] if eos else None
    if endless and pad is None:  # transformers looks for the first of none
        raise SettingsError(
            f"eos_token_id={said_end!r}, and nothing names a pad token",
            remedy="eos_token_id=None is no end as well; or pass pad_token_id=",
        )
    ids = input_ids.to(model.device)
    mask = _mask(ids, attention_mask, pad, eos)
    if not is_lifted(state):
        base = unwrapped(model)
        check_prompt(watch_of(base).raw, ids, attention_mask, may_lack=_may_lack(state))
    jobs = _jobs(state, ids, mask, settings)
    warn_of_context(state, jobs, state.provenance.model.context)
    if settings.sampling:
        ids, mask = (one.repeat_interleave(settings.count, dim=0) for one in (ids, mask))
    config = config_for(settings, eos, pad, jobs[0].budget)
    config.update(**{name: options[name] for name in IN_CONFIG if name in options})
    return _run(
        model, ids, mask, config, jobs, settings, list(logits_processor or ()),
        {
            **(also or {}),
            **{name: options[name] for name in IN_CALL if name in options},
            # What a config leaves open, transformers takes from the model's own.
            **({"eos_token_id": None} if "eos_token_id" in off else {}),
            **({"streamer": streamer} if streamer is not None else {}),
            **({"tokenizer": tokenizer} if settings.stop_strings else {}),
            **(
                {"stopping_criteria": transformers.StoppingCriteriaList(stopping_criteria)}
                if stopping_criteria is not None
                else {}
            ),
        },
    )  # fmt: skip


@forward_failures()
def _run(
    model: PreTrainedModel,
    ids: torch.Tensor,
    mask: torch.Tensor,
    config: Any,
    jobs: Sequence[Job],
    settings: Settings,
    processors: list[Any],
    more: Mapping[str, Any],
) -> Any:
    ours = processors_of(model, jobs, settings, mask)
    # Sampling ends the guard's own processors, and takes what a script's leave.
    place = len(ours) - bool(settings.sampling)
    ours[place:place] = processors
    with evaluating(model), watching(model), vetted(state_of(model)):
        return model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=ours,
            **more,
        )


def _jobs(
    state: GuardState, ids: torch.Tensor, mask: torch.Tensor, settings: Settings
) -> list[Job]:
    """The rows in their order, each without its padding."""
    rows = [row[seen.bool()].tolist() for row, seen in zip(ids, mask, strict=True)]
    if settings.max_new_tokens is None and settings.max_length is not None:
        room = settings.max_length - ids.shape[1]  # transformers counts the padding
        if room < 1:
            rows = ids.tolist()  # told by its whole length
        else:
            settings = replace(settings, max_new_tokens=room)
    return sorted(make_jobs(state, rows, settings), key=lambda job: job.place)


def _filler(model: PreTrainedModel, state: GuardState, eos: tuple[int, ...]) -> int | None:
    """What transformers would fill up rows with: what a script put there, what the files name, or EOS."""
    own: int | None = model.generation_config.pad_token_id
    if own is not None and own != state.policy.pad_id:
        return own
    return state.filler if state.filler is not None else eos[0] if eos else None


def _mask(
    ids: torch.Tensor, mask: torch.Tensor | None, pad: int | None, eos: tuple[int, ...]
) -> torch.Tensor:
    """The mask of a call: its own, or what transformers makes of the pad token where there is none."""
    if mask is not None:
        return mask.to(ids.device)
    if pad is None or pad in eos or not bool((ids == pad).any()):
        return torch.ones_like(ids)
    return (ids != pad).long()


def _may_lack(state: GuardState) -> bool:
    record = state.provenance
    return record.for_training or "allow_missing_bos" in record.overrides


def _refuse_streamed(streamer: Any, settings: Settings, ids: torch.Tensor) -> None:
    if isinstance(streamer, transformers.TextStreamer) and ids.shape[0] > 1:
        raise SettingsError(
            f"a {type(streamer).__name__} shows one text, and {ids.shape[0]} rows were given",
            remedy="call it for each row, or leave out the streamer",
        )
    if streamer is not None and (settings.num_beams > 1 or settings.count > 1):
        raise SettingsError(
            "a streamer gets one text as it grows; beams and several texts are known only at the end",
            remedy="leave out num_beams and num_return_sequences, or the streamer",
        )
