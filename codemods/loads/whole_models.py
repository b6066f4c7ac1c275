"""All of a model's sites are rewritten, or none: half a model would raise, or answer with other settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from cleanguard.catalogue.families import family_of
from codemods.loads.partners import model_text
from codemods.plan.sites import Site
from codemods.script.purposes import trains
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    AdapterAttach,
    Encode,
    Forward,
    Generate,
    ModelLoad,
    PipelineBuild,
    TemplateApply,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import CausalLM, Tokenizer, first
from lint_rules._questions.reach import Reach

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
    every: list[_Load] = [*script.flow.events(ModelLoad), *script.flow.events(TokenizerLoad)]
    loads = [load for load in every if load.node in done or load.node in reasons]
    groups = _groups(script, loads)
    found: dict[cst.CSTNode, str] = {}
    for load in loads:
        if load.node not in done:
            continue
        for node, why in _left(script, groups[load.node], done, reasons, left_by_choice):
            found[load.node] = f"all of a model or none: line {script.line_of(node)} stays, {why}"
            break
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
    for call in script.flow.events(Generate):
        if call.node in done or call.node in by_choice or call.model.guarded:
            continue
        if call.model.origin in nodes or any(reaches(script, m, call.node.func) for m in models):
            yield call.node, reasons.get(call.node, "it generates from ids, or from a chat")
    for forward in script.flow.events(Forward):
        ours = forward.model.origin in nodes
        if ours and not forward.model.guarded and _may_lack_bos(script, forward, done):
            yield forward.node, "its ids may lack the BOS that the guard asks for"
    for attach in script.flow.events(AdapterAttach):
        if attach.model.origin in nodes and attach.node in reasons and attach.node not in done:
            yield attach.node, reasons[attach.node]
    for applied in script.flow.events(TemplateApply):
        if applied.tokenizer.origin in nodes:
            yield applied.node, "it renders a chat template, which the guard blocks"
    for built in script.flow.events(PipelineBuild):
        given = (*built.args.positional, *built.args.keywords.values())
        for argument in given:
            held = first(argument.value, CausalLM) or first(argument.value, Tokenizer)
            if held is not None and held.origin in nodes:
                yield built.node, "a pipeline generates with settings of its own"


def _may_lack_bos(script: Script, forward: Forward, done: set[cst.CSTNode]) -> bool:
    """Whether a prompt that is scored may come without BOS, which the guard refuses where a family has one."""
    family = family_of(forward.model.model.text or "")
    if trains(script) or (family is not None and family.bos == "none"):
        return False
    encode = script.flow.event_at(forward.encoded.origin if forward.encoded else None, Encode)
    if encode is None:
        return True
    return "add_special_tokens" in encode.args.keywords and (
        encode.args.written("add_special_tokens") is not True and encode.node not in done
    )


def reaches(script: Script, load: ModelLoad, node: cst.CSTNode) -> bool:
    """Whether a model that is loaded may be what an expression names."""
    found = script.reach(
        f"load {script.span(load.node).start}",
        lambda module: Reach(module, lambda n: n is load.node),
    )
    return found.touches(node)


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
    for call in script.flow.events(Generate):
        encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
        tokenizer = None if encode is None else encode.tokenizer.origin
        if call.model.origin in groups and tokenizer in groups:
            assert call.model.origin is not None
            assert tokenizer is not None
            unite(call.model.origin, tokenizer)
    return groups
