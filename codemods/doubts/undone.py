"""What is done with models and tokenizers and not rewritten: each question of one kind of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import libcst as cst

from codemods.doubts.beyond import beyond
from codemods.doubts.given_away import given_away, unseen_doubt
from codemods.doubts.outside import puts_by_name, set_by_subclasses
from codemods.doubts.saved import saved
from codemods.doubts.uses import uses
from codemods.facts.changed_elsewhere import changed_elsewhere, loads_of
from codemods.facts.given_models import is_apart
from codemods.facts.load_context import SPECIALS, is_masked, may_pad
from codemods.facts.other_holds import other_holds
from codemods.facts.own_tokens import is_used
from codemods.facts.purposes import trains
from codemods.facts.set_configs import read_configs, set_configs
from codemods.facts.taken_over import taken_over
from codemods.script.model_uses import Calls, holds, origins_of, reaches
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
)
from lint_rules._flow.values.joins import CausalLM, Tokenizer, first
from lint_rules._flow.values.syntax import dotted

_Undone = Iterator[tuple[cst.CSTNode, str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """Some loads in a plan.

    Attributes:
        script: The script.
        nodes: The loads, of models and of tokenizers; they may stand in another file.
        models: Those of them that stand in the script and load models.
        done: What is rewritten.
        reasons: Why the rest stays.
        by_choice: What a person wants to be left.
        given_here: Whether an expression may name a model that another file gives; None where none does.
    """

    script: Script
    nodes: frozenset[cst.CSTNode]
    models: Sequence[ModelLoad]
    done: AbstractSet[cst.CSTNode]
    reasons: Mapping[cst.CSTNode, str]
    by_choice: AbstractSet[cst.CSTNode]
    given_here: Callable[[cst.CSTNode], bool] | None = None

    @property
    def has_models(self) -> bool:
        """Whether any of the loads is a model's."""
        return bool(self.models) or self.given_here is not None

    @property
    def is_used_unseen(self) -> bool:
        """Whether a generation with a model that cannot be seen may be with one of these: no other is."""
        calls = self.script.flow.events(Generate)
        return bool(self.models) and not any(
            origins_of(self.script, call) & self.nodes for call in calls
        )

    def touches(self, node: cst.CSTNode) -> bool:
        """Whether an expression may reach one of the models."""
        return self._is_named_by(reaches, node)

    def gets(self, node: cst.CSTNode) -> bool:
        """Whether an expression may be one of the models, or hold one."""
        return self._is_named_by(holds, node)

    def _is_named_by(
        self, question: Callable[[Script, ModelLoad, cst.CSTNode], bool], node: cst.CSTNode
    ) -> bool:
        given = self.given_here is not None and self.given_here(node)
        return given or any(question(self.script, model, node) for model in self.models)


def undone(loads: Standing) -> _Undone:
    """What is done with some loads and not rewritten: the place, and why it is not."""
    script, nodes = loads.script, loads.nodes
    yield from beyond(script, nodes)
    yield from other_holds(script, nodes, loads.touches)
    yield from saved(script, nodes)
    yield from changed_elsewhere(script, nodes)
    ours = [one for one in loads_of(script) if one.node in nodes]
    yield from set_by_subclasses(script, ours)
    put = script.once(puts_by_name) if ours else None
    if put is not None:
        yield ours[0].node, put
    if loads.has_models:
        yield from _generating_unseen(loads)
        yield from _given_to_others(loads)
    yield from _generations(loads)
    yield from _scored(loads)
    for attach in script.flow.events(AdapterAttach):
        left = attach.node in loads.reasons and attach.node not in loads.done
        if attach.model.origin in nodes and left:
            yield attach.node, loads.reasons[attach.node]
    yield from _set_specials(loads)
    if loads.has_models:
        yield from _set_settings(script)
    for applied in script.flow.events(TemplateApply):
        if applied.tokenizer.origin in nodes:
            yield applied.node, "it renders a chat template, which the guard blocks"
    yield from _pipelines(loads)
    yield from uses(script, nodes, loads.models)


def gives_ids(name: str) -> str:
    """What is said of a function of another file that generates with a model."""
    return f"`{name}` of another file gets the model, and gives it ids"


