"""Loads and generations that stay as they are become watched ones: the same call, and what is wrong with it told.

`AutoModelForCausalLM.from_pretrained(…)` becomes `CleanModelLoader.load_watched(…)`, `model.generate(…)` becomes
`CleanModelLoader.generate_watched(model, …)`: the arguments are handed on as they are written, so that nothing
about them has to be understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import libcst as cst

from codemods.facts.load_context import refuse_empty_weights
from codemods.loads.own_loader import left_to_own_loader
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from codemods.watching.classes import is_automatic
from lint_rules._flow.values.events import Generate, ModelLoad
from lint_rules._flow.values.syntax import dotted

_LOAD, _GENERATE = "CleanModelLoader.load_watched", "CleanModelLoader.generate_watched"
_AUTOMATIC = "transformers.AutoModelForCausalLM.from_pretrained"
_SUMMARIES = {"CG101": "watch the load", "CG301": "watch the generation"}
# Libraries whose `from_pretrained` gives a pair, or patches what it loads.
_OTHERS = ("unsloth",)
_PICKLERS = frozenset(
    f"{module}.{name}"
    for module in ("pickle", "dill", "joblib", "cloudpickle", "torch")
    for name in ("dump", "dumps", "save")
)
_MODEL = re.compile(r"(^|[._])(?!\w*(state|dict|weight|param))\w*(model|lm|net)\w*$", re.IGNORECASE)


def watched(script: Script, sites: Sequence[Site]) -> list[Site]:
    """The sites, with those that are left made watched calls where the same call can be written.

    Args:
        script: The script.
        sites: The whole plan.
    """
    taken = [edit for site in sites for edit in site.edits]
    chosen = {node for _, node in (*script.declined, *script.silenced)}
    found: list[Site] = []
    for site in sites:
        if site.automatic or site.code not in _SUMMARIES or site.node in chosen:
            found.append(site)
            continue
        try:
            edits = _edits(script, site)
        except CannotRewrite:
            edits = ()
        if not edits or any(_meets(one, other) for one in edits for other in taken):
            found.append(site)
            continue
        note = Note("carried", f"the call as it is, watched and not guarded: {site.reason}")
        summary = _SUMMARIES[site.code]
        found.append(replace(site, summary=summary, edits=edits, notes=(note,), reason=None))
    return left_to_own_loader(script, found, script.path)


def is_watched(site: Site) -> bool:
    """Whether a site is a watched call."""
    return site.automatic and site.summary in _SUMMARIES.values()


def _meets(one: Edit, other: Edit) -> bool:
    return one.start <= other.end and other.start <= one.end


def _edits(script: Script, site: Site) -> tuple[Edit, ...]:
    if site.code == "CG101":
        load = script.flow.event_at(site.node, ModelLoad)
        return () if load is None else _load(script, load)
    call = script.flow.event_at(site.node, Generate)
    return () if call is None else _generation(script, call)


def _load(script: Script, load: ModelLoad) -> tuple[Edit, ...]:
    """The name of what is called, and the class as an argument where it is another."""
    function = load.node.func
    refuse_empty_weights(load)
    if (
        not isinstance(function, cst.Attribute)
        or function.attr.value != "from_pretrained"
        or load.api.partition(".")[0] in _OTHERS
        or not _is_plain(function.value)
        or script.once(_pickles)
    ):
        return ()
    span = script.span(function)
    head = Edit(span.start, span.end, _LOAD)
    if load.api == _AUTOMATIC and is_automatic(script, function.value):
        return (head,)
    said = f"model_class={script.code(function.value)}"
    if not load.node.args:
        return ()  # it lacks what it loads
    last = load.node.args[-1]
    end = script.span(last.value).end
    return head, Edit(end, end, f",{_between(script, last)}{said}")


def _between(script: Script, argument: cst.Arg) -> str:
    """What stands before an argument that is to come behind another: a space, or a line like the other's."""
    start = script.span(argument).start
    line = script.utf8.rfind(b"\n", 0, start) + 1
    before = script.utf8[line:start].decode()
    return " " if before.strip() else f"{script.newline}{before}"


def _generation(script: Script, call: Generate) -> tuple[Edit, ...]:
    """The name of what is called, and the model as the first argument."""
    function = call.node.func
    if not isinstance(function, cst.Attribute) or function.attr.value != "generate":
        return ()
    model = script.code(function.value)
    if "\n" in model or "#" in model or model.startswith("super("):
        return ()
    span = script.span(function)
    head = Edit(span.start, span.end, _GENERATE)
    if not call.node.args:
        end = script.span(call.node).end - 1
        return head, Edit(end, end, model)
    first = call.node.args[0]
    start = script.span(first).start
    return head, Edit(start, start, f"{model},{_between(script, first)}")


def _is_plain(node: cst.BaseExpression) -> bool:
    """Whether a class is named, so that it means the same where it is read later."""
    while isinstance(node, (cst.Attribute, cst.Subscript)):
        node = node.value
    return isinstance(node, cst.Name)


def _pickles(script: Script) -> bool:
    """Whether a script pickles what may be a model: whoever reads it would need cleanguard."""
    calls = [call for name in ("dump", "dumps", "save") for call in script.look(Calls, name).found]
    return any(
        _MODEL.search(dotted(part) or "")
        for call in calls
        if dotted(call.func) in _PICKLERS and call.args
        for part in _held(call.args[0].value)
    )


def _held(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """An expression, and what a dict, list or tuple holds."""
    yield node
    if isinstance(node, (cst.Dict, cst.List, cst.Tuple)):
        for element in node.elements:
            yield from _held(element.value)
