"""What a dict of a script says, followed through names, and through the parameter of a helper."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from codemods.script.looking import Looking
from lint_rules._flow.values.syntax import dotted

Function = cst.FunctionDef | None
Entries = dict[str, list[cst.BaseExpression]]


def entries_of(seen: Seen, node: cst.BaseExpression, function: Function) -> Entries | None:
    """What a dict that is written out says, here or where the function is called; None if unseen."""
    found: Entries = {}
    if isinstance(node, cst.Dict):
        for one in node.elements:
            text = text_of(one.key) if isinstance(one, cst.DictElement) else None
            if text is None:
                return None
            found.setdefault(text, []).append(one.value)
        return found
    if isinstance(node, cst.Call) and dotted(node.func) == "dict":
        for argument in node.args:
            if argument.keyword is None:
                return None
            found.setdefault(argument.keyword.value, []).append(argument.value)
        return found
    if isinstance(node, cst.Name):
        return _named_entries(seen, node.value, function)
    return None


def _named_entries(seen: Seen, name: str, function: Function) -> Entries | None:
    if function is not None and name in (places := parameters(function)):
        return _callers_entries(seen, function, name, places.index(name))
    if seen.handled(name, function):
        return None
    values = seen.assigned.get((function, name), [])
    found: Entries = {}
    for value in values:
        entries = None if isinstance(value, cst.Name) else entries_of(seen, value, function)
        if entries is None:
            return None
        _join(found, entries)
    for key, value in seen.put.get((function, name), []):
        text = text_of(key)
        if text is None:
            return None
        _join(found, {text: [value]})
    return found if values else None


def _callers_entries(
    seen: Seen, function: cst.FunctionDef, name: str, place: int
) -> Entries | None:
    """What every call in the file gives a helper's parameter."""
    found: Entries = {}
    if (function, name) in seen.assigned or (function, name) in seen.put:
        return None
    for given, around in seen.given_to(function, name, place):
        entries = None if given is None or around is function else entries_of(seen, given, around)
        if entries is None:
            return None
        _join(found, entries)
    return found


def _join(found: Entries, more: Entries) -> None:
    for key, values in more.items():
        found.setdefault(key, []).extend(values)


class Seen(Looking):
    """Calls, imports and what names are assigned and filled with, by the function that they stand in."""

    def __init__(self) -> None:
        self.calls: list[tuple[cst.Call, Function]] = []
        self.assigned: dict[tuple[Function, str], list[cst.BaseExpression]] = {}
        self.put: dict[
            tuple[Function, str], list[tuple[cst.BaseExpression, cst.BaseExpression]]
        ] = {}
        self._mentions: dict[tuple[Function, str], int] = {}
        self._explained: dict[tuple[Function, str], int] = {}
        self._inside: list[cst.FunctionDef] = []

    def handled(self, name: str, function: Function) -> bool:
        """Whether something else is done with a name than assigning, filling, and giving it to a call."""
        key = (function, name)
        return self._mentions.get(key, 0) != self._explained.get(key, 0)

    def given_to(
        self, function: cst.FunctionDef, name: str, place: int
    ) -> Iterator[tuple[cst.BaseExpression | None, Function]]:
        """What each call of a function gives one of its parameters, and where the call stands; None if unseen."""
        for node, around in self.calls:
            if (dotted(node.func) or "").rpartition(".")[2] == function.name.value:
                yield given_argument(node, name, place), around

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._inside.append(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._inside.pop()

    def visit_Name(self, node: cst.Name) -> None:
        self._count(self._mentions, node.value)

    def visit_Arg(self, node: cst.Arg) -> None:
        if isinstance(node.value, cst.Name) and not node.star:
            self._count(self._explained, node.value.value)
        keyword = None if node.keyword is None else node.keyword.value
        if keyword is not None:  # it is no use of that name
            self._count(self._explained, keyword)

    def visit_Call(self, node: cst.Call) -> None:
        self.calls.append((node, self._function()))

    def visit_Assign(self, node: cst.Assign) -> None:
        for one in node.targets:
            self._bound(one.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._bound(node.target, node.value)

    def _bound(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.assigned.setdefault((self._function(), target.value), []).append(value)
            self._count(self._explained, target.value)
        elif isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name):
            index = target.slice[0].slice if len(target.slice) == 1 else None
            if isinstance(index, cst.Index):
                key = (self._function(), target.value.value)
                self.put.setdefault(key, []).append((index.value, value))
                self._count(self._explained, target.value.value)

    def _count(self, counts: dict[tuple[Function, str], int], name: str) -> None:
        key = (self._function(), name)
        counts[key] = counts.get(key, 0) + 1

    def _function(self) -> Function:
        return self._inside[-1] if self._inside else None


def given_argument(node: cst.Call, keyword: str, place: int) -> cst.BaseExpression | None:
    """An argument by its name or its place; None where it is not there, or a `*` may hold it."""
    if any(argument.star for argument in node.args):
        return None
    plain = [argument.value for argument in node.args if argument.keyword is None]
    named = [a.value for a in node.args if a.keyword is not None and a.keyword.value == keyword]
    return next(iter([*named, *plain[place : place + 1]]), None)


def parameters(function: cst.FunctionDef) -> list[str]:
    """The names of a function's parameters, in their order."""
    params = function.params
    return [
        one.name.value for one in (*params.posonly_params, *params.params, *params.kwonly_params)
    ]


def text_of(node: cst.BaseExpression | None) -> str | None:
    """The text of a string that is written out."""
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None


def last_of(node: cst.Call) -> str:
    """The name of a function or method that is called, whatever it is called on."""
    if isinstance(node.func, cst.Attribute):
        return node.func.attr.value
    return (dotted(node.func) or "").rpartition(".")[2]
