"""Whether an adapter's file fits a model, whole and in every part, before it is put on it.

PEFT attaches a file none of whose tensors fit, with a warning, and passes over tensors that are left
over; what runs then is the base, or a part of the adapter.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.report.counting import counted
from guard.adapters.sharing import Lent
from guard.adapters.trial import refuse_odd, settle_prompt
from guard.base.messages import first_line
from guard.enforcing.passing import vetted
from guard.errors import AdapterMismatch, GuardError
from guard.files.devices import memory_is_full
from guard.files.hub import torch
from guard.prompts.state import state_of
from guard.provenance.tensors import BrokenSafetensors, tensor_digests

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
_LEAVE_THE_BASE = frozenset({"", "gaussian", "eva", "orthogonal", "mica"})
_PREFIX = "base_model.model."
_BELOW = ".base_layer."
_SIZES = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\((\[[\d, ]*\])\) from "
    r"checkpoint, the shape in current model is torch\.Size\((\[[\d, ]*\])\)"
)


def whole_tensors(model: Any, directory: Path) -> tuple[str, ...]:
    """The tensors of the base itself that an adapter's file holds, by their names in the base.

    PEFT stores the embeddings beside the adapter where the vocabulary was changed, the biases that were
    trained with it (`bias="all"`, `"lora_only"`), and the weights below an adapted embedding or head,
    which count where they are not the base's own.

    Raises:
        AdapterMismatch: The file is torn, or such a tensor has another shape: another vocabulary.
    """
    try:
        stored = tensor_digests((directory / WEIGHTS,))
    except (BrokenSafetensors, OSError) as error:
        raise AdapterMismatch(
            f"{directory / WEIGHTS} cannot be read: {error}", remedy="fetch the file again"
        ) from error
    own = dict(model.named_parameters(remove_duplicate=False))
    takes = (
        _beginning(directory) not in _LEAVE_THE_BASE
    )  # what it writes is seen when it is tried on
    found = {
        name: stored[there].shape
        for name, there in _in_base(directory).items()
        if name in own and not (_BELOW in there and (takes or _holds(directory, there, own[name])))
    }
    for name, shape in found.items():
        if own[name].shape != shape:
            raise AdapterMismatch(
                f"{directory} holds {name} of shape {list(shape)}, and the model's is "
                f"{list(own[name].shape)}: it was trained on another vocabulary, or another model",
                evidence={"tensor": name, "adapter": list(shape), "model": list(own[name].shape)},
                remedy="name the base that it was trained on",
            )
    return tuple(sorted(found))


def refuse_misfit(
    peft: Any,
    model: PreTrainedModel,
    directory: Path,
    name: str,
    keep: Sequence[object],
    own: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Attach an adapter to a throwaway copy of a model's modules, and look what fitted.

    Args:
        peft: The package.
        model: The base, or a `PeftModel` on one; it is left as it is.
        directory: The adapter's.
        name: What it is to be called.
        keep: Objects that the copy shares with the model.
        own: Tensors of the base that the file holds whole, as `whole_tensors` found them.

    Returns:
        The weights of the base that PEFT writes into while it attaches this adapter, by their names.

    Raises:
        AdapterMismatch: Tensors that the file lacks, that it has beyond those of its configuration,
            or that have another shape; or a configuration that PEFT can make nothing of.
    """
    begin = _beginning(directory)
    if begin.startswith("pissa_niter"):
        raise AdapterMismatch(
            f"{directory} begins with a random factorisation of the base (init_lora_weights={begin!r}), which "
            "PEFT draws anew on every load: what would run is not what was trained",
            remedy="convert it to a plain LoRA where it was trained: "
            "save_pretrained(DIR, path_initial_model_for_weight_conversion=…)",
        )
    wrapped = isinstance(model, peft.PeftModel)
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    lent = Lent(model, () if begin in _LEAVE_THE_BASE else _weights_of(model, own))
    written: tuple[str, ...] = ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = lent.twin(model, keep=tuple(keep), own=own)
            before = {id(parameter) for parameter in trial.parameters()}
            with _load_report(trial.get_base_model() if wrapped else trial) as report:
                if wrapped:
                    trial.load_adapter(str(directory), adapter_name=name)
                else:
                    trial = peft.PeftModel.from_pretrained(trial, str(directory), adapter_name=name)
            # What the file holds below an adapted layer was looked at by whole_tensors.
            judged = {*own, *(_in_base(directory) if begin in _LEAVE_THE_BASE else ())}
            written = tuple(name for name in lent.written(trial) if name not in judged)
    except (GuardError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        raise _misfit(directory, error) from error
    else:
        _refuse_mute(trial, model, directory, name)
    finally:
        lent.take_back()
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
    if trial.peft_config[name].is_prompt_learning:
        return ()  # its one tensor is loaded on a road of its own, which refuses another shape
    new = {n for n, parameter in trial.named_parameters() if id(parameter) not in before}
    # Not all that an adapter holds is stored: AdaLoRA's ranks, VeRA's frozen matrices.
    stored = peft.get_peft_model_state_dict(trial, adapter_name=name, save_embedding_layers=False)
    missing = sorted(
        each for each in new & report["missing"] if each.replace(f".{name}", "") in stored
    )
    left = sorted(report["unexpected"])
    if missing or left:
        raise AdapterMismatch(
            f"{directory} does not fit {type(model).__name__}: " + _told(missing, left, len(new)),
            evidence={"missing": missing[:50], "left_over": left[:50], "wanted": len(new)},
            remedy="name the base that it was trained on; an adapter that was saved through a wrapper "
            "has other names, and is saved again from the PeftModel itself",
        )
    return written


def _refuse_mute(trial: Any, model: Any, directory: Path, name: str) -> None:
    """Raise AdapterMismatch where the copy cannot read two tokens: an adapter that fits and does not run."""
    if any(parameter.is_meta for parameter in trial.parameters()):
        return  # weights that lie on a disk are read by the model itself only
    trial.eval()
    trial.set_adapter(name)
    ids = torch.zeros((1, 2), dtype=torch.long, device=trial.device)
    states = state_of(model), state_of(trial)
    try:
        with vetted(*states), torch.no_grad():
            trial(input_ids=ids, attention_mask=torch.ones_like(ids))
        settle_prompt(trial, directory, *states)
        refuse_odd(trial, directory, *states)
    except AdapterMismatch:
        raise
    except Exception as error:
        if memory_is_full(error):
            raise
        kind = type(trial.peft_config[name]).__name__
        said = first_line(error)
        raise AdapterMismatch(
            f"{directory} fits, and the model cannot compute with it: {type(error).__name__}: {said}",
            evidence={"kind": kind, "error": type(error).__name__},
            remedy=f"the installed peft {version('peft')} cannot run this {kind} by text alone on this model; "
            "merge it into a checkpoint where it runs, or evaluate it with its own code",
        ) from error


def _in_base(directory: Path) -> dict[str, str]:
    """The names of an adapter's tensors by what they would be called in the base."""
    stored = tensor_digests((directory / WEIGHTS,))
    return {name.removeprefix(_PREFIX).replace(_BELOW, "."): name for name in stored}


def _holds(directory: Path, name: str, parameter: torch.nn.Parameter) -> bool:
    """Whether a tensor of an adapter's file is what the base has already, in the base's dtype."""
    from safetensors import safe_open

    with safe_open(directory / WEIGHTS, framework="pt") as file:
        stored = file.get_tensor(name)
    here = parameter.detach().to("cpu")
    return bool(stored.shape == here.shape and torch.equal(stored.to(here.dtype), here))


def _beginning(directory: Path) -> str:
    """How an adapter's factors begin on every load; some take their part out of the base's weights first."""
    found = json.loads((directory / "adapter_config.json").read_bytes()).get("init_lora_weights")
    return found.lower() if isinstance(found, str) else ""


def _weights_of(model: Any, own: tuple[str, ...]) -> tuple[str, ...]:
    """The weights of a model that an adapter may stand on: matrices, but not those of adapters."""
    return tuple(
        name
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if parameter.dim() > 1 and type(parameter) is torch.nn.Parameter and name not in own
    )


def _told(missing: list[str], left: list[str], wanted: int) -> str:
    said = []
    if missing:
        said.append(
            f"{len(missing)} of the {wanted} tensors of its configuration are not in its file "
            f"({', '.join(missing[:2])}, …)"
        )
    if left:
        verb = "fits" if len(left) == 1 else "fit"
        tensors = counted(len(left), "tensor")
        said.append(f"{tensors} of its file {verb} nothing ({', '.join(left[:2])}, …)")
    return ", and ".join(said)


def _misfit(directory: Path, error: Exception) -> AdapterMismatch:
    sizes = _SIZES.findall(str(error))
    if sizes:
        name, there, here = sizes[0]
        return AdapterMismatch(
            f"{directory}: {len(sizes)} tensors have another shape than this model's ({name} {there}, "
            f"here {here})",
            evidence={"mismatched": [name for name, _, _ in sizes][:50]},
            remedy="name the base that it was trained on: another size, or another vocabulary",
        )
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if isinstance(error, KeyError):
        reason = f"{reason} is missing from its adapter_config.json, or nothing that peft knows"
    return AdapterMismatch(
        f"{directory} cannot be put on this model: {reason}",
        remedy="look at its adapter_config.json, and name the base that it was trained on",
    )


@contextmanager
def _load_report(base: torch.nn.Module) -> Iterator[dict[str, set[str]]]:
    """What a load of weights through a module lacked and had beyond; filled while the block runs."""
    report: dict[str, set[str]] = {"missing": set(), "unexpected": set()}

    def look(_module: Any, keys: Any) -> None:
        report["missing"] |= set(keys.missing_keys)
        report["unexpected"] |= set(keys.unexpected_keys)

    handle = base.register_load_state_dict_post_hook(look)
    try:
        yield report
    finally:
        handle.remove()
