"""Who calls a function in the other files of a run, and whether each gives it a model that is seen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codemods.others.elsewhere import Elsewhere
from codemods.others.givers import FunctionKey
from codemods.others.handing import imports_from
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import CallSite, Generate, OwnCall
from lint_rules._flow.values.joins import CausalLM, Constant, Tokenizer, options
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import light_module
from lint_rules._light import tree as cst
from lint_rules._questions.reach import nodes_in

_LISTED = re.compile(r"^__all__\s*\+?=\s*[\[(][^\])]*[\])]", re.MULTILINE)
_DYNAMIC = ("import_module(", "__import__(", "run_module(")


@dataclass(frozen=True, slots=True)
class Called:
    """A function that may be called from other files.

    Attributes:
        key: Its file and number.
        name: The name that it is called by: the class's for `__init__`.
        is_method: It is called as an attribute of an object, whoever holds that.
    """

    key: FunctionKey
    name: str
    is_method: bool


def callers(others: Elsewhere, called: Called) -> list[Path]:
    """The other files that name a function, in the run and beside the file."""
    word = re.compile(rf"\b{re.escape(called.name)}\b")
    path = called.key[0]
    naming = [
        one
        for one in others.beside(path)
        if called.name in (text := others.text(one)) and word.search(text)
    ]
    if called.is_method and naming:
        related = _related(others, path)
        return [one for one in naming if one in related]
    if not naming:
        return naming
    stems = others.stems(path)
    while True:  # who imports it may hand it on
        found = [one for one in naming if _takes(others, one, stems, called.name)]
        more = stems | {others.stem(one) for one in found}
        if more == stems:
            return found
        stems = more


def takers(others: Elsewhere, path: Path) -> list[Path]:
    """The other files that import anything from a file, or from one that does, in the run and beside it."""
    stems = {others.stem(path)}
    every = others.beside(path)
    while True:
        found = [one for one in every if not stems.isdisjoint(others.imported_words(one))]
        more = stems | {others.stem(one) for one in found}
        if more == stems:
            return found
        stems = more


def _related(others: Elsewhere, path: Path) -> set[Path]:
    """The files that may hold an object that a file makes: who imports it, and what those, and it, import."""
    stem = others.stem(path)
    above = set(takers(others, path))
    above |= {
        one
        for one in others.beside(path)
        if stem in (text := others.text(one)) and _is_dynamic(text)
    }
    found = set(above)
    waiting = [path, *above]
    every = others.beside(path)
    while waiting:
        words = others.imported_words(waiting.pop())
        more = [one for one in every if one not in found and others.stem(one) in words]
        found.update(more)
        waiting += more
    return found


def _is_dynamic(text: str) -> bool:
    """Whether a text may import a module by a name that only the run knows."""
    return any(call in text for call in _DYNAMIC)


def _takes(others: Elsewhere, path: Path, stems: frozenset[str], name: str) -> bool:
    text = others.text(path)
    if _is_dynamic(text) and any(stem in text for stem in stems):
        return True
    return any(imports_from(others.text(path), stem, name) for stem in stems)


def unseen_in(others: Elsewhere, path: Path, called: Called, parameter: str) -> str | None:
    """Why a file may give a parameter something other than a model, or tokenizer, whose load is seen; else None."""
    text = others.text(path)
    where = f"{path.name}:{_line(text, called.name)}"
    if path.suffix != ".py" or others.givers is None or not others.is_ours(path):
        return f"{where} uses `{called.name}`, and what it gives cannot be seen"
    said = _LISTED.sub("", text)
    if _is_dynamic(said) or re.search(rf"[\"']{re.escape(called.name)}[\"']", said):
        return f"{where} may call `{called.name}` by a computed name"
    flow = others.givers.flow(path.resolve())
    if flow is None and _only_hands_on(text, called.name):
        return None
    if flow is None:
        return f"{where} uses `{called.name}`, and what it gives cannot be seen"
    for node, call in mentions(flow.module, called.name):
        event = None if call is None else flow.event_at(call, OwnCall)
        if event is None:
            if call is not None and is_anothers(flow, call, node):
                continue
            return f"{where} uses `{called.name}`, and what it gives cannot be seen"
        key = others.givers.key_of(flow, event.function)
        if key == called.key and not gives_seen(event, parameter):
            return f"{where} gives `{called.name}` a model whose load cannot be seen"
        if key is None:
            return f"{where} uses `{called.name}`, and what it gives cannot be seen"
    return None


def gives_seen(call: OwnCall, parameter: str) -> bool:
    """Whether a call gives a parameter only models or tokenizers with a known load, or leaves it out."""
    value = call.given.get(parameter)
    if value is None:
        return not call.args.opaque
    return all(
        (isinstance(one, (CausalLM, Tokenizer)) and one.origin is not None)
        or (isinstance(one, Constant) and one.value is None)
        for one in options(value)
    )


def mentions(
    module: cst.CSTNode, name: str
) -> Iterator[tuple[cst.Name | cst.Attribute, cst.Call | None]]:
    """Where a name is read, also as an attribute's or by another name, with the call whose function it is."""
    said = _said(module)
    locally = {name, *said.renamed.get(name, ())}
    names = [node for local in locally for node in said.names.get(local, ())]
    found = [*names, *said.attributes.get(name, ())]
    passed = said.passed
    if names:  # those of a function that has such a name of its own are its own
        passed = passed | {
            id(part)
            for function in said.functions
            if _binds(function, locally)
            for part in nodes_in(function)
            if isinstance(part, cst.Name)
        }
    return ((node, said.calls.get(id(node))) for node in found if id(node) not in passed)


