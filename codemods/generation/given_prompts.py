"""What a prompt that cannot be followed may be, by who gives it: one text, or a list of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.events import Encode
from lint_rules._flow.values.syntax import dotted

Kind = Literal["list", "text"]
_STEPS = 3
# What a loop may go over that gives lists of prompts, one of them too.
_ROWS = re.compile(r"DataLoader|\breader$|batch|chunk|grouper", re.I)
_LISTS = ("split", "splitlines", "tolist", "readlines", "rsplit", "list", "tuple", "sorted")


def refuse_given(
    script: Script, encode: Encode, expression: cst.BaseExpression, kind: Kind
) -> None:
    """Look whether a prompt may be of a kind that the guarded call does not take.

    Args:
        script: The script.
        encode: The tokenizer call.
        expression: What it tokenises.
        kind: `list` where the guarded call takes one text, `text` where it takes a list.

    Raises:
        CannotRewrite: A call in the run gives its function such a one, or a loop or an option may.
    """
    name = dotted(expression) or ""
    function = encode.place.function
    if isinstance(expression, cst.Name) and function is not None and name in _names(function):
        given = next(_calls_that_give(script, function.name.value, name, kind, _STEPS), None)
        if given is not None:
            what = "a list of prompts" if kind == "list" else "one prompt"
            raise CannotRewrite(f"{given} gives `{function.name.value}` {what}")
    if kind == "list" and isinstance(expression, cst.Name):
        for target, iterated in script.look(_Loops).found:
            if target == name and _may_give_rows(script, iterated):
                line = script.line_of(iterated)
                raise CannotRewrite(f"line {line} may give lists of prompts as `{name}`")
    if kind == "list" and "." in name and _is_of_several(script, name.rpartition(".")[2]):
        raise CannotRewrite(f"`{name}` is an option that takes several")


def _names(function: cst.FunctionDef) -> list[str]:
    return [one.name.value for one in function.params.params]


def _calls_that_give(
    script: Script, function: str, name: str, kind: Kind, steps: int
) -> Iterator[str]:
    """Where functions of this name are given such a prompt, as `line 4` or `main.py`."""
    trees = [("", script.tree)]
    trees += [(one.name, script.others.parsed(one)) for one in script.others.importers(script.path)]
    for where, tree in trees:
        if tree is None:
            continue
        for given, around in _given(tree, function, name):
            if kind in _kinds(tree, given):
                yield where or f"line {given.lineno}"
            elif (
                isinstance(given, ast.Name)
                and around is not None
                and steps
                and _takes(around, given.id)
            ):
                yield from _calls_that_give(script, around.name, given.id, kind, steps - 1)


_Around = ast.FunctionDef | ast.AsyncFunctionDef


def _given(tree: ast.Module, function: str, name: str) -> Iterator[tuple[ast.expr, _Around | None]]:
    """What calls of a function give one of its parameters, with the function around each call."""
    read = _read(tree)
    places = {
        [one.arg for one in node.args.args].index(name) - _skips(node)
        for node in read.functions
        if node.name == function and _takes(node, name)
    }
    for node, around in read.calls.get(function, ()):
        yield from ((one.value, around) for one in node.keywords if one.arg == name)
        # Where another file defines it, any argument may be the prompt.
        told = [node.args[at] for at in places if 0 <= at < len(node.args)]
        yield from ((one, around) for one in (told if places else node.args))


@dataclass(frozen=True, slots=True)
class _Read:
    """What is looked for in a module, read once.

    Attributes:
        functions: The functions.
        calls: The calls by the last name of what is called, each with the function around it.
        assigned: What names are assigned, by the name.
    """

    functions: list[_Around]
    calls: dict[str, list[tuple[ast.Call, _Around | None]]]
    assigned: dict[str, list[ast.expr]]


@lru_cache(maxsize=16)
def _read(tree: ast.Module) -> _Read:
    found = _Read([], {}, {})
    waiting: list[tuple[ast.AST, _Around | None]] = [(tree, None)]
    while waiting:
        node, around = waiting.pop()
        if isinstance(node, _Around):
            found.functions.append(node)
        inner = node if isinstance(node, _Around) else around
        waiting += [(child, inner) for child in ast.iter_child_nodes(node)]
        if isinstance(node, ast.Call):
            found.calls.setdefault(_called(node), []).append((node, around))
        elif isinstance(node, ast.Assign):
            for one in node.targets:
                if isinstance(one, ast.Name):
                    found.assigned.setdefault(one.id, []).append(node.value)
    return found


def _takes(node: _Around, name: str) -> bool:
    return name in [one.arg for one in node.args.args]


def _skips(node: _Around) -> bool:
    return bool(node.args.args) and node.args.args[0].arg in ("self", "cls")


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _kinds(tree: ast.Module, node: ast.expr, *, follow: bool = True) -> set[Kind]:
    """What an expression certainly is, in one way at least."""
    if isinstance(node, (ast.List, ast.Tuple, ast.ListComp)):
        return {"list"}
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        return {"text"}
    if isinstance(node, ast.Call):
        return {"list"} if _called(node) in _LISTS else set()
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        return _kinds(tree, node.value, follow=follow) & {"list"}
    if isinstance(node, ast.Name) and follow:
        values = _read(tree).assigned.get(node.id, [])
        return {kind for value in values for kind in _kinds(tree, value, follow=False)}
    return set()


def _may_give_rows(script: Script, iterated: cst.BaseExpression) -> bool:
    """Whether a loop goes over what may give lists: batches of a loader, rows of a table."""
    while isinstance(iterated, cst.Call) and dotted(iterated.func) in ("tqdm", "tqdm.tqdm"):
        iterated = iterated.args[0].value if iterated.args else iterated.func
    if isinstance(iterated, cst.Call):
        return _ROWS.search(dotted(iterated.func) or "") is not None
    if not isinstance(iterated, cst.Name):
        return False
    values = script.assigned_values(iterated.value, None)
    return any(
        isinstance(value, cst.Call) and _ROWS.search(dotted(value.func) or "") for value in values
    )


def _is_of_several(script: Script, option: str) -> bool:
    """Whether an option of the command line takes several values."""
    said = rf"add_argument\(\s*[^()]*[\"'](--)?{re.escape(option).replace('_', '[-_]')}[\"'][^()]*\bnargs\s*="
    return re.search(said, script.source.text) is not None


class _Loops(Looking):
    """The names that loops bind, with what they go over."""

    def __init__(self) -> None:
        self.found: list[tuple[str, cst.BaseExpression]] = []

    def visit_For(self, node: cst.For) -> None:
        self._keep(node.target, node.iter)

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self._keep(node.target, node.iter)

    def _keep(self, target: cst.BaseExpression, iterated: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.found.append((target.value, iterated))
        elif isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._keep(element.value, iterated)
