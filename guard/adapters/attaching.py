"""PEFT adapters on a guarded model: attached without touching the base, stacked, and recorded."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.adapters.finding import HUB_ID, find_adapter
from guard.adapters.fit import WEIGHTS, refuse_misfit, whole_tensors
from guard.adapters.pickles import PICKLED, unpickled
from guard.adapters.selection import BASE
from guard.adapters.sharing import protect_layers, protect_lender, twin_of
from guard.adapters.trial import settle_prompt
from guard.enforcing.enforcement import watch_of
from guard.errors import (
    AdapterMismatch,
    AdapterNotFoundError,
    GuardWarning,
    PickleWeightsError,
    SettingsError,
)
from guard.files import hub
from guard.files.request import path_text
from guard.prompts.state import GuardState, look_at, state_of
from guard.provenance.adapters import has_adapter_layers, is_idle, live_adapters, merged_adapters
from guard.provenance.measure import file_records
from guard.provenance.record import AdapterRecord
from guard.provenance.tensors import adapter_record

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def attach_adapter(
    model: PreTrainedModel,
    path: str | PathLike[str],
    *,
    name: str = "default",
    on: str | None = None,
    is_trainable: bool = False,
    in_place: bool = False,
    revision: str | None = None,
    allow_pickle: bool = False,
) -> Any:
    """Put an adapter on a guarded model; the guard stays, and its lineage joins the provenance.

    The base model that was passed in goes on giving what it gave: the adapter sits on a copy of its
    modules around the same weights. Several adapters of one base are either attached to the base
    one by one, which gives a model for each, or onto one another, which gives one model to be
    switched by `select_adapter`; there the first stays active.

    Args:
        model: The base model, or what an earlier call returned.
        path: The adapter's directory, or its hub id, which is resolved to a commit and loaded by it.
        name: The adapter's name; `base` is taken.
        on: The adapter below, for one that was trained on top of another (DPO on SFT): selecting
            this one then selects that one as well.
        is_trainable: Its weights are to be trained further.
        in_place: Put it into the base itself, as `PeftModel.from_pretrained` does: what was passed
            in gives the adapter's answers from now on, and its provenance says so.
        revision: Branch, tag or commit of a hub repository.
        allow_pickle: Take weights that are pickled alone (`adapter_model.bin`), which is recorded; they are
            read with `weights_only=True`, so that no code of theirs runs.

    Returns:
        The `PeftModel`, in evaluation mode unless `is_trainable`.

    Raises:
        AdapterMismatch: It does not fit the model, in whole or in part.
        AdapterNotFoundError: No adapter lies there, or the hub has none and cannot be reached.
        PickleWeightsError: Its weights are pickled, and `allow_pickle` is not said.
        SettingsError: The name is taken, there is no adapter called `on`, or a directory is given
            a revision.
        UnguardedModelError: The model was not loaded by CleanModelLoader.
        MissingExtraError: peft is not installed.
    """
    state = state_of(model)
    peft = hub.need("peft", "train")
    text = path_text(path, "the adapter's directory or hub id")
    directory = find_adapter(text, revision, pickles=allow_pickle)
    named = _check(directory, state, allow_pickle=allow_pickle)
    _refuse_name(name)
    with unpickled(directory) as readable:
        taken = _put(
            peft, model, readable, name=name, on=on, is_trainable=is_trainable, in_place=in_place
        )
        weights = adapter_record(readable)
    result, replaces = taken
    state = state_of(result)
    record = AdapterRecord(
        name=name,
        path=str(directory.resolve()),
        base_named=named,
        files=file_records(directory),
        weights=weights,
        on=on,
        replaces=replaces,
        live=live_adapters(result)[name],
    )
    state.provenance = replace(state.provenance, adapters=(*state.provenance.adapters, record))
    state.active_seen = None
    look_at(result)
    if not (directory / WEIGHTS).is_file():
        state.note("adapter-pickled", hazards.PICKLE_WEIGHTS, name=name)
    if not is_trainable and is_idle(result, name):
        state.note("adapter-without-effect", hazards.ADAPTER_AS_BASE, name=name)
        warnings.warn(
            f"the adapter of {directory} has no effect: its update is zero in every layer, and what is "
            "evaluated is the base",
            GuardWarning,
            stacklevel=3,
        )
    return result


def _put(
    peft: Any,
    model: Any,
    directory: Path,
    *,
    name: str,
    on: str | None,
    is_trainable: bool,
    in_place: bool,
) -> tuple[Any, tuple[str, ...]]:
    """The `PeftModel`, and the base's own tensors that the adapter takes the place of."""
    wrapped = isinstance(model, peft.PeftModel)
    known = tuple(model.peft_config) if wrapped else ()
    _refuse_place(model, known if wrapped else None, name, on)
    keep = (watch_of(model).tokenizer,)
    replaces = whole_tensors(model.get_base_model() if wrapped else model, directory)
    written = (
        ()
        if wrapped and replaces
        else refuse_misfit(peft, model, directory, name, keep, own=replaces)
    )
    if wrapped and (replaces or written):
        raise AdapterMismatch(
            f"{directory} "
            + ("holds whole tensors of" if replaces else "takes its part out of the weights of")
            + " the base, which the adapters below would get as well",
            evidence={"tensors": list(replaces or written)},
            remedy="attach it to the base itself, which gives it a model of its own",
        )
    if wrapped:
        model.load_adapter(str(directory), adapter_name=name, is_trainable=is_trainable)
        protect_layers(model.base_model)
        result: Any = model
    else:
        below = model if in_place else twin_of(model, keep, own=(*replaces, *written))
        result = peft.PeftModel.from_pretrained(
            below, str(directory), adapter_name=name, is_trainable=is_trainable
        )
        protect_lender(result.base_model, None if in_place else model)
    result.eval()
    settle_prompt(result, directory, state_of(result))
    if is_trainable:
        result.train()
    return result, tuple(sorted({*replaces, *written}))


