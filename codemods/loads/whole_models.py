"""All of a model's sites are rewritten, or none: half a model would raise, or answer with other settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

import libcst as cst

from codemods.facts.load_context import SPECIALS, is_masked, may_pad
from codemods.facts.load_targets import target_of
from codemods.facts.own_tokens import is_used
from codemods.facts.purposes import trains
from codemods.facts.set_configs import set_configs
from codemods.loads.given_away import given_away, unseen_doubt
from codemods.loads.partners import model_text
from codemods.plan.sites import Site
from codemods.script.definitions import Classes
from codemods.script.model_uses import Calls, reaches
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    AdapterAttach,
    AttributeSet,
    Encode,
    Forward,
    Generate,
    LoaderCall,
    ModelLoad,
    PipelineBuild,
    TemplateApply,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import CausalLM, Tokenizer, first
from lint_rules._flow.values.syntax import dotted

_Load = ModelLoad | TokenizerLoad
_MODELS = ("Model", "ForCausalLM", "LMHeadModel")


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
            found[load.node] = f"all of a model or none: line {script.line_of(node)} stays, {why}"
    return found


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
    for node, why in _undone(script, foreign, (), done, reasons, by_choice):
        return f"all of a model or none: {script.path.name}:{script.line_of(node)} stays, {why}"
    return None


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
    yield from _of_other_classes(script, group, done | reasons.keys() | by_choice)
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
) -> Iterator[tuple[cst.CSTNode, str]]:
    """What is done with models and tokenizers and not rewritten."""
    known = script.once(_generates)
    calls = script.look(Calls, "generate")
    own = calls.defines  # what such a method of the script's own does is seen
    for node in calls.found if models and not own else ():
        assert isinstance(node.func, cst.Attribute)
        owner = dotted(node.func.value) or ""
        unseen = node not in known and owner.rpartition(".")[2] != "CleanModelLoader"
        loaders = script.flow.event_at(node, LoaderCall)
        if unseen and loaders is None and any(reaches(script, m, node.func.value) for m in models):
            yield node, "it generates with what the model was put into"
    for given, name, does in script.once(given_away) if models and not trains(script) else ():
        if does == "scores" or given in known:  # a generation is judged below
            continue
        if any(reaches(script, m, a.value) for m in models for a in given.args):
            yield given, f"`{name}` of another file gets the model, and gives it ids"
    for call in script.flow.events(Generate):
        if call.node in done or call.node in by_choice or call.model.guarded:
            continue
        ours = call.model.origin in nodes or any(reaches(script, m, call.node.func) for m in models)
        if ours or is_used(script, nodes):
            yield call.node, reasons.get(call.node, "it generates from ids, or from a chat")
    for forward in script.flow.events(Forward):
        ours = forward.model.origin in nodes
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
    shared = not trains(script) and (not models or script.others.serves(script.path))
    for event in script.flow.events(AttributeSet) if shared else ():
        if event.attribute in SPECIALS and getattr(event.target, "origin", None) in nodes:
            yield (
                event.node,
                f"it sets `{event.attribute}`, and the guard puts the family's BOS, no other",
            )
    if models and next(script.flow.events(Generate), None) is None:  # another file may generate
        for change in set_configs(script):
            yield change, "it sets `generation_config`, which the guard replaces"
    for applied in script.flow.events(TemplateApply):
        if applied.tokenizer.origin in nodes:
            yield applied.node, "it renders a chat template, which the guard blocks"
    for built in script.flow.events(PipelineBuild):
        held_by = (*built.args.positional, *built.args.keywords.values())
        for argument in held_by:
            held = first(argument.value, CausalLM) or first(argument.value, Tokenizer)
            if held is not None and held.origin in nodes:
                yield built.node, "a pipeline generates with settings of its own"


def _generates(script: Script) -> frozenset[cst.CSTNode]:
    return frozenset(call.node for call in script.flow.events(Generate))


def _of_other_classes(
    script: Script, group: Sequence[_Load], known: Set[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Loads of a model by the same name through a class that is not followed, such as one of the script's own."""
    names = {_name_of(script, load.node, model_text(script, load.args)) for load in group} - {None}
    by_name = script.once(_loads_by_name)
    for name in sorted(names & by_name.keys(), key=str):
        for node, owner in by_name[name]:
            if node not in known:
                yield node, f"`{owner}` loads the model, and the loader does not take that class"


def _name_of(script: Script, node: cst.CSTNode, text: str | None) -> str | None:
    """A model's name as written; an attribute of `self` is one for each class."""
    if text is None or not text.startswith("self."):
        return text
    at = script.span(node).start
    spans = [script.span(one) for one in script.look(Classes).every]
    around = [span.start for span in spans if span.start <= at < span.end]
    return f"{text} {max(around, default=0)}"


def _loads_by_name(script: Script) -> dict[str | None, list[tuple[cst.Call, str]]]:
    """The loads of models by their name as written, with the class."""
    found: dict[str | None, list[tuple[cst.Call, str]]] = {}
    for node in script.look(Calls, "from_pretrained").found:
        plain = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
        owner = (dotted(node.func) or "").rpartition(".")[0].rpartition(".")[2]
        if not plain or not owner.endswith(_MODELS):
            continue
        first_ = plain[0]

        literal = first_.evaluated_value if isinstance(first_, cst.SimpleString) else None
        name = script.code(first_) if literal is None else repr(literal)
        found.setdefault(_name_of(script, node, name), []).append((node, owner))
    return found


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
