"""Classes of models that are somebody's own, and whether they load and generate as the library's do."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import libcst as cst

from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

_MOST_STEPS = 40
_BASES = ("PreTrainedModel", "ForCausalLM", "LMHeadModel", "GenerationMixin")
# What of a class decides how it is loaded and how it generates.
_DECIDES = frozenset(
    "from_pretrained generate __new__ __getattr__ __getattribute__ load_state_dict".split()  # noqa: SIM905
)
# Decorators of the library that write a class's documentation.
_DOCUMENTS = ("add_", "replace_return_docstrings", "auto_docstring")


def is_plain(script: Script, found: cst.ClassDef | str) -> bool:
    """Whether a class of the script, or an imported one, loads and generates as the library's classes do.

    Args:
        script: The script that loads with it.
        found: The class, or the dotted name that it is imported by.
    """
    if isinstance(found, cst.ClassDef):
        module = ast.parse(script.source.text)
        return _Definitions(script).plain_in(script.path, module, found.name.value)
    owner, _, name = found.rpartition(".")
    return bool(owner) and _Definitions(script).imported(script.path, owner, name)


def hands_on(script: Script, found: str) -> bool:
    """Whether a module of the run hands on transformers' own class by this dotted name, and makes none of its own."""
    owner, _, name = found.rpartition(".")
    return bool(owner) and _Definitions(script).handed_on(script.path, owner, name)


class _Definitions:
    """Looks classes up in the files of the run, as far as imports show them; what is not seen is not plain."""

    def __init__(self, script: Script) -> None:
        self._others = script.others
        self._steps = 0
        self._open: set[ast.ClassDef] = set()

    def imported(self, path: Path, module: str, name: str) -> bool:
        """Whether what a file imports by this name is plain in every module that it may be."""
        if module.partition(".")[0] == "transformers":
            return name.endswith(_BASES)
        self._steps += 1
        files = self._others.modules(path, module) if self._steps < _MOST_STEPS else []
        return bool(files) and all(self._in_file(one, name) for one in files)

    def handed_on(self, path: Path, module: str, name: str) -> bool:
        """Whether what a file imports by this name comes from transformers, in every module that it may be."""
        if module.partition(".")[0] == "transformers":
            return True
        self._steps += 1
        files = self._others.modules(path, module) if self._steps < _MOST_STEPS else []
        return bool(files) and all(self._hands_on(one, name) for one in files)

    def _hands_on(self, path: Path, name: str) -> bool:
        module = self._others.parsed(path)
        if module is None:
            return False
        nodes = list(ast.walk(module))
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if _is_assigned(nodes, name) or any(isinstance(n, kinds) and n.name == name for n in nodes):
            return False
        imports = [*_imports_of(nodes, name), *_imports_of(nodes, "*")]
        return bool(imports) and all(
            self.handed_on(path, owner, name if real == "*" else real) for owner, real in imports
        )

    def _in_file(self, path: Path, name: str) -> bool:
        module = self._others.parsed(path)
        return module is not None and self.plain_in(path, module, name)

    def plain_in(self, path: Path, module: ast.Module, name: str) -> bool:
        """Whether all that a module calls by this name is plain."""
        nodes = list(ast.walk(module))
        classes = [n for n in nodes if isinstance(n, ast.ClassDef) and n.name == name]
        classes = [one for one in classes if one not in self._open]
        imports = list(_imports_of(nodes, name))
        if _is_assigned(nodes, name) or not (classes or imports):
            return False
        return all(self._class(path, module, one) for one in classes) and all(
            self.imported(path, owner, real) for owner, real in imports
        )

    def _class(self, path: Path, module: ast.Module, node: ast.ClassDef) -> bool:
        if node.keywords or not all(map(_documents, node.decorator_list)):
            return False
        if not _DECIDES.isdisjoint(_defined(node.body)) or not node.bases:
            return False
        self._open.add(node)
        found = all(self._base(path, module, base) for base in node.bases)
        self._open.discard(node)
        return found

    def _base(self, path: Path, module: ast.Module, base: ast.expr) -> bool:
        if isinstance(base, ast.Name):
            return self.plain_in(path, module, base.id)
        text = ast.unparse(base) if isinstance(base, ast.Attribute) else ""
        return text.startswith("transformers.") and text.endswith(_BASES)


def _imports_of(nodes: Sequence[ast.AST], name: str) -> Iterator[tuple[str, str]]:
    """The modules that a name is imported from, with its name there."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    yield "." * node.level + (node.module or ""), alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if (alias.asname or alias.name.partition(".")[0]) == name:
                    yield "", name  # a module, which is no class


def _is_assigned(nodes: Sequence[ast.AST], name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
        for node in nodes
    )


def _documents(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id.startswith(_DOCUMENTS)


def _defined(body: Sequence[ast.stmt]) -> set[str]:
    """The names that a class's body binds."""
    found: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.add(node.name)
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                found.add(node.id)
    return found


def written_class(script: Script, call: cst.Call) -> str | None:
    """The class that `….from_pretrained(…)` is called on, where it is a name; None elsewhere."""
    function = call.func
    if not isinstance(function, cst.Attribute) or function.attr.value != "from_pretrained":
        return None
    return None if dotted(function.value) is None else script.code(function.value)
