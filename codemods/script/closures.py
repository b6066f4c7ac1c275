"""What a function of another file of the run is made of: its text, and that of all that it names there."""

from __future__ import annotations

import ast
from pathlib import Path

from codemods.script.elsewhere import Elsewhere

_MOST_PARTS = 60

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def closure_text(others: Elsewhere, path: Path, module: str, name: str) -> str | None:
    """The text of a function or class that a file imports, with what it names in the files of the run.

    Args:
        others: The files of the run.
        path: The file that imports it.
        module: The module that it is imported from.
        name: Its name there.

    Returns:
        The text; None where it is not defined in one place of the run, or is too large to follow.
    """
    closure = _Closure(others)
    return "\n".join(closure.parts) if closure.follow(path, module, name) else None


class _Closure:
    def __init__(self, others: Elsewhere) -> None:
        self.parts: list[str] = []
        self._others = others
        self._seen: set[tuple[Path, str]] = set()
        self._modules: dict[Path, ast.Module | None] = {}

    def follow(self, path: Path, module: str, name: str) -> bool:
        """Whether a name that a file imports was found, with all that it leads to."""
        files = self._others.modules(path, module)
        return len(files) == 1 and self._name(files[0], name)

    def _name(self, path: Path, name: str) -> bool:
        """Whether a name of a module was found; what it holds is told in `parts`."""
        if (path, name) in self._seen:
            return True
        self._seen.add((path, name))
        module = self._module(path)
        if module is None or len(self.parts) >= _MOST_PARTS:
            return False
        found = False
        for node in module.body:
            if isinstance(node, _Definition) and node.name == name:
                self.parts.append(ast.unparse(node))
                found = all(self._named(path, module, used) for used in _names(node))
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        found = self.follow(
                            path, "." * node.level + (node.module or ""), alias.name
                        )
            if found:
                return True
        return False

    def _named(self, path: Path, module: ast.Module, name: str) -> bool:
        """Follows a name that a definition uses, where the run defines it."""
        for node in ast.walk(module):
            if isinstance(node, _Definition) and node.name == name and node in module.body:
                return self._name(path, name)
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.name == "*" or (alias.asname or alias.name) != name:
                        continue
                    owner = "." * node.level + (node.module or "")
                    if self._others.modules(path, owner):
                        return self.follow(path, owner, alias.name)
            if isinstance(node, ast.Import):
                for alias in node.names:
                    local = alias.asname or alias.name.partition(".")[0]
                    if local == name and self._others.modules(path, alias.name):
                        return False  # a module of the run: which of its parts cannot be told
        return True

    def _module(self, path: Path) -> ast.Module | None:
        if path not in self._modules:
            try:
                self._modules[path] = ast.parse(self._others.text(path))
            except (SyntaxError, ValueError, RecursionError):
                self._modules[path] = None
        return self._modules[path]


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
