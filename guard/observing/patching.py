"""Puts wrappers around a library's methods once it is imported, and takes them off again.

Nothing is imported here: a finder that stands first lets the library's own loader do its work and
wraps what is there afterwards. Modules that were imported before are wrapped at once.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, cast

# Gives the wrapper of a method from the method as it was.
Make = Callable[[Callable[..., Any]], Callable[..., Any]]


class Patches:
    """The wrappers that stand, in the order in which they were put on."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._seen: set[tuple[int, str]] = set()
        # Modules are imported, and wrapped, in any thread.
        self._lock = threading.Lock()

    def wrap(self, owner: Any, name: str, make: Make) -> None:
        """Wrap `owner.name` where the owner itself defines it; class and static methods stay such.

        What is inherited is not touched, so that each definition is wrapped once.
        """
        own = vars(owner)
        if name not in own or (id(owner), name) in self._seen:
            return
        self.put(owner, name, own[name], make)

    def put(self, owner: Any, name: str, found: Any, make: Make) -> None:
        """Set `owner.name` to a wrapper of `found`; undone by taking it away where it was inherited."""
        kind = type(found) if isinstance(found, (classmethod, staticmethod)) else None
        plain = found.__func__ if kind else found
        self.put_same((owner,), name, found, functools.wraps(plain)(make(plain)), kind)

    def put_same(
        self,
        owners: Sequence[Any],
        name: str,
        found: Any,
        wrapper: Any,
        kind: Callable[[Any], Any] | None = None,
    ) -> None:
        """Set one wrapper at several places that hold the same function: it stays the same at all of them.

        Args:
            owners: Modules or classes.
            name: What it is called there.
            found: What stands there, put back when it is undone.
            wrapper: What is to stand there.
            kind: `classmethod` or `staticmethod` where it is one.
        """
        with self._lock:
            for owner in owners:
                if (id(owner), name) not in self._seen:
                    self._seen.add((id(owner), name))
                    self._set(owner, name, found, wrapper, kind)

    def _set(
        self,
        owner: Any,
        name: str,
        found: Any,
        wrapper: Any,
        kind: Callable[[Any], Any] | None,
    ) -> None:
        had = name in vars(owner)
        if not had:  # pickle looks a function up by its name, and must find this one
            wrapper.__name__, wrapper.__qualname__ = name, f"{owner.__qualname__}.{name}"
            wrapper.__module__ = owner.__module__
        setattr(owner, name, kind(wrapper) if kind else wrapper)

        def undo() -> None:
            current = vars(owner).get(name)
            inner = getattr(current, "__func__", current) if kind else current
            if inner is not wrapper:
                return  # somebody else put theirs on top; taking it away would take theirs
            if had:
                setattr(owner, name, found)
            else:
                delattr(owner, name)

        self._undo.append(undo)

    def at_undo(self, stop: Callable[[], None]) -> None:
        """Call something when the wrappers are taken off."""
        with self._lock:
            self._undo.append(stop)

    def undo(self) -> None:
        """Take every wrapper off, the last first."""
        with self._lock:
            while self._undo:
                self._undo.pop()()
            self._seen.clear()


class ImportWatch(MetaPathFinder):
    """Calls back once a module of some names is imported."""

    def __init__(self, wanted: dict[str, Callable[[ModuleType], None]]) -> None:
        self.wanted = wanted

    def start(self) -> None:
        """Call back for what is there already, and stand first among the finders."""
        sys.meta_path.insert(0, self)
        for name in tuple(self.wanted):
            module = sys.modules.get(name)
            if module is not None and not _is_half_done(module):
                self.wanted[name](module)

    def stop(self) -> None:
        """Stand among the finders no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The library's own spec, with a loader that calls back behind it."""
        if fullname not in self.wanted:
            return None
        spec = _found_by_the_others(self, fullname, path, target)
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = cast(Loader, _Behind(spec.loader, self.wanted[fullname]))
        return spec


class _Behind:
    """A loader's work, and then the call back; the spec's own loader stands in it again.

    Until then it is that loader to whoever asks it: for its class, a file name, a source.
    """

    def __init__(self, loader: Loader, then: Callable[[ModuleType], None]) -> None:
        self._loader, self._then = loader, then

    @property  # type: ignore[misc]  # what isinstance asks for
    def __class__(self) -> type:
        return type(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_loader"), name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then(module)


def _found_by_the_others(
    own: MetaPathFinder, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if finder is not own:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                return spec  # type: ignore[no-any-return]
    return PathFinder.find_spec(name, path, target)


def _is_half_done(module: ModuleType) -> bool:
    """Whether a module is being imported at this moment; the call back comes when it is done."""
    return bool(getattr(module.__spec__, "_initializing", False))
