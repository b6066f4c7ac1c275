"""What a module defines and imports, by name, and what a function returns."""

from __future__ import annotations

import re

import libcst as cst

from codemods.others.handing import inside
from codemods.script.looking import Looking
from lint_rules._flow.values.syntax import dotted


class Functions(Looking):
    """The functions and methods of a module, and the last of each name."""

    def __init__(self) -> None:
        self.every: list[cst.FunctionDef] = []
        self.named: dict[str, cst.FunctionDef] = {}

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        """Keeps a function."""
        self.every.append(node)
        self.named[node.name.value] = node


def module_of(node: cst.ImportFrom) -> str:
    """The module that names are taken out of, with the dots before it."""
    return "." * len(node.relative) + ((dotted(node.module) or "") if node.module else "")


def local_name(alias: cst.ImportAlias) -> str:
    """The name that an imported one gets."""
    return _renamed(alias) or dotted(alias.name) or ""


class Imported(Looking):
    """What is imported: the local name, the module, and the name there.

    Attributes:
        members: What `from … import` takes out of modules.
        found: Those, and modules as a whole.
        emptied: Modules out of which everything is taken.
    """

    def __init__(self) -> None:
        self.members: list[tuple[str, str, str]] = []
        self.found: list[tuple[str, str, str]] = []
        self.emptied: list[str] = []

    @property
    def by_name(self) -> dict[str, tuple[str, str]]:
        """The modules that local names come from, with the names there."""
        return {local: (module, name) for local, module, name in self.members}

    @property
    def modules(self) -> list[str]:
        """The modules, and what may be one inside them, each once, in an order that does not change from run to run."""
        inner = {inside(module, name) for _, module, name in self.members}
        return sorted({module for _, module, _ in self.found} | inner | set(self.emptied))

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        """Keeps what is taken out of a module."""
        module = module_of(node)
        if isinstance(node.names, cst.ImportStar):
            self.emptied.append(module)
            return
        for alias in node.names:
            self.members.append((local_name(alias), module, dotted(alias.name) or ""))
            self.found.append(self.members[-1])

    def visit_Import(self, node: cst.Import) -> None:
        """Keeps modules."""
        for alias in node.names:
            name = dotted(alias.name) or ""
            self.found.append((_renamed(alias) or name.partition(".")[0], name, name))


class Classes(Looking):
    """The classes of a module, outer ones first."""

    def __init__(self) -> None:
        self.every: list[cst.ClassDef] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        """Keeps a class."""
        self.every.append(node)


def _renamed(alias: cst.ImportAlias) -> str | None:
    name = None if alias.asname is None else alias.asname.name
    return name.value if isinstance(name, cst.Name) else None


def returned(function: cst.FunctionDef) -> list[cst.BaseExpression | None]:
    """What a function returns; None for a `return` by itself. Functions inside it are passed over."""
    visitor = _Returns()
    function.body.visit(visitor)
    return visitor.found


def given_back(function: cst.FunctionDef) -> list[cst.BaseExpression]:
    """What a function returns or yields. Functions inside it are passed over."""
    visitor = _Returns()
    function.body.visit(visitor)
    return [one for one in (*visitor.found, *visitor.yielded) if one is not None]


class _Returns(Looking):
    def __init__(self) -> None:
        self.found: list[cst.BaseExpression | None] = []
        self.yielded: list[cst.BaseExpression] = []

    def visit_Return(self, node: cst.Return) -> None:
        self.found.append(node.value)

    def visit_Yield(self, node: cst.Yield) -> None:
        if isinstance(node.value, cst.BaseExpression):
            self.yielded.append(node.value)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:  # noqa: ARG002
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:  # noqa: ARG002
        return False


def exports(text: str, name: str) -> bool:
    """Whether a module lists a name in its `__all__`."""
    listed = re.search(r"^__all__\b[^\[(]*[\[(]([^\])]*)", text, re.MULTILINE)
    return listed is not None and re.search(rf"[\"']{re.escape(name)}[\"']", listed[1]) is not None
