"""Runs the cells of a notebook as one script; started with the name of a file of prepared cells.

The file holds `{"notebook": PATH, "cells": [[number, text], …]}`; the notebook itself is not changed.
"""

from __future__ import annotations

import json
import linecache
import sys
from pathlib import Path
from types import ModuleType


def main() -> None:
    """Run the cells in `__main__`, each under a name of its own, so that places can be told."""
    prepared, *arguments = sys.argv[1:]
    content = json.loads(Path(prepared).read_text(encoding="utf-8"))
    notebook = content["notebook"]
    sys.argv = [notebook, *arguments]
    sys.path[0] = str(Path(notebook).parent)
    # A module of its own: the cells must not meet the names of this file.
    module = ModuleType("__main__")
    module.__file__ = notebook
    sys.modules["__main__"] = module
    for number, text in content["cells"]:
        name = f"{notebook}#cell{number}"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        # No flags of this file's own, such as its future imports.
        exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)


if __name__ == "__main__":
    main()
