"""All of a model's sites are rewritten, or none: half a model would raise, or answer with other settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import libcst as cst

from codemods.doubts.beyond import beyond
from codemods.doubts.lone_tokenizers import beside_raw
from codemods.doubts.saved import saved
from codemods.doubts.strict import strict
from codemods.doubts.uses import uses
from codemods.facts.changed_elsewhere import changed_elsewhere
from codemods.facts.given_models import is_apart
from codemods.facts.load_context import SPECIALS, is_masked, may_pad
from codemods.facts.load_targets import target_of
from codemods.facts.other_holds import other_holds, without_model
from codemods.facts.own_tokens import is_used
from codemods.facts.purposes import trains
from codemods.facts.set_configs import read_configs, set_configs
from codemods.facts.taken_over import taken_over
from codemods.loads.by_name import of_other_classes
from codemods.loads.given_away import given_away, unseen_doubt
from codemods.loads.partners import model_text
from codemods.plan.planned import LoadKey
from codemods.plan.sites import Site
from codemods.script.foreign import given_origins
from codemods.script.model_uses import Calls, holds, origins_of, reaches, reaches_given
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    AdapterAttach,
    AttributeSet,
    Encode,
    Forward,
    Generate,
    LoaderCall,
    ModelLoad,
    OwnCall,
    PipelineBuild,
    TemplateApply,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import CausalLM, Tokenizer, first, options
from lint_rules._flow.values.syntax import dotted

_WATCHED = "it is watched, not guarded"
_Load = ModelLoad | TokenizerLoad
_Asks = Callable[[cst.CSTNode], bool]


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
    for node, why in _undone(script, foreign, (), done, reasons, by_choice, ours):
        return f"all of a model or none: {script.path.name}:{script.line_of(node)} stays, {why}"
    return None


def _given_away(name: str) -> str:
    return f"`{name}` of another file gets the model, and gives it ids"


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
        why = f"all of a model or none: line {script.line_of(call)} stays, {_given_away(name)}"
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
    yield from _undone(script, nodes, models, done, reasons, by_choice)


def _undone(
    script: Script,
    nodes: frozenset[cst.CSTNode],
    models: Sequence[ModelLoad],
    done: set[cst.CSTNode],
    reasons: dict[cst.CSTNode, str],
    by_choice: frozenset[cst.CSTNode],
    given_here: Callable[[cst.CSTNode], bool] | None = None,
) -> Iterator[tuple[cst.CSTNode, str]]:
    """What is done with models and tokenizers and not rewritten.

    Args:
        script: The script.
        nodes: The loads.
        models: Those of them that stand in the script and load models.
        done: What is rewritten.
        reasons: Why the rest stays.
        by_choice: What a person wants to be left.
        given_here: Whether an expression may name a model that another file gives; None where none does.
    """

    def named_by(question: Callable[[Script, ModelLoad, cst.CSTNode], bool]) -> _Asks:
        def asks(node: cst.CSTNode) -> bool:
            given = given_here is not None and given_here(node)
            return given or any(question(script, model, node) for model in models)

        return asks

    touches, gets = named_by(reaches), named_by(holds)

    yield from beyond(script, nodes)
    yield from other_holds(script, nodes, touches)
    yield from saved(script, nodes)
    yield from changed_elsewhere(script, nodes)
    any_model = bool(models) or given_here is not None
    # What generates with a model that cannot be seen may do so with one that nothing else here generates with.
    alone = bool(models) and not _generates_with(script, nodes)
    known = script.once(_generates)
    calls = script.look(Calls, "generate")
    own = calls.defines  # what such a method of the script's own does is seen
    for node in calls.found if any_model and not own else ():
        assert isinstance(node.func, cst.Attribute)
        owner = dotted(node.func.value) or ""
        unseen = node not in known and owner.rpartition(".")[2] != "CleanModelLoader"
        loaders = script.flow.event_at(node, LoaderCall)
        ours = touches(node.func.value) or (alone and "model" in owner.lower())
        if unseen and loaders is None and ours:
            yield node, "it generates with what the model was put into"
    for given, name, does in script.once(given_away) if any_model else ():
        lets = (does == "scores" or trains(script)) and not script.watches
        if lets or given in known:  # a generation is judged below
            continue
        if not any(gets(a.value) for a in given.args):
            continue
        if not taken_over(script, given, touches, nodes):
            yield given, _given_away(name)
    for call in script.flow.events(Generate):
        if call.node in done or call.node in by_choice or call.model.guarded:
            continue
        function = call.place.function
        named = touches(call.node.func) and (
            bool(models) or not is_apart(script, call.node.func, function)
        )
        origins = origins_of(script, call)
        unseen = alone and not origins
        if origins & nodes or named or unseen or is_used(script, nodes):
            yield call.node, reasons.get(call.node, "it generates from ids, or from a chat")
    for forward in script.flow.events(Forward):
        ours = bool(origins_of(script, forward) & nodes)
        doubt = unseen_doubt(script, forward) if ours and not forward.model.guarded else None
        if doubt is not None:
            yield forward.node, doubt
        if ours and not is_masked(forward):
            encode = script.flow.event_at(
                forward.encoded.origin if forward.encoded else None, Encode
            )
            if encode is not None and may_pad(encode) and "padding" in encode.args.keywords:
                yield forward.node, "a padded batch is scored without its mask"
    for attach in script.flow.events(AdapterAttach):
        if attach.model.origin in nodes and attach.node in reasons and attach.node not in done:
            yield attach.node, reasons[attach.node]
    # Prompts of the script's own are judged call by call; those of another file are not seen.
    shared = not trains(script) and (
        not models or script.others.serves(script.path) or _gives(script)
    )
    for event in script.flow.events(AttributeSet) if shared else ():
        if event.attribute in SPECIALS and getattr(event.target, "origin", None) in nodes:
            yield (
                event.node,
                f"it sets `{event.attribute}`, and the guard puts the family's BOS, no other",
            )
    if any_model and next(script.flow.events(Generate), None) is None:  # another file may generate
        for change in set_configs(script):
            yield change, "it sets `generation_config`, which the guard replaces"
        for read in read_configs(script) if not trains(script) else ():
            yield read, "it reads what `generation_config` says, which is greedy in the guard's"
    for applied in script.flow.events(TemplateApply):
        if applied.tokenizer.origin in nodes:
            yield applied.node, "it renders a chat template, which the guard blocks"
    for built in script.flow.events(PipelineBuild):
        held_by = (*built.args.positional, *built.args.keywords.values())
        for argument in held_by:
            held = first(argument.value, CausalLM) or first(argument.value, Tokenizer)
            if held is not None and held.origin in nodes:
                yield built.node, "a pipeline generates with settings of its own"
    yield from uses(script, nodes, models)


def _gives(script: Script) -> bool:
    """Whether another file may make prompts with what the script loads."""
    return any(does != "scores" for _, _, does in script.once(given_away))


def _generates_with(script: Script, nodes: frozenset[cst.CSTNode]) -> bool:
    return any(origins_of(script, call) & nodes for call in script.flow.events(Generate))


def _generates(script: Script) -> frozenset[cst.CSTNode]:
    return frozenset(call.node for call in script.flow.events(Generate))


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
