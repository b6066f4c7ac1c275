"""The other modules of a run: finds what an import names, and what stands under it.

A module sees those that it imports as they are with `LEVELS - 1` more steps of imports below them, and
so on down to none. So import cycles end, and what is found depends neither on the order of the files
nor on which processes check them. A module whose imports end sooner is analysed once.
"""

from __future__ import annotations

import ast
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._flow.analysis import Flow, run
from lint_rules._flow.state.program import Program
from lint_rules._flow.values.joins import ModuleRef, Symbol, Value
from lint_rules._light import tree as cst
from lint_rules._run.exports import Exports, Target, tree_of
from lint_rules._run.modules import Modules
from lint_rules._run.real_paths import RealPaths
from lint_rules._run.screen import Screened

# Imports of imports are followed this far; the modules kept are the latest used.
LEVELS = 4
MAX_KEPT = 600


@dataclass(frozen=True, slots=True)
class _Analysed:
    """A module's flow; `complete` tells that more levels would not change it."""

    program: Program | None
    complete: bool


_PLAIN = _Analysed(None, complete=True)


class Project:
    """The files of a run, by path and by module name."""

    def __init__(
        self,
        files: Sequence[SourceFile],
        settings: Settings,
        started: Callable[[], None] = lambda: None,
        is_given: Callable[[Path], bool] | None = None,
    ) -> None:
        """Reads nothing yet.

        Args:
            files: All of them.
            settings: What the run was told.
            started: Called before another module is analysed.
            is_given: Whether calls of a file's functions are followed for what they give it, whatever they return.
        """
        self.settings = settings
        self._is_given = is_given
        # Called before a module is analysed, so that each has the time of one.
        self._started = started
        self._real = RealPaths()
        self._modules = Modules((file.path for file in files), self._real)
        self._kept: dict[tuple[str, int], _Analysed] = {}
        self._exports: dict[str, Exports] = {}
        self._callers: dict[str, cst.Module | None] = {}
        self._with_tree: deque[str] = deque()
        self._uses: dict[str, set[str]] = defaultdict(set)
        # The analysis under way: the programs from the checked file down, and whether all was seen.
        self._stack: list[Program] = []
        self._complete = True
        self._following: set[tuple[str, str]] = set()

    def known(self, path: Path) -> Screened | None:
        """What is known of a file since another module asked for it; None if it was not parsed."""
        found = self._exports.get(self._real.of(path))
        return None if found is None else found.screened

    def know(self, path: Path, tree: ast.Module, said: Screened) -> None:
        """Takes a file that was parsed to be checked."""
        key = self._real.of(path)
        if key not in self._exports:
            self._keep(key, Exports.parsed(tree, said))

    def flow(self, path: Path) -> Flow:
        """The flow of a file that has a tree, a light one, with what it imports from the run."""
        key = self._real.of(path)
        found = self._exports_of(key)
        if found.light is None:
            module = self.tree(path)
            assert module is not None
            return Flow(self._run(key, module))
        if self._exported(key) is None:  # nobody else needs it
            return Flow(self._run(key, found.light))
        return Flow(self._analysed(key, LEVELS).program or self._run(key, found.light))

    def exact_flow(
        self,
        path: Path,
        module: cst.Module,
        given: Mapping[cst.CSTNode, Mapping[str, Value]] | None = None,
        givers: Iterable[Flow] = (),
    ) -> Flow:
        """The flow of a file on its full tree, whose nodes have places.

        Args:
            path: The file.
            module: Its tree; a light one does as well.
            given: What the files that call it give the parameters of its functions.
            givers: The flows of those files.
        """
        return Flow(self._run(self._real.of(path), module, given, givers))

    def light(self, path: Path) -> cst.Module | None:
        """The tree of a file that matters; None for any other."""
        return self._exports_of(self._real.of(path)).light

    def tree(self, path: Path) -> cst.Module | None:
        """The light tree of a file that calls one that matters; None where it cannot be read."""
        found = self.light(path)
        if found is not None:
            return found
        key = self._real.of(path)
        if key not in self._callers:
            self._callers[key] = tree_of(key)
        return self._callers[key]

    def dependencies(self, path: Path) -> frozenset[str]:
        """The files whose content the findings of a checked file rest on, itself left out."""
        start = self._real.of(path)
        seen: set[str] = set()
        newest = {start}
        while newest:
            newest = set().union(*(self._uses.get(path, ()) for path in newest)) - seen
            seen |= newest
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
            self._complete = self._complete and self._exported(path) is None
            return None
        found = self._analysed(path, level)
        self._complete = self._complete and found.complete
        return found.program

    def _analysed(self, path: str, level: int) -> _Analysed:
        for key in ((path, 0), (path, level)):
            if key in self._kept:
                return self._kept[key]
        module = self._exported(path)
        if module is None:
            return _PLAIN
        self._started()
        outer, self._complete = self._complete, True
        found = _Analysed(self._run(path, module), self._complete)
        self._complete = outer
        # Level 0 stands for all levels.
        self._kept[path, 0 if found.complete else level] = found
        if len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return found

    def _run(
        self,
        path: str,
        module: cst.Module,
        given: Mapping[cst.CSTNode, Mapping[str, Value]] | None = None,
        givers: Iterable[Flow] = (),
    ) -> Program:
        program = Program(module, self.settings.at(path), Path(path), self, given)
        for giver in givers:
            giver.make_known_to(program)
        self._stack.append(program)
        try:
            return run(program)
        finally:
            self._stack.pop()

    def _exported(self, path: str) -> cst.Module | None:
        """The tree of a module that others can get something of ours from, or give it to."""
        found = self._exports_of(path)
        if found.exported is not None or found.light is None or self._is_given is None:
            return found.exported
        return found.light if self._is_given(Path(path)) else None

    def _exports_of(self, path: str) -> Exports:
        """What a module has for others."""
        found = self._exports.get(path)
        return self._keep(path, Exports.read(path)) if found is None else found

    def _keep(self, path: str, found: Exports) -> Exports:
        self._exports[path] = found
        if found.light is not None:
            self._with_tree.append(path)
            if len(self._with_tree) > MAX_KEPT:
                del self._exports[self._with_tree.popleft()]
        return found

    def _plain_member(self, path: str, name: str) -> Value | None:
        """A literal or a re-export of a module in which nothing else can matter."""
        found = self._exports_of(path).plain(name)
        if found is None and name[:1].isupper():  # of a library's star, classes only
            star = self._exports_of(path).star()
            found = None if star is None else Target(star.dotted.removesuffix("*") + name)
        if not isinstance(found, Target):
            return found
        if (path, name) in self._following:
            return None
        self._following.add((path, name))
        try:
            ours = self.lookup(Path(path), found.dotted)
            is_library = not found.dotted.startswith(".")
            return Symbol(found.dotted) if ours is None and is_library else ours
        finally:
            self._following.discard((path, name))
