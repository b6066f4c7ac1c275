"""Values of config.json that no model can have, and which value a library's error is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from guard.errors import ModelNotFoundError
from guard.files.hub import torch, transformers
from guard.files.request import LoadRequest
from guard.files.source import ModelSource

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

CONFIG = "config.json"
_COUNTS = (
    *("vocab_size", "hidden_size", "n_embd", "d_model", "intermediate_size", "head_dim"),
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    *("num_attention_heads", "n_head", "n_heads", "num_heads", "num_key_value_heads"),
    *("max_position_embeddings", "n_positions"),
)
_ROTARY = ("rope_scaling", "rope_parameters")


def refuse_senseless(request: LoadRequest, source: ModelSource) -> None:
    """Refuse sizes that are zero or negative, and a dtype that no weights can be computed in.

    Raises:
        ModelNotFoundError: With the field and its value.
    """
    config = source.read_json(CONFIG)
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, dict) else {}):
        for name in _COUNTS:
            value = part.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value <= 0:
                raise _senseless(source, name, value, "a number above zero")
        for name in _ROTARY:
            _refuse_rotary(source, name, part.get(name))
        _refuse_rotary(source, "", {"rope_theta": part.get("rope_theta")})
    for name in ("dtype", "torch_dtype"):
        named = config.get(name)
        for value in named.values() if isinstance(named, dict) else (named,):
            if not _computes(value, known=request.dtype != "auto"):
                raise _senseless(
                    source, name, value, "one that weights are computed in, such as bfloat16"
                )


def refuse_window(config: PreTrainedConfig, source: ModelSource) -> None:
    """Refuse a window of attention that holds nothing, in layers that have one: they answer all the same.

    Raises:
        ModelNotFoundError: With its value.
    """
    inner = config.get_text_config()
    window = getattr(inner, "sliding_window", None)
    used = "sliding_attention" in (getattr(inner, "layer_types", None) or ())
    if used and isinstance(window, int) and window <= 0:
        raise _senseless(source, "sliding_window", window, "a number above zero, or null")


def reason(error: BaseException, source: ModelSource) -> str:
    """What an error of a library says, with the value of config.json that it is about, where it tells."""
    config = source.read_json(CONFIG)
    if isinstance(error, KeyError) and error.args:
        key = error.args[0]
        for name, value in _values(config):
            if isinstance(key, str) and value == key:
                return f"{name} is {key!r}, which transformers {transformers.__version__} does not know"
    said = summary(error)
    if "Unrecognized configuration class" in said:
        return (
            f"model_type {config.get('model_type')!r} has no causal language model in transformers "
            f"{transformers.__version__}"
        )
    if "padding_idx" in said.lower():
        said += f" (pad_token_id is {config.get('pad_token_id')!r}, vocab_size {config.get('vocab_size')!r})"
    return said


def summary(error: BaseException) -> str:
    """What an error says, in one line; its class where it says nothing."""
    if isinstance(error, KeyError) and error.args:
        # Some are raised with a whole sentence.
        key = str(error.args[0])
        return key if " " in key else f"one of its JSON files lacks {key!r}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # Checks of classes name the field in one line (pydantic in two) and what is wrong in the next.
    more = 2 if lines[0].endswith(":") else 3 if " validation error" in lines[0] else 1
    return " ".join(lines[:more])


def _refuse_rotary(source: ModelSource, name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        return
    for key in ("rope_theta", "factor"):
        number = value.get(key)
        said = f"{name}.{key}".strip(".")
        if isinstance(number, bool) or not isinstance(number, (int, float, type(None))):
            raise _senseless(source, said, number, "a number")
        if number is not None and not number > 0:
            raise _senseless(source, said, number, "a number above zero")


def _computes(value: Any, *, known: bool) -> bool:
    """Whether weights are computed in a dtype; where the caller said another, any that torch has will do."""
    if value is None:
        return True
    found = getattr(torch, value, None) if isinstance(value, str) else None
    if not isinstance(found, torch.dtype):
        return False
    # Those of 8 and 4 bit are stored in, and torch has no arithmetic for them.
    return known or (found.is_floating_point and found.itemsize > 1)


def _values(part: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        where = f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _values(value, f"{where}.")
        elif isinstance(value, list):
            yield from ((where, each) for each in value)
        else:
            yield where, value


def _senseless(source: ModelSource, name: str, value: Any, wanted: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"{source.directory / CONFIG}: {name} is {value!r}, and is to be {wanted}",
        evidence={"field": name, "value": repr(value)},
        remedy="fetch the file again, or correct that value",
    )
