"""Loads and saves: raw ones, adapters nobody asked for, remote code, pickles, lost templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cleanguard.catalogue import hazards
from cleanguard.catalogue.standing import is_not_causal, standing_of
from guard.observing.events import Load, Save
from guard.prompts.names import ends_a_turn
from guard.tracing.facts import Fact, places
from guard.tracing.subjects import Subjects, completes_text

_PIN = re.compile(r"[0-9a-f]{40}")
_UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def of_load(load: Load, subjects: Subjects) -> Iterator[Fact]:
    """What is wrong with a load that the guard did not make."""
    if load.guarded:
        return
    if load.raised is not None:
        yield from _unknown_keyword(load)
        return
    if load.what == "quantization":
        yield from _quantization(load)
    if load.what == "model" and completes_text(load, subjects.recorder):
        yield from _raw_model(load, subjects)
        yield from _files(load)
        if load.loaded.get("adapters"):
            names = ", ".join(load.loaded["adapters"])
            said = f"loading {_called(load)} attached the adapter {names}, which nobody asked for"
            yield _fact(load, hazards.ADAPTER_AS_BASE, said)
    if load.what in ("model", "tokenizer"):
        yield from _tokenizers(load, subjects)
    if load.what == "tokenizer" and _clears_template(load, subjects):
        said = f"{_called(load)} was loaded with chat_template=None, which changes no token id"
        yield _fact(load, hazards.TEMPLATE_DISABLED_BY_HAND, said)
    if load.what == "adapter":
        yield from _over_another(load)
    if load.what != "quantization":
        yield from _repository(load)


def of_save(save: Save, subjects: Subjects) -> Iterator[Fact]:
    """A tokenizer that is saved without the template that it was loaded with."""
    load = subjects.loads.get(save.subject)
    if save.what != "tokenizer" or load is None or save.raised is not None:
        return
    had, has = load.loaded.get("template_sha256"), save.saved.get("template_sha256")
    if had and not has:
        yield Fact(
            hazards.TEMPLATE_STRIPPED_SAVE,
            "error",
            save.site,
            f"the tokenizer of {_called(load)} was loaded with a chat template and is saved "
            "without one",
            places(save),
            MappingProxyType({"loaded": had, "saved": has, "folder": save.folder}),
        )


def _raw_model(load: Load, subjects: Subjects) -> Iterator[Fact]:
    assert load.subject is not None
    if is_not_causal(load.name):
        return
    tokenizer = subjects.tokenizer_for(load.subject)
    severity = subjects.scope.severity(subjects.standing(load.subject, tokenizer))
    if severity is not None:
        said = (
            f"`{load.asked_class}.from_pretrained` loaded {_called(load)} outside CleanModelLoader"
        )
        yield _fact(load, hazards.RAW_MODEL_LOAD, said, severity)


def _tokenizers(load: Load, subjects: Subjects) -> Iterator[Fact]:
    """Tokenizers of causal models, told once both are loaded; a name that says base and an end that says chat."""
    others = [one for one in subjects.loads.values() if one.name == load.name and one is not load]
    models = [one for one in (load, *others) if one.what == "model"]
    models = [one for one in models if completes_text(one, subjects.recorder)]
    for found in (load, *others):
        if found.what != "tokenizer" or found.guarded or found.subject is None:
            continue
        named = standing_of(load.name, subjects.scope.base_models, subjects.scope.chat_models)
        if models and models[0].subject is not None:
            named = subjects.standing(models[0].subject, found.subject)
        severity = subjects.scope.severity(named)
        first = found.number not in subjects.told
        if severity is not None and (models or named == "base") and first:
            subjects.told.add(found.number)
            said = f"the tokenizer of {_called(found)} was loaded outside CleanModelLoader"
            yield _fact(found, hazards.RAW_TOKENIZER_LOAD, said, severity)
        eos = found.loaded.get("eos")
        says_base = standing_of(load.name, subjects.scope.base_models) == "base"
        if says_base and isinstance(eos, str) and ends_a_turn(eos):
            said = f"{_called(found)} is named as a base model and its EOS {eos!r} ends a chat turn"
            yield _fact(found, hazards.CHAT_MODEL_AS_BASE, said)


def _files(load: Load) -> Iterator[Fact]:
    folder = Path(load.name)
    pickled = load.asked.get("use_safetensors") is False
    if folder.is_dir():
        names = [path.name for path in folder.iterdir()]
        pickled = any(name.endswith(".bin") for name in names) and (
            pickled or not any(name.endswith((".safetensors", ".gguf")) for name in names)
        )
    if pickled:
        said = f"the weights of {_called(load)} came from a pickle"
        yield _fact(load, hazards.PICKLE_WEIGHTS, said, "warning")


def _repository(load: Load) -> Iterator[Fact]:
    if load.asked.get("trust_remote_code") is True:
        ran = load.loaded.get("remote_code")
        effect = "its Python ran" if ran else "no code of the repository was needed"
        said = f"{_called(load)} was loaded with trust_remote_code=True; {effect}"
        yield _fact(load, hazards.REMOTE_CODE, said, "error" if ran is not False else "warning")
    on_hub = load.what in ("model", "tokenizer", "adapter") and not Path(load.name).exists()
    if on_hub and _HUB_ID.fullmatch(load.name):
        revision = load.asked.get("revision")
        if not (isinstance(revision, str) and _PIN.fullmatch(revision)):
            said = f"{_called(load)} was loaded from revision {revision or 'main'}, which moves"
            yield _fact(load, hazards.UNPINNED_REVISION, said)


def _clears_template(load: Load, subjects: Subjects) -> bool:
    if "chat_template" not in load.asked or load.asked["chat_template"] or load.subject is None:
        return False
    return subjects.severity_of_tokenizer(load.subject) is not None


def _over_another(load: Load) -> Iterator[Fact]:
    """An adapter under a name that was taken: peft replaces only what both have."""
    name = str(load.asked.get("adapter_name") or "default")
    if name in (load.loaded.get("held") or ()):
        said = (
            f"the adapter {name!r} was loaded over one of that name, whose other parts stay active"
        )
        yield _fact(load, hazards.ADAPTER_OVER_ADAPTER, said)


def _unknown_keyword(load: Load) -> Iterator[Fact]:
    said = _UNKNOWN.search(str(load.loaded.get("error")))
    if load.raised == "TypeError" and said is not None and said[1] in load.asked:
        told = f"`{load.asked_class}.from_pretrained` does not take `{said[1]}`: {load.raised}"
        yield _fact(load, hazards.UNKNOWN_KEYWORD, told)


def _quantization(load: Load) -> Iterator[Fact]:
    came, silent = load.loaded.get("config") or {}, load.loaded.get("unknown") or ()
    if not came:
        return
    bits = "8-bit" if came.get("load_in_8bit") else "4-bit"
    kind = f" ({came.get('bnb_4bit_quant_type')})" if bits == "4-bit" else ""
    said = f"a quantization config for {bits}{kind} was put together by hand"
    if not came.get("load_in_8bit") and not came.get("load_in_4bit"):
        said += ": with neither flag set transformers loads 4-bit weights"
    yield _fact(load, hazards.QUANTIZATION_BY_HAND, said, "warning")
    if silent:
        names = ", ".join(f"`{name}`" for name in silent)
        said = f"BitsAndBytesConfig does not know {names} and took it without a word"
        yield _fact(load, hazards.UNKNOWN_KEYWORD, said)


def _called(load: Load) -> str:
    name = load.name or load.asked_class
    return f"`{Path(name).name if Path(name).is_absolute() else name}`"


def _fact(load: Load, hazard: hazards.Hazard, said: str, severity: Any = None) -> Fact:
    evidence = {"asked": dict(load.asked), "loaded": dict(load.loaded), "name": load.name}
    return Fact(
        hazard,
        severity or hazard.severity,
        load.site,
        said,
        places(load),
        MappingProxyType(evidence),
    )
