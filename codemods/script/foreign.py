"""Models and tokenizers that a script gets from other files of the run, and where those load them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import libcst as cst

from codemods.plan.planned import LoadKey
from codemods.script.model_uses import origins_of
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    AdapterAttach,
    AttributeSet,
    Encode,
    Forward,
    Generate,
    LoaderCall,
    ModelLoad,
    TemplateApply,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import CausalLM, Tokenizer, options
from lint_rules._questions.reach import nodes_in


def key_of(path: Path, module: cst.CSTNode, node: cst.CSTNode) -> LoadKey | None:
    """The key of a load, the same on a full tree and on a light one."""
    number = _calls(module).get(node)
    return None if number is None else (str(path.resolve()), number)


@lru_cache(maxsize=8)
def _calls(module: cst.CSTNode) -> dict[cst.CSTNode, int]:
    """The calls of a module, numbered."""
    calls = (part for part in nodes_in(module) if isinstance(part, cst.Call))
    return {call: number for number, call in enumerate(calls)}


def own_loads(script: Script) -> dict[cst.CSTNode, LoadKey]:
    """The loads of the script itself, with their keys."""
    if not script.is_linked:
        return {}
    loads: list[ModelLoad | TokenizerLoad] = [
        *script.flow.events(ModelLoad),
        *script.flow.events(TokenizerLoad),
    ]
    keys = {load.node: key_of(script.path, script.module, load.node) for load in loads}
    return {node: key for node, key in keys.items() if key is not None}


def foreign_loads(script: Script) -> dict[cst.CSTNode, LoadKey | None]:
    """What the script uses that another file loads, with the load's key; None where it is not found.

    What a CleanModelLoader of another file loads is guarded already, and not among it.
    """
    found: dict[cst.CSTNode, LoadKey | None] = {}
    for origin in _origins(script):
        if origin is None or origin in found or _is_own(script, origin):
            continue
        if script.flow.event_elsewhere(origin, LoaderCall) is not None:
            continue
        found[origin] = None
        for kind in (ModelLoad, TokenizerLoad):
            where = script.flow.module_elsewhere(origin, kind)
            if where is not None:
                found[origin] = key_of(*where, origin)
    return found


def _is_own(script: Script, origin: cst.CSTNode) -> bool:
    return any(
        script.flow.event_at(origin, kind) is not None
        for kind in (ModelLoad, TokenizerLoad, LoaderCall, AdapterAttach)
    )


def _origins(script: Script) -> Iterator[cst.CSTNode | None]:
    flow = script.flow
    for call in flow.events(Generate):
        yield from origins_of(script, call)
    for forward in flow.events(Forward):
        yield from origins_of(script, forward)
    for attach in flow.events(AdapterAttach):
        yield attach.model.origin
    for encode in flow.events(Encode):
        yield encode.tokenizer.origin
    for applied in flow.events(TemplateApply):
        yield applied.tokenizer.origin
    for event in flow.events(AttributeSet):
        if isinstance(event.target, Tokenizer):
            yield event.target.origin
    yield from given_origins(script)


def given_origins(script: Script) -> Iterator[cst.CSTNode]:
    """The loads whose models and tokenizers other files give the functions of the script."""
    for given in script.given.values():
        for value in given.values():
            for option in options(value):
                if isinstance(option, (CausalLM, Tokenizer)) and option.origin is not None:
                    yield option.origin
