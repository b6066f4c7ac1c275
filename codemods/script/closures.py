"""What a function of another file of the run is made of: its text, and that of all that it names there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import libcst as cst

from codemods.others.elsewhere import Elsewhere
from codemods.others.handing import inside
from codemods.script.definitions import Classes, Functions, Imported, module_of
from codemods.script.script import Script

_MOST_PARTS = 60

_Definition: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef"
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def imports_of(script: Script) -> Imported:
    """What a script imports, with what `from … import *` takes out of files of the run."""
    return script.once(_imports)


def _imports(script: Script) -> Imported:
    written = script.look(Imported)
    if script.others.alone:
        return written
    inner = {one: name for one in written.members if (name := _module_in(script, one)) is not None}
    if not written.emptied and not inner:
        return written
    found = Imported()
    found.members = [one for one in written.members if one not in inner]
    found.found = [
        (one[0], inner[one], inner[one]) if one in inner else one for one in written.found
    ]
    found.emptied = list(written.emptied)
    own = {local for local, _, _ in written.found} | script.look(Functions).named.keys()
    own |= {one.name.value for one in script.look(Classes).every}
    for module in written.emptied:
        for name in sorted(_names_of(script.others, script.path, module, ()) - own):
            found.members.append((name, module, name))
            found.found.append(found.members[-1])
    return found


def stars_of(script: Script, star: cst.ImportFrom) -> list[tuple[str, str | None]]:
    """The names that a star import takes out of files of the run, each with what it is of a library."""
    module = module_of(star)
    found = _names_of(script.others, script.path, module, ())
    return [(name, _origin(script.others, script.path, module, name)) for name in sorted(found)]


def _origin(others: Elsewhere, path: Path, module: str, name: str, steps: int = 8) -> str | None:
    """What a name of a module is in a library, `transformers.AutoTokenizer`; None if a file of the run makes it."""
    files = others.modules(path, module)
    if not files:
        return f"{module.partition('.')[0]}.{name}"
    found: set[str | None] = set()
    for file in files:
        outline = others.once(file, _Outline)
        makers = [] if outline is None else outline.at_top.get(name, [])
        if outline is None or steps == 0 or not all(isinstance(one, _From) for one in makers):
            return None
        if makers and _by_star(others, file, outline, name):
            return None  # which of the two comes last is not looked at
        ways = [(one.owner, one.name) for one in makers if isinstance(one, _From)]
        if not ways:
            ways = [
                (owner, name)
                for owner in outline.emptied
                if name in _names_of(others, file, owner, (file,))
            ]
        if not ways or name in outline.assigned:
            return None
        found |= {_origin(others, file, owner, real, steps - 1) for owner, real in ways}
    return found.pop() if len(found) == 1 else None


def _by_star(others: Elsewhere, path: Path, module: _Outline, name: str) -> bool:
    return any(name in _names_of(others, path, owner, (path,)) for owner in module.emptied)


def ambiguous(script: Script, called: str) -> bool:
    """Whether what is called comes from a file that makes it, and takes one of that name by a star as well."""
    root, _, last = called.partition(".")
    for local, module, real in imports_of(script).found:
        for path in script.others.modules(script.path, module) if local == root else ():
            name = last.rpartition(".")[2] if real == module else real
            outline = script.others.once(path, _Outline)
            if outline and name in outline.makes and _by_star(script.others, path, outline, name):
                return True
    return False


def made_elsewhere(script: Script, name: str) -> bool:
    """Whether a name that a script imports from files of the run may be another thing than a library's own."""
    for local, module, real in imports_of(script).members:
        files = script.others.modules(script.path, module) if local == name else []
        if not files:
            continue
        texts = [script.others.text(path) for path in files]
        again = re.compile(rf"global [^\n]*\b{re.escape(real)}\b|globals\(\)|sys\.modules")
        if any(again.search(text) for text in texts):
            return True
        if _origin(script.others, script.path, module, real) is None:
            return True
    return False


def _module_in(script: Script, member: tuple[str, str, str]) -> str | None:
    """The dotted name of a module of the run that is taken out of its package: `from package import module`."""
    _, package, name = member
    inner = inside(package, name)
    if name in _names_of(script.others, script.path, package, ()):
        return None  # of the same name in the package
    return inner if script.others.modules(script.path, inner) else None


def _names_of(others: Elsewhere, path: Path, module: str, seen: tuple[Path, ...]) -> set[str]:
    """The names that `from module import *` takes out of the files of the run that it may mean."""
    found: set[str] = set()
    for file in others.modules(path, module):
        outline = None if file in seen else others.once(file, _Outline)
        if outline is None:
            continue
        found |= {name for name in outline.makes if not name.startswith("_")}
        for owner in outline.emptied:
            found |= _names_of(others, file, owner, (*seen, file))
    return found


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


