"""Settings that someone put into `model.generation_config` after the load.

transformers fills every unset field of a config that it is given from the model's own, so they
would be in force and stand in no record.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.errors import SettingsError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from guard.prompts.state import GuardState

# A trainer brings these into line with its tokenizer. They shape the end of a text alone.
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")
# Not settings of a text; the padding that is used has a record of its own.
NO_SETTING = frozenset(
    {"_from_model_config", "transformers_version", "bos_token_id", "pad_token_id"}
)

# What transformers takes for what is not set (GenerationConfig of 5.24, the table of its defaults and
# the outputs that it asks for): a file that spells it out changes nothing.
UNSET: Mapping[str, Any] = MappingProxyType(
    {
        "max_length": 20, "min_length": 0, "do_sample": False, "use_cache": True,
        "early_stopping": False, "num_beams": 1, "num_beam_groups": 1, "diversity_penalty": 0.0,
        "temperature": 1.0, "top_k": 50, "top_p": 1.0, "typical_p": 1.0, "epsilon_cutoff": 0.0,
        "eta_cutoff": 0.0, "repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0,
        "length_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0,
        "num_return_sequences": 1, "remove_invalid_values": False, "renormalize_logits": False,
        "output_attentions": False, "output_hidden_states": False, "output_scores": False,
        "output_logits": False, "return_dict_in_generate": False,
    }
)  # fmt: skip


def refuse_changed_config(model: PreTrainedModel, state: GuardState) -> None:
    """Look whether the model's generation config is the explicit one that it was loaded with.

    Raises:
        SettingsError: It holds a setting that the load did not give it. Other ends of a text are
            followed, and noted as an event.
    """
    if model.generation_config is None:
        raise SettingsError(
            "model.generation_config was taken away after the load",
            remedy="leave it as it is: it is the explicit, greedy one",
        )
    if vars(model.generation_config) == state.config_seen:
        return
    now = effective(model.generation_config)
    before = state.provenance.generation.effective
    changed = {
        name: now.get(name)
        for name in sorted({*now, *before})
        if _plain(now.get(name)) != _plain(before.get(name))
        and (name in _IDS or now.get(name) is not None)  # None is unset
    }
    others = {name: value for name, value in changed.items() if name not in _IDS}
    if others:
        said = ", ".join(f"{name}={value!r}" for name, value in others.items())
        raise SettingsError(
            f"model.generation_config was changed after the load: {said}",
            evidence={"changed": {name: repr(value) for name, value in others.items()}},
            remedy="pass settings to the call, where they are recorded, and set "
            "model.generation_config back; what the call has no keyword for is not done here",
        )
    if changed:
        detail = {name: _plain(value) for name, value in changed.items()}
        last = [event for event in state.events if event.kind == "generation-config-changed"]
        if not last or last[-1].detail != detail:
            state.note("generation-config-changed", hazards.INHERITED_SAMPLING, **detail)
    state.config_seen = copy.deepcopy(vars(model.generation_config))


def effective(config: Any) -> dict[str, Any]:
    """What a generation config says beyond transformers' defaults, without ids of padding and BOS."""
    found: Mapping[str, Any] = config.to_diff_dict()
    return {name: value for name, value in found.items() if name not in NO_SETTING}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value
