"""Judges tensors of a checkpoint that no part of the loaded model takes, and heads that are not tied."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.report.counting import counted
from guard.base.checks import CheckList
from guard.errors import MissingWeightsError
from guard.files.hub import torch, transformers
from guard.files.source import ModelSource
from guard.provenance.measure import is_tied
from guard.provenance.tensors import (
    BrokenSafetensors,
    tensor_digests,
    tensor_shapes,
    weight_files,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_NUMBER = re.compile(r"\.\d+(?=\.)")
_BUFFERS = ("inv_freq", "masked_bias", "causal_mask", "cos_cached", "sin_cached")


def unused_tensors(
    model: PreTrainedModel, report: Mapping[str, Any], model_id: str
) -> tuple[str, ...]:
    """The stored tensors that the model takes none of, where it can do without them.

    Args:
        model: As it was loaded.
        report: What transformers says of the load.
        model_id: For the message.

    Returns:
        Their names, sorted: tensors of parts that this class does not have (a value head, a vision
        tower, a second output).

    Raises:
        MissingWeightsError: They belong to parts that it does have: further layers, or a bias of a
            layer that is there. The model would be another one than the files hold.
    """
    unused = sorted(str(name) for name in report.get("unexpected_keys") or ())
    inside = _belonging(unused, model) if unused else []
    if inside:
        raise MissingWeightsError(
            f"the weight files of {model_id} hold {counted(len(inside), 'tensor')} that config.json leaves out "
            f"({', '.join(inside[:3])}{', …' if len(inside) > 3 else ''}): what would be loaded is a part of the model",
            evidence={"unused": inside[:50], "layers": _layers(model)},
            remedy="correct config.json (number of layers, biases), or fetch the files again",
        )
    return tuple(unused)


def misshapen(
    directory: Path, variant: str | None, config: PreTrainedConfig | None, *, trusted: bool
) -> tuple[str, ...]:
    """The stored tensors that have another shape than the model that a config describes.

    For a load that failed: where a tied head does not fit, transformers says something else. Empty
    where config or files are themselves what is wrong.
    """
    try:
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(
                copy.deepcopy(config), trust_remote_code=trusted
            )
        stored = tensor_shapes(weight_files(directory, variant))
    except Exception:  # noqa: BLE001 - it failed before, and that is what is told then
        return ()
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return tuple(sorted(name for name, shape in stored.items() if wanted.get(name, shape) != shape))


def torn_weights(directory: Path, variant: str | None) -> str:
    """What is wrong with a weight file that cannot be read, with its name; empty where all can be."""
    try:
        tensor_shapes(weight_files(directory, variant))
    except (BrokenSafetensors, OSError) as error:
        return str(error)
    return ""


def makes_no_model(config: PreTrainedConfig, *, trusted: bool) -> bool:
    """Whether no model can be made of a config by itself, without weights or memory for them."""
    try:
        with torch.device("meta"):
            transformers.AutoModelForCausalLM.from_config(
                copy.deepcopy(config), trust_remote_code=trusted
            )
    except Exception:  # noqa: BLE001 - what the classes raise is no matter here
        return True
    return False


def check_use(
    model: PreTrainedModel,
    source: ModelSource,
    unused: tuple[str, ...],
    checks: CheckList,
    variant: str | None = None,
) -> None:
    """Note tensors that were left over, and a head that is not what the config says of it."""
    said = f"{len(unused)} stored tensors belong to no part of it: {', '.join(unused[:8])}"
    checks.add("every-tensor-used", None, said if unused else "", "recorded" if unused else "pass")
    wanted = getattr(model.config.get_text_config(), "tie_word_embeddings", None)
    tied = is_tied(model)
    heads = _heads(model, source, variant) if tied or wanted else ()
    # transformers 5.0 leaves a head that equals the embedding beside it.
    if wanted is not None and tied is not None and bool(wanted) != tied and len(set(heads)) != 1:
        said = (
            "config.json ties the output head to the embedding, and the files hold a head of its own, "
            "which was loaded"
            if wanted
            else "config.json unties the output head, and it is the embedding"
        )
        checks.add("tied-as-configured", None, said, "recorded")
        return
    if tied and len(set(heads)) > 1:
        said = (
            "the files hold a head that differs from the embedding, and the head is the embedding"
        )
        checks.add("tied-as-configured", None, said, "recorded")
    else:
        checks.add("tied-as-configured")


def _heads(model: PreTrainedModel, source: ModelSource, variant: str | None) -> tuple[str, ...]:
    """The digests of the embedding and of the head as the files have them, under their usual names."""
    stored = tensor_digests(weight_files(source.directory, variant))
    parts = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name for name, module in model.named_modules() if module in parts]
    return tuple(stored[f"{n}.weight"].sha256 for n in names if f"{n}.weight" in stored)


def _belonging(unused: Iterable[str], model: PreTrainedModel) -> list[str]:
    """Tensors of a layer that the model has, and all that stand in its blocks or in further ones."""
    layers: set[str] = set()
    others: set[str] = set()
    for name, module in model.named_modules():
        own = any(True for _ in module.parameters(recurse=False))
        (layers if own else others).add(_shape(name, model))
    rows = {name.split(".#.")[0] for name in layers if ".#." in name}
    found = []
    for name in unused:
        module, _, leaf = name.rpartition(".")
        shape = _shape(module, model)
        in_block = ".#." in shape and shape.split(".#.")[0] in rows
        # What old versions saved of a mask or of rotary positions computes nothing.
        idle = leaf in _BUFFERS or shape in others
        if shape in layers or (in_block and not idle):
            found.append(name)
    return found


def _shape(name: str, model: PreTrainedModel) -> str:
    """A module's name with its numbers left out, and without the prefix that bare decoders lack."""
    return _NUMBER.sub(".#", f".{name.removeprefix(f'{model.base_model_prefix}.')}.")


def _layers(model: PreTrainedModel) -> int | None:
    found = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    return None if found is None else int(found)