def closure_at(others: Elsewhere, path: Path, name: str) -> list[tuple[Path, str]] | None:
    """The parts that a function or class of a file is made of, each with its file.

    Args:
        others: The files of the run.
        path: The file that defines it.
        name: Its name there.

    Returns:
        The parts; None where some of it cannot be followed.
    """
    closure = _Closure(others)
    return closure.placed if closure.follow_in(path, name) else None


class _Closure:
    def __init__(self, others: Elsewhere) -> None:
        self.placed: list[tuple[Path, str]] = []
        self._others = others
        self._seen: set[tuple[Path, str]] = set()

    def follow(self, path: Path, module: str, name: str) -> bool:
        """Whether a name that a file imports was found, with all that it leads to."""
        files = self._others.modules(path, module)
        return len(files) == 1 and self._name(files[0], name)

    @property
    def parts(self) -> list[str]:
        """The texts of all that was found."""
        return [text for _, text in self.placed]

    def follow_in(self, path: Path, name: str) -> bool:
        """Whether a name of a file was found, with all that it leads to."""
        return self._name(path, name)

    def _name(self, path: Path, name: str) -> bool:
        """Whether a name of a module was found; what it holds is told in `placed`."""
        if (path, name) in self._seen:
            return True
        self._seen.add((path, name))
        module = self._others.once(path, _Outline)
        if module is None or len(self.placed) >= _MOST_PARTS:
            return False
        if name in module.at_top and _by_star(self._others, path, module, name):
            return False  # which of the two comes last is not looked at
        for maker in module.at_top.get(name, ()):
            if isinstance(maker, _From):
                found = self.follow(path, maker.owner, maker.name)
            else:
                text, used = module.content(maker)
                self.placed.append((path, text))
                found = all(self._named(path, module, each) for each in used)
            if found:
                return True
        return any(
            name in _names_of(self._others, path, owner, (path,)) and self.follow(path, owner, name)
            for owner in module.emptied
        )

    def _named(self, path: Path, module: _Outline, name: str) -> bool:
        """Follows a name that a definition uses, where the run defines it."""
        for maker in module.anywhere.get(name, ()):
            if isinstance(maker, str):
                if self._others.modules(path, maker):
                    return False  # a module of the run: which of its parts cannot be told
            elif not isinstance(maker, _From):
                return self._name(path, name)
            elif self._others.modules(path, maker.owner):
                return self.follow(path, maker.owner, maker.name)
        for owner in () if name in module.makes else module.emptied:
            if name in _names_of(self._others, path, owner, (path,)):
                return self.follow(path, owner, name)
        return True


@dataclass(frozen=True, slots=True)
class _From:
    """`from owner import name`."""

    owner: str
    name: str


def _at_top(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, those under a condition among them."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            yield from _at_top(node.body)
            yield from _at_top(getattr(node, "orelse", []))
            yield from _at_top(getattr(node, "finalbody", []))
            for handler in getattr(node, "handlers", []):
                yield from _at_top(handler.body)


class _Outline:
    """What makes the names of a module, read once for however many are followed.

    Attributes:
        at_top: The definitions and imports in the module's body, by the names that they make.
        anywhere: The definitions in its body and the imports everywhere, modules by their dotted names, in the order
            of a walk level by level.
        assigned: The names that its body assigns.
        makes: All names that its body gives something, but for those that it takes by `*`.
        emptied: The modules out of which everything is taken.
    """

    def __init__(self, module: ast.Module) -> None:
        self.at_top: dict[str, list[_Definition | _From]] = {}
        self.anywhere: dict[str, list[_Definition | _From | str]] = {}
        self.emptied: list[str] = []
        self._contents: dict[ast.AST, tuple[str, list[str]]] = {}
        body = list(_at_top(module.body))
        top = set(body)
        self.assigned = {
            part.id
            for node in body
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for part in ast.walk(node)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
        for node in ast.walk(module):
            if isinstance(node, _DEFINITIONS) and node in top:
                self.at_top.setdefault(node.name, []).append(node)
                self.anywhere.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.ImportFrom):
                self._take(node, at_top=node in top)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    local = alias.asname or alias.name.partition(".")[0]
                    self.anywhere.setdefault(local, []).append(alias.name)
        self.makes = self.assigned | self.at_top.keys()

    def _take(self, node: ast.ImportFrom, *, at_top: bool) -> None:
        owner = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.emptied.append(owner)
                continue
            local, found = alias.asname or alias.name, _From(owner, alias.name)
            if at_top:
                self.at_top.setdefault(local, []).append(found)
            self.anywhere.setdefault(local, []).append(found)

    def content(self, node: _Definition) -> tuple[str, list[str]]:
        """The text of a definition, and the names in it."""
        if node not in self._contents:
            names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
            self._contents[node] = ast.unparse(node), sorted(names)
        return self._contents[node]