class _Said:
    """What a module says, collected once for all names.

    Attributes:
        names: The places of names, by the name.
        attributes: Those of attributes.
        calls: The calls, by the identity of their function.
        functions: All functions.
        renamed: The other names that names are imported by.
        passed: The identities of what only imports, defines or annotates.
    """

    def __init__(self, module: cst.CSTNode) -> None:
        self.names: dict[str, list[cst.Name]] = {}
        self.attributes: dict[str, list[cst.Attribute]] = {}
        self.calls: dict[int, cst.Call] = {}
        self.functions: list[cst.FunctionDef] = []
        self.renamed: dict[str, set[str]] = {}
        self.passed: set[int] = set()
        for node in nodes_in(module):
            if isinstance(node, cst.Name):
                self.names.setdefault(node.value, []).append(node)
            elif isinstance(node, cst.Attribute):
                self.attributes.setdefault(node.attr.value, []).append(node)
            elif isinstance(node, cst.Call):
                self.calls[id(node.func)] = node
            elif isinstance(node, (cst.Import, cst.ImportFrom, cst.Annotation)):
                self.passed.update(id(part) for part in nodes_in(node))
                if isinstance(node, cst.ImportFrom):
                    self._rename(node)
            elif isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.Param)):
                self.passed.add(id(node.name))
                if isinstance(node, cst.FunctionDef):
                    self.functions.append(node)

    def _rename(self, node: cst.ImportFrom) -> None:
        for alias in () if isinstance(node.names, cst.ImportStar) else node.names:
            other = None if alias.asname is None else alias.asname.name
            if isinstance(other, cst.Name):
                self.renamed.setdefault(dotted(alias.name) or "", set()).add(other.value)


@lru_cache(maxsize=8)
def _said(module: cst.CSTNode) -> _Said:
    return _Said(module)


def _binds(function: cst.FunctionDef, names: set[str]) -> bool:
    """Whether a name is a function's own: a parameter, or what it assigns."""
    params = function.params
    for parameter in (*params.posonly_params, *params.params, *params.kwonly_params):
        if parameter.name.value in names:
            return True
    body = list(nodes_in(function.body))
    inner = {
        id(part)
        for node in body
        if isinstance(node, (cst.FunctionDef, cst.Lambda))
        for part in nodes_in(node)
    }
    for node in body:
        if id(node) in inner:
            continue
        if isinstance(node, cst.Global) and any(item.name.value in names for item in node.names):
            return False
        target = node.target if isinstance(node, (cst.AssignTarget, cst.For)) else None
        if isinstance(target, cst.Name) and target.value in names:
            return True
    return False


def _only_hands_on(text: str, name: str) -> bool:
    """Whether a file names something in imports alone."""
    try:
        module = light_module(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError):
        return False
    return next(mentions(module, name), None) is None


def is_anothers(flow: Flow, call: cst.Call, node: cst.CSTNode) -> bool:
    """Whether a library's function or object is called that has the same name, as a model's `generate` is."""
    if not isinstance(node, cst.Attribute):
        return False
    generate = flow.event_at(call, Generate)
    if generate is not None:
        return generate.model.origin is not None
    return flow.event_at(call, CallSite) is not None


def _line(text: str, name: str) -> int:
    found = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(rf"\b{re.escape(name)}\b", line)
    ]
    used = [n for n in found if "import" not in text.splitlines()[n - 1]]
    return next(iter(used or found), 1)
