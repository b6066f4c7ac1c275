"""On what a guarded call is written: on the model's own loader where it is at hand, else on the class."""

from __future__ import annotations

import libcst as cst

from codemods.facts.load_targets import names_for, target_of
from codemods.script.script import Script
from lint_rules._flow.values.events import AdapterAttach, Generate, LoaderCall, ModelLoad, Place

CLASS = "CleanModelLoader"


def loader_at(
    script: Script, call: Generate | AdapterAttach, unmigrated: frozenset[cst.CSTNode]
) -> str:
    """`loader` where the loader of this very model is certainly bound, `CleanModelLoader` elsewhere.

    The methods are static, so both mean the same. Certain is what stands in the same function, in or
    below a statement after the load in the load's own block, with no other loader under that name.
    """
    origin = call.model.origin
    load = script.flow.event_at(origin, ModelLoad)
    if load is not None:
        name = None if load.node in unmigrated else _name_to_come(script, load)
        place = load.place
    else:
        loaded = script.flow.event_at(origin, LoaderCall)
        if loaded is None:
            return CLASS
        name, place = _name_there(script, loaded), loaded.place
    if name is None or place.function is not call.place.function:
        return CLASS
    return name if _comes_after(script, place, call.node) else CLASS


def _name_to_come(script: Script, load: ModelLoad) -> str | None:
    """The loader's name beside a load that is rewritten; None for one that gets no name, or shares it."""
    if not script.reports("CG101", load.node):
        return None
    mine: str | None = None
    names: list[str] = []
    for other in script.events_in(ModelLoad, load.place.function):
        target = target_of(script, other)
        if target is None:
            continue
        name = names_for(script, other, target.text)[0]
        names.append(name)
        mine = name if other is load else mine
    return mine if mine is not None and names.count(mine) == 1 else None


def _name_there(script: Script, loaded: LoaderCall) -> str | None:
    """`loader` of `loader.load()`, if it is assigned once."""
    function = loaded.node.func
    if loaded.method != "load" or not isinstance(function, cst.Attribute):
        return None
    if not isinstance(function.value, cst.Name):
        return None
    name = function.value.value
    return name if len(script.stores_of(name, loaded.place.function)) == 1 else None


def _comes_after(script: Script, place: Place, node: cst.CSTNode) -> bool:
    """Whether a node stands in a later statement of a place's block: then the place was passed."""
    inner = script.span(node)
    return any(
        outer.start <= inner.start and inner.end <= outer.end
        for outer in map(script.span, place.block[place.index + 1 :])
    )