def _generating_unseen(loads: Standing) -> _Undone:
    """Calls of `generate` on something that is not known, and may hold a model."""
    script = loads.script
    alone = loads.is_used_unseen
    known = script.once(_generates)
    calls = script.look(Calls, "generate")
    own = calls.defines  # what such a method of the script's own does is seen
    for node in () if own else calls.found:
        assert isinstance(node.func, cst.Attribute)
        owner = dotted(node.func.value) or ""
        unseen = node not in known and owner.rpartition(".")[2] != "CleanModelLoader"
        loaders = script.flow.event_at(node, LoaderCall)
        ours = loads.touches(node.func.value) or (alone and "model" in owner.lower())
        if unseen and loaders is None and ours:
            yield node, "it generates with what the model was put into"


def _given_to_others(loads: Standing) -> _Undone:
    """Functions of other files that get a model and do not look after it."""
    script = loads.script
    known = script.once(_generates)
    for given, name, does in script.once(given_away):
        lets = (does == "scores" or trains(script)) and not script.watches
        if lets or given in known:  # a generation is judged for itself
            continue
        if not any(loads.gets(argument.value) for argument in given.args):
            continue
        if not taken_over(script, given, loads.touches, loads.nodes):
            yield given, gives_ids(name)


def _generations(loads: Standing) -> _Undone:
    """Generations that stay, and may be with one of the models."""
    script, nodes = loads.script, loads.nodes
    alone = loads.is_used_unseen
    for call in script.flow.events(Generate):
        if call.node in loads.done or call.node in loads.by_choice or call.model.guarded:
            continue
        given = (*call.args.positional, *call.args.keywords.values())
        if any(getattr(first(one.value, CausalLM), "origin", None) in nodes for one in given):
            yield call.node, "it is given a model that helps it, as `assistant_model=`"
        function = call.place.function
        named = loads.touches(call.node.func) and (
            bool(loads.models) or not is_apart(script, call.node.func, function)
        )
        origins = origins_of(script, call)
        unseen = alone and not origins
        if origins & nodes or named or unseen or is_used(script, nodes):
            why = "it generates from ids, or from a chat"
            yield call.node, loads.reasons.get(call.node, why)


def _scored(loads: Standing) -> _Undone:
    """What is scored in a way that the guard does not take as it is."""
    script = loads.script
    for forward in script.flow.events(Forward):
        ours = bool(origins_of(script, forward) & loads.nodes)
        doubt = unseen_doubt(script, forward) if ours and not forward.model.guarded else None
        if doubt is not None:
            yield forward.node, doubt
        if ours and not is_masked(forward):
            encode = script.flow.event_at(
                forward.encoded.origin if forward.encoded else None, Encode
            )
            if encode is not None and may_pad(encode) and "padding" in encode.args.keywords:
                yield forward.node, "a padded batch is scored without its mask"


def _set_specials(loads: Standing) -> _Undone:
    """Special tokens that are set: prompts of the script's own are judged call by call, another file's not."""
    script = loads.script
    if trains(script):
        return
    if loads.models and not (script.others.serves(script.path) or _gives(script)):
        return
    for event in script.flow.events(AttributeSet):
        if event.attribute in SPECIALS and getattr(event.target, "origin", None) in loads.nodes:
            why = f"it sets `{event.attribute}`, and the guard puts the family's BOS, no other"
            yield event.node, why


def _set_settings(script: Script) -> _Undone:
    """Settings that are set or read where another file may generate."""
    if next(script.flow.events(Generate), None) is not None:
        return
    for change in set_configs(script):
        yield change, "it sets `generation_config`, which the guard replaces"
    for read in read_configs(script) if not trains(script) else ():
        yield read, "it reads what `generation_config` says, which is greedy in the guard's"


def _pipelines(loads: Standing) -> _Undone:
    """Pipelines around what is loaded."""
    for built in loads.script.flow.events(PipelineBuild):
        for argument in (*built.args.positional, *built.args.keywords.values()):
            held = first(argument.value, CausalLM) or first(argument.value, Tokenizer)
            if held is not None and held.origin in loads.nodes:
                yield built.node, "a pipeline generates with settings of its own"


def _gives(script: Script) -> bool:
    """Whether another file may make prompts with what the script loads."""
    return any(does != "scores" for _, _, does in script.once(given_away))


def _generates(script: Script) -> frozenset[cst.CSTNode]:
    return frozenset(call.node for call in script.flow.events(Generate))
