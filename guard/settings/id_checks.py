"""What `generate_ids` is given, looked at before anything runs: ids, their mask, and what goes on to the library."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from guard.base.modes import unwrapped
from guard.errors import EmptyPromptError, SettingsError, UnknownIdsError
from guard.files.hub import torch, transformers

_Rule = tuple[Callable[[Any, float], bool], str]


def _id(value: Any, rows: float) -> bool:
    whole = not isinstance(value, bool) and isinstance(value, Integral)
    return whole and 0 <= value < rows


def _ids(value: Any, rows: float) -> bool:
    return isinstance(value, (list, tuple)) and all(_id(one, rows) for one in value)


def _sequences(value: Any, rows: float) -> bool:
    full = isinstance(value, (list, tuple)) and bool(value)
    return full and all(bool(one) and _ids(one, rows) for one in value)


def _number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _biases(value: Any, rows: float) -> bool:
    pairs = value.items() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)) or not value:
        return False
    whole = all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs)
    return whole and all(
        bool(ids) and _ids(ids, rows) and isinstance(bias, float) for ids, bias in pairs
    )


_IDS: _Rule = (lambda value, _: _ids(value, math.inf), "a list of ids")
_SWITCH: _Rule = (lambda value, _: isinstance(value, bool), "True or False")
_RULES: Mapping[str, _Rule] = {
    "min_length": (lambda value, _: _id(value, math.inf), "a whole number from 0"),
    "bad_words_ids": (_sequences, "a list of lists of the model's ids, none empty"),
    "max_time": (lambda value, _: _number(value) and value >= 0, "a number of seconds"),
    "suppress_tokens": _IDS,
    "begin_suppress_tokens": _IDS,
    "sequence_bias": (_biases, "a dict of tuples of the model's ids to floats, not empty"),
    "prefix_allowed_tokens_fn": (
        lambda value, _: callable(value),
        "a function of a row's number and its ids, which gives a list of ids",
    ),
    **dict.fromkeys(
        (
            *("remove_invalid_values", "return_dict_in_generate", "output_scores", "output_logits"),
            *("output_attentions", "output_hidden_states", "synced_gpus"),
        ),
        _SWITCH,
    ),
}


def refuse_other_options(options: Mapping[str, Any], rows: int | None) -> None:
    """Look whether the library could follow the keywords that are handed on to it.

    Args:
        options: As they are merged; None is not said.
        rows: Of the model's embedding, where it is known: ids are below it.

    Raises:
        SettingsError: A keyword does not take its value.
    """
    most = math.inf if rows is None else rows
    for name, (fits, what) in _RULES.items():
        value = options.get(name)
        if value is not None and not fits(value, most):
            below = f"; they are below {rows}" if rows is not None and "model's ids" in what else ""
            raise SettingsError(f"{name}={value!r}", remedy=f"{name} is {what}{below}")
    if options.get("synced_gpus") and not torch.distributed.is_initialized():
        raise SettingsError(
            "synced_gpus=True, and this process is in no group of processes",
            remedy="leave it out, or call torch.distributed.init_process_group first",
        )


def sound_prefixes(function: Callable[[int, Any], Any], rows: int | None) -> Callable[..., Any]:
    """A `prefix_allowed_tokens_fn` whose answers are looked at.

    Raises:
        SettingsError: It allows nothing, or ids that the model does not have; when it is called.
    """

    def allowed(row: int, ids: torch.Tensor) -> Any:
        found = function(row, ids)
        try:
            known = torch.as_tensor(found)
            fits = bool(known.numel()) and not known.is_floating_point() and int(known.min()) >= 0
            fits = fits and (rows is None or int(known.max()) < rows)
        except (TypeError, ValueError, RuntimeError):
            fits = False
        if not fits:
            raise SettingsError(
                f"prefix_allowed_tokens_fn allows {str(found)[:60]} behind row {row}",
                evidence={"row": row, "positions": int(ids.shape[0])},
                remedy="give a list of the model's ids, EOS where the text is to end",
            )
        return found

    return allowed


def refuse_other_ids(ids: object, rows: int | None) -> None:
    """Look whether something is a tensor of ids that a model has.

    Args:
        ids: What was given.
        rows: Of the model's embedding, where it is known.

    Raises:
        SettingsError: It is not, with what it is.
        EmptyPromptError: It holds no id.
        UnknownIdsError: It holds others than the model has.
    """
    if not isinstance(ids, torch.Tensor) or ids.dim() != 2:
        shape = tuple(ids.shape) if isinstance(ids, torch.Tensor) else type(ids).__name__
        raise SettingsError(
            f"generate_ids takes a tensor of ids of shape (rows, positions), not {shape}",
            remedy="pass a text to generate, or torch.tensor([ids]) here",
        )
    _refuse_unreadable("ids", ids)
    if not ids.numel():
        raise EmptyPromptError(
            f"generate_ids was given no ids: shape {tuple(ids.shape)}",
            remedy="a prompt has at least one token, such as BOS",
        )
    if ids.dtype not in (torch.int64, torch.int32):
        raise SettingsError(
            f"generate_ids was given ids of {ids.dtype}",
            remedy="ids are of torch.int64: ids.long()",
        )
    least, most = int(ids.min()), int(ids.max())
    if least < 0 or (rows is not None and most >= rows):
        other = least if least < 0 else most
        said = "from 0" if rows is None else f"from 0 to {rows - 1}"
        raise UnknownIdsError(
            f"the id {other} is among the ids, and the model's are {said}",
            evidence={"id": other, "rows": rows},
            remedy="tokenise with the model's own tokenizer; what is a label's -100 is no id of a prompt",
        )


def refuse_no_mask(mask: object, ids: torch.Tensor) -> None:
    """Look whether something is a mask of ids: 1 where a token is seen, 0 where not.

    Raises:
        SettingsError: It is not, with what it is.
    """
    if mask is None:
        return
    shape = tuple(mask.shape) if isinstance(mask, torch.Tensor) else type(mask).__name__
    if shape != tuple(ids.shape):
        raise SettingsError(
            f"attention_mask is a tensor of the ids' shape {tuple(ids.shape)}, not {shape}",
            remedy="cut and repeat it as the ids are; leave it out where nothing is padded",
        )
    assert isinstance(mask, torch.Tensor)
    _refuse_unreadable("attention_mask", mask)
    if not bool(((mask == 0) | (mask == 1)).all()):
        raise SettingsError(
            "attention_mask holds other values than 0 and 1",
            remedy="1 stands for a token that is seen, 0 for one that is not",
        )


def refuse_other_types(model: Any, types: object, ids: torch.Tensor) -> None:
    """Look whether a model takes token types, and these are of the ids' shape.

    Raises:
        SettingsError: It does not, or they are not.
    """
    if types is None:
        return
    base = unwrapped(model)
    if "token_type_ids" not in inspect.signature(base.forward).parameters:
        raise SettingsError(
            f"{type(base).__name__} takes no token_type_ids",
            remedy="leave them out, or tokenise with return_token_type_ids=False",
        )
    if not isinstance(types, torch.Tensor) or types.shape != ids.shape:
        raise SettingsError(
            f"token_type_ids are no tensor of the ids' shape {tuple(ids.shape)}",
            remedy="cut and repeat them as the ids are",
        )


def refuse_other_helpers(
    config: object, tokenizer: object, processors: object, criteria: object, streamer: object
) -> None:
    """Look whether what comes along is of the kinds that transformers knows.

    Raises:
        SettingsError: One is of another.
    """
    if config is not None and not isinstance(config, transformers.GenerationConfig):
        raise SettingsError(
            f"generation_config is a GenerationConfig, not {type(config).__name__}",
            remedy="GenerationConfig(**settings), or the settings as keywords",
        )
    if tokenizer is not None and not isinstance(tokenizer, transformers.PreTrainedTokenizerBase):
        raise SettingsError(
            f"tokenizer={type(tokenizer).__name__}", remedy="pass the tokenizer that was loaded"
        )
    for name, given in (("logits_processor", processors), ("stopping_criteria", criteria)):
        if given is None:
            continue
        if not isinstance(given, (list, tuple)) or not all(map(callable, given)):
            raise SettingsError(
                f"{name} is a list of functions of ids and scores", remedy=f"{name}=[one, other]"
            )
    if streamer is not None and not (
        callable(getattr(streamer, "put", None)) and callable(getattr(streamer, "end", None))
    ):
        raise SettingsError(
            f"streamer={type(streamer).__name__} has no put and end",
            remedy="pass transformers' TextStreamer(tokenizer), or a class with both",
        )


def _refuse_unreadable(name: str, tensor: torch.Tensor) -> None:
    if tensor.is_meta or tensor.layout != torch.strided:
        kind = "on the meta device" if tensor.is_meta else f"of layout {tensor.layout}"
        raise SettingsError(
            f"{name} is a tensor {kind}, which holds no values to look at one by one",
            remedy=f"pass {name} as a plain tensor, on the model's device or the CPU",
        )