def _refuse_place(model: Any, attached: tuple[str, ...] | None, name: str, on: str | None) -> None:
    """Raise SettingsError where the adapter cannot stand: its name, the one below, what the model holds.

    Args:
        model: What it is to be put on.
        attached: The adapters there; None for a base.
        name, on: As in `attach_adapter`.
    """
    known = attached or ()
    if name == BASE or name in known:
        raise SettingsError(
            f"the model has an adapter {name!r} already"
            if name != BASE
            else "`base` is no adapter",
            remedy="give it another name with `name=`",
        )
    if on is not None and on not in known:
        raise SettingsError(
            f"there is no adapter {on!r} for {name!r} to stand on",
            remedy=f"attach {on!r} first, and this one to the model that it gives",
        )
    if attached is None and has_adapter_layers(model):
        raise SettingsError(
            "this base carries an adapter in place already, and a second one would be mixed with it",
            remedy="attach it to the model that the first call returned, or to a base loaded anew",
        )
    if merged_adapters(model):
        raise SettingsError(
            f"{', '.join(merged_adapters(model))} is merged into the weights of this model",
            remedy="attach both adapters before anything is merged, or call merge_and_unload() first",
        )


def _refuse_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip() or "." in name:
        raise SettingsError(
            f"an adapter cannot be called {name!r}", remedy="give it a name without a dot"
        )


def _check(directory: Path, state: GuardState, *, allow_pickle: bool) -> str | None:
    """The base that the adapter's config names; raises if it cannot be attached safely."""
    config = directory / "adapter_config.json"
    if not config.is_file():
        raise AdapterNotFoundError(
            f"{directory} holds no adapter_config.json", remedy="name the directory that PEFT saved"
        )
    pickled = (directory / PICKLED).is_file()
    if not (directory / WEIGHTS).is_file() and not (pickled and allow_pickle):
        raise PickleWeightsError(
            f"{directory} holds {'pickled weights only: ' + PICKLED if pickled else 'no ' + WEIGHTS}",
            remedy="save it anew with a PEFT that writes safetensors"
            + (", or pass allow_pickle=True" if pickled else ""),
        )
    try:
        found = json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (ValueError, RecursionError, AttributeError) as error:
        raise AdapterNotFoundError(
            f"{config} is no JSON object", remedy="fetch the file again"
        ) from error
    named = str(found) if found else None
    here = state.provenance.model_id
    # Paths say nothing: the same base lies in another place on every machine.
    if named and named != here and all(HUB_ID.fullmatch(n) for n in (named, here)):
        state.note("adapter-of-another-base", hazards.ADAPTER_AS_BASE, named=named, base=here)
        warnings.warn(
            f"the adapter was trained on {named}, and this model is {here}",
            GuardWarning,
            stacklevel=3,
        )
    return named
