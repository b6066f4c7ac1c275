"""Models that a function gets as a parameter, and whether all that it can be given are seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import libcst as cst

from codemods.others.callers import (
    Called,
    callers,
    gives_seen,
    is_anothers,
    mentions,
    takers,
    unseen_in,
)
from codemods.others.givers import functions_in
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.events import OwnCall, Unpack
from lint_rules._flow.values.joins import CausalLM, Tokenizer, options
from lint_rules._flow.values.syntax import dotted
from lint_rules._flow.walking.object_calls import HANDS_THROUGH
from lint_rules._questions.reach import nodes_in

Parameter = tuple[cst.FunctionDef, str]
# Decorators that call a function with what they are called with.
_PLAIN = frozenset(
    ["no_grad", "inference_mode", "staticmethod", "classmethod", "abstractmethod", "torch.no_grad"]
)
_OWN = ("self", "cls")


def unseen_giver(
    script: Script, node: cst.BaseExpression, function: cst.FunctionDef | None
) -> str | None:
    """Why an expression may name a model, or tokenizer, that another file gives and nobody follows.

    Args:
        script: The script.
        node: The expression.
        function: The function that it stands in.
    """
    parameters = parameters_behind(script, node, function)
    for parameter in parameters:
        why = _unseen(script, parameter)
        if why is not None:
            return why
    behind = _behind(script, node, function)
    for attribute in behind.attributes if parameters else ():
        why = script.kept(("set", attribute), partial(_set_elsewhere, script, attribute, None))
        if why is not None:
            return why
    for name in behind.globals if script.is_linked else ():
        why = script.kept(("global", name), partial(_set_elsewhere, script, name, script.path))
        if why is not None:
            return why
    return None


def is_apart(script: Script, node: cst.BaseExpression, function: cst.FunctionDef | None) -> bool:
    """Whether an expression names only what a function gets that the script does not use, and nobody gives a model."""
    behind = _behind(script, node, function)
    owners = script.look(_Owners)
    return bool(behind.parameters) and all(
        one not in script.given
        and one not in owners.of
        and one not in owners.around
        and next(mentions(script.module, one.name.value), None) is None
        for one, _ in behind.parameters
    )


def loads_behind(
    script: Script, node: cst.BaseExpression, function: cst.FunctionDef | None
) -> frozenset[cst.CSTNode]:
    """The loads of other files that what an expression names may come from."""
    return frozenset(
        option.origin
        for parameter in (parameters_behind(script, node, function) if script.given else ())
        for option in options_given(script, *parameter)
        if option.origin is not None
    )


def options_given(
    script: Script, function: cst.FunctionDef, name: str
) -> Iterator[CausalLM | Tokenizer]:
    """What other files give a parameter."""
    value = script.given.get(function, {}).get(name)
    for option in () if value is None else options(value):
        if isinstance(option, (CausalLM, Tokenizer)):
            yield option


def parameters_behind(
    script: Script, node: cst.CSTNode, function: cst.FunctionDef | None
) -> list[Parameter]:
    """The parameters from which what an expression names may come, by assignments and attributes."""
    return _behind(script, node, function).parameters


def _behind(script: Script, node: cst.CSTNode, function: cst.FunctionDef | None) -> _Behind:
    return script.kept(("behind", node), lambda: _Behind(script, node, function))


def _set_elsewhere(script: Script, attribute: str, module: Path | None) -> str | None:
    """Where another file may set an attribute of an object that this one makes, or of the module."""
    for path in takers(script.others, script.path.resolve()):
        text = script.others.text(path)
        owner = r"(?<!self)"
        if module is not None:
            stem = re.escape(script.others.stem(module))
            names = [stem, *re.findall(rf"\b{stem}\s+as\s+(\w+)", text)]
            owner = rf"\b({'|'.join(names)})"
        name = re.escape(attribute)
        sets = re.compile(
            rf"{owner}\.{name}\s*(,[^=\n]*)?=[^=]|[\"']{name}[\"']\s*,|[\"'][\w.]+\.{name}[\"']"
        )
        for number, line in enumerate(text.splitlines(), 1):
            if sets.search(line):
                return f"{path.name}:{number} may set `{attribute}`"
    return None


class _Behind:
    """What an expression may come from.

    Attributes:
        parameters: Of functions of the script.
        attributes: Of its objects.
        globals: The names of the module.
    """

    def __init__(self, script: Script, node: cst.CSTNode, function: cst.FunctionDef | None) -> None:
        self._script = script
        self._found: dict[Parameter, None] = {}
        self._attributes: dict[str, None] = {}
        self._globals: dict[str, None] = {}
        self._seen: set[object] = set()
        self._expression(node, function, direct=True)
        self.parameters, self.attributes = list(self._found), list(self._attributes)
        self.globals = list(self._globals)

    def _expression(
        self, node: cst.CSTNode, function: cst.FunctionDef | None, *, direct: bool
    ) -> None:
        main = _receiver(node) if direct else None
        for part in nodes_in(node):
            if isinstance(part, cst.Name):
                self._name(part.value, function, direct=part is main)
            elif isinstance(part, cst.Attribute) and isinstance(part.value, cst.Name):
                self._attribute(part.attr.value, direct=part is main)

    def _name(self, name: str, function: cst.FunctionDef | None, *, direct: bool) -> None:
        home = self._script.home_of(name, function)
        if name in _OWN or (name, home, direct) in self._seen:
            return
        self._seen.add((name, home, direct))
        if home is not None and name in _names_of(home) and (direct or self._models(home, name)):
            self._found[home, name] = None
        if home is None and direct:
            self._globals[name] = None
        for value in self._script.assigned_values(name, home):
            self._expression(value, home, direct=direct)
        for event in self._script.flow.events(Unpack):
            names = {dotted(element.value) for element in event.target.elements}
            if event.place.function is home and name in names:
                self._expression(event.node.value, home, direct=False)

    def _attribute(self, name: str, *, direct: bool) -> None:
        if (".", name, direct) in self._seen:
            return
        self._seen.add((".", name, direct))
        for value, function in self._script.look(_AttributeSets).found.get(name, ()):
            self._attributes[name] = None
            self._expression(value, function, direct=direct)

    def _models(self, function: cst.FunctionDef, name: str) -> bool:
        """Whether a call is seen that gives a parameter a model or a tokenizer."""
        if any(True for _ in options_given(self._script, function, name)):
            return True
        calls = self._script.once(_calls).get(function, ())
        return any(
            isinstance(option, (CausalLM, Tokenizer))
            for call in calls
            if name in call.given
            for option in options(call.given[name])
        )


class _AttributeSets(Looking):
    """What is assigned to attributes, by the attribute, with the function that assigns it."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[cst.BaseExpression, cst.FunctionDef | None]]] = {}
        self._functions: list[cst.FunctionDef] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._functions.append(node)

    def leave_FunctionDef(self, node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._functions.pop()

    def visit_Assign(self, node: cst.Assign) -> None:
        for one in node.targets:
            if isinstance(one.target, cst.Attribute):
                self._keep(one.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if isinstance(node.target, cst.Attribute) and node.value is not None:
            self._keep(node.target, node.value)

    def _keep(self, target: cst.Attribute, value: cst.BaseExpression) -> None:
        function = self._functions[-1] if self._functions else None
        self.found.setdefault(target.attr.value, []).append((value, function))


def _receiver(node: cst.CSTNode) -> cst.CSTNode:
    """`model` of `model.to(device).generate`: what the methods are called on, or the value itself."""
    while True:
        if isinstance(node, cst.Call):
            hands = isinstance(node.func, cst.Attribute) and node.func.attr.value in HANDS_THROUGH
            node = node.args[0].value if hands and node.args else node.func
        elif isinstance(node, cst.Attribute) and not (
            isinstance(node.value, cst.Name) and node.value.value in _OWN
        ):
            node = node.value
        else:
            return node


def _names_of(function: cst.FunctionDef) -> set[str]:
    params = function.params
    return {p.name.value for p in (*params.posonly_params, *params.params, *params.kwonly_params)}


def _calls(script: Script) -> dict[cst.CSTNode, list[OwnCall]]:
    found: dict[cst.CSTNode, list[OwnCall]] = {}
    for call in script.flow.events(OwnCall):
        found.setdefault(call.function, []).append(call)
    return found


def _unseen(script: Script, parameter: Parameter) -> str | None:
    return script.kept(("unseen", parameter), lambda: _look(script, parameter))


def _look(script: Script, parameter: Parameter) -> str | None:
    function, name = parameter
    owner = script.look(_Owners).of.get(function)
    outer = script.look(_Owners).around.get(function)
    called = function.name.value
    if owner is not None and called == "__init__":
        called = owner.name.value
    here = f"line {script.line_of(function)}"
    for call in script.once(_calls).get(function, ()):
        if not gives_seen(call, name) and not _has_model(call, name):
            line = script.line_of(call.node)
            return f"line {line} gives `{called}` a model whose load cannot be seen"
    if outer is not None:
        return None  # nobody else sees it
    number = next(n for n, one in enumerate(functions_in(script.module)) if one is function)
    target = Called(
        (script.path.resolve(), number), called, owner is not None and called == function.name.value
    )
    naming = callers(script.others, target)
    if not naming:
        return None
    if any(_last(one) not in _PLAIN for one in function.decorators):
        return f"{here}: a decorator of `{called}` may give it another model"
    for node, at in mentions(script.module, called):
        event = None if at is None else script.flow.event_at(at, OwnCall)
        if event is None and at is not None and is_anothers(script.flow, at, node):
            continue
        if event is None:
            return f"line {script.line_of(node)} names `{called}`, and who calls it cannot be seen"
        if event.function is function and not gives_seen(event, name):
            return f"line {script.line_of(node)} gives `{called}` a model whose load cannot be seen"
    for path in naming:
        why = unseen_in(script.others, path, target, name)
        if why is not None:
            return why
    return None


def _has_model(call: OwnCall, name: str) -> bool:
    return name in call.given and any(
        isinstance(option, (CausalLM, Tokenizer)) for option in options(call.given[name])
    )


def _last(decorator: cst.Decorator) -> str:
    node = decorator.decorator
    return (dotted(node.func if isinstance(node, cst.Call) else node) or "").rpartition(".")[2]


class _Owners(Looking):
    """The classes of methods, and the functions around others."""

    def __init__(self) -> None:
        self.of: dict[cst.CSTNode, cst.ClassDef] = {}
        self.around: dict[cst.CSTNode, cst.FunctionDef] = {}
        self._open: list[cst.FunctionDef | cst.ClassDef] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._open.append(node)

    def leave_ClassDef(self, node: cst.ClassDef) -> None:  # noqa: ARG002
        self._open.pop()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        inner = self._open[-1] if self._open else None
        if isinstance(inner, cst.ClassDef):
            self.of[node] = inner
        elif inner is not None:
            self.around[node] = inner
        self._open.append(node)

    def leave_FunctionDef(self, node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._open.pop()
