"""Module names to files of the run, without touching the disk."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from lint_rules._run.real_paths import RealPaths

# Libraries that no run means to replace, whatever its folders are called.
_NEVER = frozenset({"transformers", "torch", "builtins", "numpy", "os", "sys", "typing", "re"})


class Modules:
    """The Python files of a run by the names they are imported under."""

    def __init__(self, paths: Iterable[Path], real: RealPaths) -> None:
        self._paths = {real.of(path) for path in paths}
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._heads: set[str] = set()
        self._found: dict[tuple[str, str], str | None] = {}
        for path in sorted(self._paths):
            folder, name = os.path.split(path)
            stem = os.path.splitext(name)[0]
            self._heads.update((*folder.split(os.sep), stem))
            self._by_stem[os.path.basename(folder) if stem == "__init__" else stem].append(path)
        self._heads -= _NEVER

    def may_be_ours(self, head: str) -> bool:
        """Whether some file or folder of the run has this first name."""
        return head in self._heads

    def submodule(self, package: str, name: str) -> str | None:
        """The file of a module in a package, given by its `__init__.py`."""
        if os.path.basename(package) != "__init__.py":
            return None
        return self._inside(os.path.dirname(package), [name])

    def find(self, importer: str, dotted: str) -> str | None:
        """The file of a dotted module name as this importer means it; leading dots are relative."""
        key = (os.path.dirname(importer), dotted)
        if key not in self._found:
            self._found[key] = self._search(importer, dotted)
        return self._found[key]

    def _search(self, importer: str, dotted: str) -> str | None:
        folder = os.path.dirname(importer)
        bare = dotted.lstrip(".")
        parts = bare.split(".") if bare else []
        level = len(dotted) - len(bare)
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._inside(folder, parts)
        while True:
            found = self._inside(folder, parts)
            if found is not None:
                return found
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
        # Not beside nor above: some sys.path of its own. Unambiguous names are taken.
        tail = os.path.join(*parts)
        endings = (f"{os.sep}{tail}.py", f"{os.sep}{os.path.join(tail, '__init__.py')}")
        matches = [path for path in self._by_stem.get(parts[-1], ()) if path.endswith(endings)]
        return matches[0] if len(matches) == 1 and len(parts) > 1 else None

    def _inside(self, folder: str, parts: list[str]) -> str | None:
        base = os.sep.join((folder.rstrip(os.sep), *parts))  # os.path.join takes four times as long
        for candidate in (f"{base}.py", f"{base}{os.sep}__init__.py"):
            if candidate in self._paths:
                return candidate
        return None
