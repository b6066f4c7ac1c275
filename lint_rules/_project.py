"""The other modules of a run: finds what an import names, and what stands under it.

A module sees those that it imports as they are with `LEVELS - 1` more steps of imports below them, and
so on down to none. So import cycles end, and what is found depends neither on the order of the files
nor on which processes check them. A module whose imports end sooner is analysed once.
"""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst

from cleanguard.config import Settings
from cleanguard.files import SourceFile
from lint_rules._flow.analysis import Flow, run
from lint_rules._flow.program import Program
from lint_rules._flow.values import Constant, Mapping, ModuleRef, Symbol, Value
from lint_rules._flow.values import Sequence as ValueSequence
from lint_rules._modules import Modules
from lint_rules._screen import has_trigger, may_export
from lint_rules._source import SourceError, decode, parse_fast

# Imports of imports are followed this far; the modules kept are the latest used.
LEVELS = 4
MAX_KEPT = 400


@dataclass(frozen=True, slots=True)
class _Analysed:
    """A module's flow; `complete` tells that more levels would not change it."""

    program: Program | None
    complete: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """What a plain module re-exports, by dotted name."""

    dotted: str


class Project:
    """The files of a run, by path and by module name."""

    def __init__(
        self,
        files: Sequence[SourceFile],
        settings: Settings,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        # Called before a module is analysed, so that each has the time of one.
        self._started = started
        self._modules = Modules(file.path for file in files)
        self._kept: dict[tuple[str, int], _Analysed] = {}
        self._trees: dict[str, cst.Module | None] = {}
        self._plain: dict[str, dict[str, Value | _Target]] = {}
        self._uses: dict[str, set[str]] = defaultdict(set)
        # The analysis under way: the programs from the checked file down, and whether all was seen.
        self._stack: list[Program] = []
        self._complete = True
        self._following: set[tuple[str, str]] = set()

    def flow(self, path: Path, module: cst.Module) -> Flow:
        """The flow of a file that is checked, with what it imports from the run."""
        key = os.path.realpath(path)
        if self._tree(key) is not module:
            return Flow(self._run(key, module))  # it exports nothing, so nobody else needs it
        found = self._analysed(key, LEVELS)
        return Flow(found.program or self._run(key, module))

    def module(self, path: Path) -> cst.Module | None:
        """The syntax tree of a file that others may import from, which its check then shares."""
        return self._tree(os.path.realpath(path))

    def dependencies(self, path: Path) -> frozenset[str]:
        """The files whose content the findings of a checked file rest on, itself left out."""
        start = os.path.realpath(path)
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for used in self._uses.get(waiting.pop(), ()):
                if used not in seen:
                    seen.add(used)
                    waiting.append(used)
        return frozenset(seen - {start})

    # --- what the flow asks

    def lookup(self, importer: Path, dotted: str) -> Value | None:
        """What a dotted name, relative with leading dots, is in another module; None if not ours."""
        head = dotted.split(".", 1)[0]
        if head and not self._modules.may_be_ours(head):
            return None
        origin = str(importer)
        whole = self._modules.find(origin, dotted)
        if whole is not None:
            return ModuleRef(whole)
        parent, _, name = dotted.rpartition(".")
        if not parent.strip("."):
            parent = dotted[: len(dotted) - len(name)]
        path = self._modules.find(origin, parent) if parent else None
        if path is None or path == origin:
            return None
        self._uses[origin].add(path)
        return self.member(path, name)

    def member(self, path: str, name: str) -> Value | None:
        """A top-level name of a module that `lookup` found."""
        current = self._stack[-1] if self._stack else None
        if current is not None:
            self._uses[str(current.path)].add(path)
        program = self._imported(path)
        found: Value | None
        if program is None:
            found = self._plain_member(path, name)
        else:
            if current is not None:
                current.adopt(program)
            found = program.globals.names.get(name)
        if found is None:
            inner = self._modules.submodule(path, name)
            return None if inner is None else ModuleRef(inner)
        return None if isinstance(found, Symbol) and found.name.startswith(".") else found

    # --- modules

    def _imported(self, path: str) -> Program | None:
        """A module as those under analysis see it."""
        level = LEVELS - len(self._stack)
        if level <= 0:
            self._complete = self._complete and self._tree(path) is None
            return None
        found = self._analysed(path, level)
        self._complete = self._complete and found.complete
        return found.program

    def _analysed(self, path: str, level: int) -> _Analysed:
        for key in ((path, 0), (path, level)):
            if key in self._kept:
                return self._kept[key]
        self._started()
        module = self._tree(path)
        program = None
        outer, self._complete = self._complete, True
        if module is not None:
            program = self._run(path, module)
        found = _Analysed(program, self._complete)
        self._complete = outer
        # Level 0 stands for all levels.
        self._kept[path, 0 if found.complete else level] = found
        if len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    def _run(self, path: str, module: cst.Module) -> Program:
        program = Program(module, self.settings, Path(path), self)
        self._stack.append(program)
        try:
            return run(program)
        finally:
            self._stack.pop()

    def _tree(self, path: str) -> cst.Module | None:
        """The syntax of a module, None for one that exports nothing of ours or cannot be read."""
        if path not in self._trees:
            self._trees[path] = _parse(path)
            if len(self._trees) > MAX_KEPT:
                del self._trees[next(iter(self._trees))]
        return self._trees[path]

    def _plain_member(self, path: str, name: str) -> Value | None:
        """A literal or a re-export of a module in which nothing else can matter."""
        if path not in self._plain:
            self._plain[path] = _plain_names(path)
        found = self._plain[path].get(name)
        if not isinstance(found, _Target):
            return found
        if (path, name) in self._following:
            return None
        self._following.add((path, name))
        try:
            return self.lookup(Path(path), found.dotted)
        finally:
            self._following.discard((path, name))


def _parse(path: str) -> cst.Module | None:
    try:
        raw = Path(path).read_bytes()
        if not has_trigger(raw):
            return None
        source = decode(raw)
        tree = parse_fast(source)
        if tree is None or not may_export(tree):
            return None
        return cst.parse_module(source.text)
    except (OSError, SourceError, cst.ParserSyntaxError):
        return None  # its own check says what is wrong with it


def _plain_names(path: str) -> dict[str, Value | _Target]:
    names: dict[str, Value | _Target] = {}
    try:
        tree = parse_fast(decode(Path(path).read_bytes()))
    except (OSError, SourceError):
        return names
    if tree is None:
        return names
    for node in ast.walk(tree):  # re-exports may stand under TYPE_CHECKING or in try
        if isinstance(node, ast.Assign) and node in tree.body:
            value = _literal(node.value)
            for target in node.targets:
                if isinstance(target, ast.Name) and value is not None:
                    names[target.id] = value
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            joint = "" if module.endswith(".") else "."
            for alias in node.names:
                names[alias.asname or alias.name] = _Target(f"{module}{joint}{alias.name}")
    return names


def _literal(node: ast.expr) -> Value | None:
    try:
        return _value(ast.literal_eval(node))
    except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError):
        return None


def _value(data: object) -> Value | None:
    if data is None or isinstance(data, (str, int, float, bool, bytes)):
        return Constant(data)
    if isinstance(data, dict):
        entries = tuple(
            (key, value)
            for key, value in ((key, _value(item)) for key, item in data.items())
            if value is not None and isinstance(key, (str, int))
        )
        return Mapping(entries)
    if isinstance(data, (list, tuple)) and len(data) <= 64:
        items = [_value(item) for item in data]
        if all(item is not None for item in items):
            return ValueSequence(tuple(item for item in items if item is not None))
    return None
