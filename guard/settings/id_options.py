"""The keywords of `generate_ids`, and what a GenerationConfig that comes with them says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from guard.base.keywords import refuse_unknown
from guard.errors import SettingsError
from guard.settings.inherited import NO_SETTING, UNSET
from guard.settings.settled import CallOptions

if TYPE_CHECKING:
    from transformers import GenerationConfig


class IdOptions(CallOptions, total=False):
    """Keywords of `generate_ids`, named as in transformers, and meaning what they mean there.

    So sampling takes `do_sample=True`, whatever `temperature` says, and a `top_k` of 50 unless another is given.
    None switches a setting off: with `top_k=None` nothing is cut, with `eos_token_id=None` no text ends early.

    Attributes:
        pad_token_id: What rows that end early are filled up with, as in transformers: unless given, what
            the model's files name, else EOS; None is EOS.
        num_return_sequences: Rows for each prompt; they follow each other.
        min_length: EOS is barred before prompt and answer have this many tokens together.
        bad_words_ids: Sequences of ids that are never written.
        prefix_allowed_tokens_fn, synced_gpus, max_time, suppress_tokens, begin_suppress_tokens, sequence_bias,
            remove_invalid_values: As in transformers.
        return_dict_in_generate, output_logits, output_attentions, output_hidden_states: Give an object
            with them, as transformers does.
        output_scores: The same; not when sampling, where the guard's scores hold what was drawn.
    """

    num_return_sequences: int | None
    min_length: int | None
    bad_words_ids: list[list[int]] | None
    max_time: float | None
    suppress_tokens: list[int] | None
    begin_suppress_tokens: list[int] | None
    sequence_bias: Any
    remove_invalid_values: bool | None
    return_dict_in_generate: bool | None
    output_scores: bool | None
    output_logits: bool | None
    output_attentions: bool | None
    output_hidden_states: bool | None
    prefix_allowed_tokens_fn: Any
    synced_gpus: bool | None


IDS_KEYWORDS: frozenset[str] = frozenset(IdOptions.__annotations__)
IN_CALL = ("prefix_allowed_tokens_fn", "synced_gpus")
IN_CONFIG = (
    "min_length",
    "bad_words_ids",
    "max_time",
    "suppress_tokens",
    "begin_suppress_tokens",
    "sequence_bias",
    "remove_invalid_values",
    "return_dict_in_generate",
    "output_scores",
    "output_logits",
    "output_attentions",
    "output_hidden_states",
)
_SAMPLING_ONLY = ("temperature", "top_p", "top_k", "min_p")


def merge_settings(
    options: Mapping[str, Any], config: GenerationConfig | None = None
) -> dict[str, Any]:
    """The settings of a call: its keywords over what a GenerationConfig says.

    They mean what they mean to transformers, in whose place the call stands: nothing samples without
    `do_sample`, and what samples has a `top_k` of 50 unless something is said.

    Raises:
        LoaderCallError: A keyword that does not exist.
        SettingsError: The config asks for something that is not done here.
    """
    refuse_unknown("generate_ids", options, IDS_KEYWORDS)
    said = {} if config is None else _said_in(config)
    for name, value in options.items():
        if value is None:
            said.pop(name, None)  # None in a call switches a setting off, for transformers too
        else:
            said[name] = value
    if "top_k" in options and options["top_k"] is None:
        said["top_k"] = 0
    if not said.get("do_sample"):
        return {**{n: v for n, v in said.items() if n not in _SAMPLING_ONLY}, "do_sample": False}
    return {"top_k": UNSET["top_k"], **said}


def _said_in(config: GenerationConfig) -> dict[str, Any]:
    own: Mapping[str, Any] = config.to_dict()
    said = {
        name: value
        for name, value in own.items()
        if value is not None and value != UNSET.get(name) and name not in NO_SETTING
    }
    if own.get("pad_token_id") is not None:
        said["pad_token_id"] = own["pad_token_id"]
    unknown = sorted(said.keys() - IDS_KEYWORDS)
    if unknown:
        raise SettingsError(
            f"the generation_config says {unknown[0]}={said[unknown[0]]!r}, which generate_ids does not do",
            evidence={"unknown": unknown},
            remedy="leave it out, or call the model's own generate inside of `unguarded`",
        )
    return said
