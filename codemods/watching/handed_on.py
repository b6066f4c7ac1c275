"""A model's `generate` that is handed to what calls it becomes a watched one: partial, threads and executors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.plan.edits import Edit
from codemods.plan.sites import Site
from codemods.script.looking import Looking
from codemods.script.script import Script
from codemods.watching.written import GENERATE, between
from lint_rules._flow.values.syntax import dotted

# Where a function stands that is called with the arguments behind it.
_CALLS_ITS_ARGUMENT: Mapping[str, int] = {
    "partial": 0,
    "submit": 0,
    "to_thread": 0,
    "run_sync": 0,
    "run_in_executor": 1,
}


@dataclass(frozen=True)
class HandedOn:
    """A call that is handed a model's `generate`.

    Attributes:
        node: The call.
        model: The model's name, as it is written.
        keywords: The names that the call is known to hand to `generate`.
        bound: The name that a partial is stored under.
        edits: What makes it the watched one.
    """

    node: cst.Call
    model: str
    keywords: frozenset[str]
    bound: str | None
    edits: tuple[Edit, ...]


def handed_on(script: Script) -> tuple[HandedOn, ...]:
    """The calls of a script that are handed a model's `generate`, in order."""
    return script.once(_read)


def generations_of(found: HandedOn, sites: Sequence[Site]) -> Iterator[Site]:
    """The sites of a plan that are the generations which a call is handed."""
    for site in sites:
        if site.code != "CG301" or not isinstance(site.node, cst.Call):
            continue
        if site.node is found.node or (found.bound and dotted(site.node.func) == found.bound):
            yield site


def _read(script: Script) -> tuple[HandedOn, ...]:
    if ".generate" not in script.source.text:
        return ()
    looked = script.look(_Handing)
    found = (_handed(script, call, looked.bound.get(call)) for call in looked.calls)
    return tuple(one for one in found if one is not None)


def _handed(script: Script, call: cst.Call, bound: str | None) -> HandedOn | None:
    name = (dotted(call.func) or "").rpartition(".")[2]
    if name == "Thread":
        return _thread(script, call)
    at = _CALLS_ITS_ARGUMENT.get(name)
    if (
        at is None
        or len(call.args) <= at
        or any(arg.keyword or arg.star for arg in call.args[: at + 1])
    ):
        return None
    model = _model_of(call.args[at].value)
    if model is None:
        return None
    span = script.span(call.args[at].value)
    keywords = frozenset(arg.keyword.value for arg in call.args if arg.keyword)
    edit = Edit(span.start, span.end, f"{GENERATE},{between(script, call.args[at])}{model}")
    return HandedOn(call, model, keywords, bound if name == "partial" else None, (edit,))


def _thread(script: Script, call: cst.Call) -> HandedOn | None:
    """`Thread(target=model.generate, args=…, kwargs=…)`; one that is told by position or `**` is left."""
    named = {arg.keyword.value: arg.value for arg in call.args if arg.keyword}
    if len(named) < len(call.args) or "target" not in named:
        return None
    model = _model_of(named["target"])
    if model is None:
        return None
    span = script.span(named["target"])
    given = named.get("args")
    if given is None:
        edits: tuple[Edit, ...] = (Edit(span.start, span.end, f"{GENERATE}, args=({model},)"),)
    else:
        before = _before(script, given, model)
        if before is None:
            return None
        edits = (Edit(span.start, span.end, GENERATE), before)
    return HandedOn(call, model, _keys(named.get("kwargs")), None, edits)


def _before(script: Script, given: cst.BaseExpression, model: str) -> Edit | None:
    """Arguments with the model before them; None for none, and for what stands in parentheses."""
    span = script.span(given)
    if isinstance(given, (cst.Tuple, cst.List)):
        if not given.elements:
            return None
        start = script.span(given.elements[0]).start
        return Edit(start, start, f"{model}, ")
    if getattr(given, "lpar", ()):
        return None
    return Edit(span.start, span.end, f"({model}, *{script.code(given)})")


def _keys(given: cst.BaseExpression | None) -> frozenset[str]:
    """The keys of a dict that is written where it is used."""
    if isinstance(given, cst.Call) and dotted(given.func) == "dict":
        return frozenset(arg.keyword.value for arg in given.args if arg.keyword)
    if not isinstance(given, cst.Dict):
        return frozenset()
    keys = (one.key for one in given.elements if isinstance(one, cst.DictElement))
    return frozenset(key.raw_value for key in keys if isinstance(key, cst.SimpleString))


def _model_of(node: cst.BaseExpression) -> str | None:
    """The dotted name before `.generate`, which may be asked for later as well as here."""
    name = "" if getattr(node, "lpar", ()) else dotted(node) or ""
    model, _, last = name.rpartition(".")
    return model if last == "generate" and model else None


class _Handing(Looking):
    """The calls that may be handed a function, and the plain names that they are stored under."""

    def __init__(self) -> None:
        self.calls: list[cst.Call] = []
        self.bound: dict[cst.Call, str] = {}

    def visit_Assign(self, node: cst.Assign) -> None:
        if isinstance(node.value, cst.Call) and len(node.targets) == 1:
            name = dotted(node.targets[0].target)
            if name is not None:
                self.bound[node.value] = name

    def visit_Call(self, node: cst.Call) -> None:
        name = (dotted(node.func) or "").rpartition(".")[2]
        if name == "Thread" or name in _CALLS_ITS_ARGUMENT:
            self.calls.append(node)
