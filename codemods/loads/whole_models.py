"""All of a model's sites are rewritten, or none: half a model would raise, or answer with other settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import libcst as cst

from codemods.doubts.given_away import given_away
from codemods.doubts.lone_tokenizers import beside_raw
from codemods.doubts.strict import strict
from codemods.doubts.undone import Standing, gives_ids, undone
from codemods.facts.load_targets import target_of
from codemods.facts.other_holds import without_model
from codemods.facts.purposes import trains
from codemods.facts.taken_over import taken_over
from codemods.loads.by_name import of_other_classes
from codemods.loads.partners import model_text
from codemods.plan.planned import LoadKey
from codemods.plan.sites import Site
from codemods.script.foreign import given_origins
from codemods.script.model_uses import reaches, reaches_given
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    Encode,
    Generate,
    ModelLoad,
    OwnCall,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import CausalLM, options

_WATCHED = "it is watched, not guarded"
_Load = ModelLoad | TokenizerLoad


def half_done(
    script: Script, sites: Sequence[Site], left_by_choice: frozenset[cst.CSTNode]
) -> dict[cst.CSTNode, str]:
    """The loads that would be rewritten although something of the same model stays, with the reason.

    Args:
        script: The script.
        sites: The whole plan.
        left_by_choice: What a person wants to be left; it keeps nothing else back.
    """
    done = {site.node for site in sites if site.automatic}
    reasons = {site.node: site.reason or "" for site in sites if site.node not in left_by_choice}
    reasons |= {one.node: _WATCHED for one in script.flow.events(ModelLoad) if one.watched}
    every: list[_Load] = [*script.flow.events(ModelLoad), *script.flow.events(TokenizerLoad)]
    loads = [load for load in every if load.node in done or load.node in reasons]
    groups = _groups(script, loads)
    found: dict[cst.CSTNode, str] = {}
    known: dict[int, tuple[cst.CSTNode, str] | None] = {}  # what stays of a group, by its identity
    for load in loads:
        if load.node not in done:
            continue
        group = groups[load.node]
        if id(group) not in known:
            left = _left(script, group, done, reasons, left_by_choice)
            known[id(group)] = next(left, None)
        stays = known[id(group)]
        if stays is not None:
            node, why = stays
            there = f"all of a model or none: line {script.line_of(node)} stays, "
            found[load.node] = why if node is load.node else f"{there}{why}"
    found |= strict(script, sites, done - found.keys())
    if not trains(script):
        found |= beside_raw(script, done - found.keys(), reasons)
    alone = {one.node for one in script.flow.events(TokenizerLoad)} & (done - found.keys())
    return {**found, **without_model(script, alone, done - found.keys())}


def left_of_foreign(
    script: Script,
    foreign: frozenset[cst.CSTNode],
    sites: Sequence[Site],
    by_choice: frozenset[cst.CSTNode],
) -> str | None:
    """Why loads of other files must stay for what this one does with them; None where all is rewritten."""
    if not foreign:
        return None
    if trains(script):
        return f"all of a model or none: {script.path.name} trains it"
    done = {site.node for site in sites if site.automatic}
    reasons = {site.node: site.reason or "" for site in sites if not site.automatic}
    given = frozenset(given_origins(script))
    ours = partial(reaches_given, script) if given else None
    for node, why in undone(Standing(script, foreign, (), done, reasons, by_choice, ours)):
        if node in foreign:  # it stands in the other file
            return f"all of a model or none: {script.path.name}: {why}"
        return f"all of a model or none: {script.path.name}:{script.line_of(node)} stays, {why}"
    return None


def relied_on(
    script: Script, own: Mapping[cst.CSTNode, LoadKey], foreign: Mapping[cst.CSTNode, LoadKey]
) -> dict[tuple[LoadKey, str], str]:
    """The files that are to look after models that the script gives them, and why a load stays if one does not.

    Args:
        script: The script.
        own: The loads of the script that are rewritten.
        foreign: Those of other files whose models it uses.
    """
    found: dict[tuple[LoadKey, str], str] = {}
    models = [load for load in script.flow.events(ModelLoad) if load.node in own]
    if not (models or foreign) or trains(script):
        return found
    calls = [(node, name) for node, name, does in script.once(given_away) if does != "scores"]
    known = {**own, **foreign}

    def touches(node: cst.CSTNode) -> bool:
        given = bool(script.given) and reaches_given(script, node)
        return given or any(reaches(script, model, node) for model in models)

    for call, name in calls:
        if not any(touches(argument.value) for argument in call.args):
            continue
        files = taken_over(script, call, touches, frozenset(known))
        event = script.flow.event_at(call, OwnCall)
        origins = {
            option.origin
            for value in (() if event is None else event.given.values())
            for option in options(value)
            if isinstance(option, CausalLM)
        }
        why = f"all of a model or none: line {script.line_of(call)} stays, {gives_ids(name)}"
        found |= {(known[one], path): why for one in origins if one in known for path in files}
    return found


def _left(
    script: Script,
    group: Sequence[_Load],
    done: set[cst.CSTNode],
    reasons: dict[cst.CSTNode, str],
    by_choice: frozenset[cst.CSTNode],
) -> Iterator[tuple[cst.CSTNode, str]]:
    """What of a group of loads, and of what is done with them, is not rewritten."""
    for load in group:
        if load.node not in done and load.node not in by_choice:
            yield load.node, reasons[load.node]
    yield from of_other_classes(script, group, done | reasons.keys() | by_choice)
    nodes = frozenset(load.node for load in group)
    models = [load for load in group if isinstance(load, ModelLoad)]
    yield from undone(Standing(script, nodes, models, done, reasons, by_choice))


def _groups(script: Script, loads: Sequence[_Load]) -> dict[cst.CSTNode, list[_Load]]:
    """The loads that belong together: by their name, or because one generation uses both."""
    groups: dict[cst.CSTNode, list[_Load]] = {load.node: [load] for load in loads}

    def unite(one: cst.CSTNode, other: cst.CSTNode) -> None:
        first_, second = groups[one], groups[other]
        if first_ is second:
            return
        first_ += second
        for load in second:
            groups[load.node] = first_

    by_name: dict[object, cst.CSTNode] = {}
    for load in loads:
        for name in (load.model.text, (load.place.function, model_text(script, load.args))):
            if name is None or name == (load.place.function, None):
                continue
            unite(load.node, by_name.setdefault(name, load.node))
        target = target_of(script, load)
        if target is not None:  # branches that give one name its model
            place = ("target", load.place.function, target.text)
            unite(load.node, by_name.setdefault(place, load.node))
    for one, other in _named_in_another(script, loads):
        unite(one, other)
    for call in script.flow.events(Generate):
        encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
        tokenizer = None if encode is None else encode.tokenizer.origin
        if call.model.origin is None or call.model.origin not in groups:
            continue
        if tokenizer is not None and tokenizer in groups:
            unite(call.model.origin, tokenizer)
            continue
        for load in loads:  # which of them makes its prompts cannot be seen
            if isinstance(load, TokenizerLoad) and load.place.function is call.place.function:
                unite(call.model.origin, load.node)
    return groups


def _named_in_another(
    script: Script, loads: Sequence[_Load]
) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """A model, and the tokenizer of its function whose name is the model's unless another is given."""
    models = [load for load in loads if isinstance(load, ModelLoad)]
    for tokenizer in loads:
        said = None if isinstance(tokenizer, ModelLoad) else model_text(script, tokenizer.args)
        for model in models if said else ():
            name = model_text(script, model.args)
            same = model.place.function is tokenizer.place.function
            if name and said and same and name.isidentifier() and re.search(rf"\b{name}\b", said):
                yield model.node, tokenizer.node
