"""Runs the cells of a notebook as one script; started with the name of a file of prepared cells.

The file holds `{"notebook": PATH, "cells": [[number, text], …]}`; the notebook itself is not changed.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
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
    module.__dict__["display"] = print  # a kernel has it without an import
    sys.modules["__main__"] = module
    for number, text in content["cells"]:
        name = f"{notebook}#cell{number}"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        # No flags of this file's own, such as its future imports; a cell may await, as in a kernel.
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(text, name, "exec", flags=flags, dont_inherit=True)
        waits = eval(code, module.__dict__)
        if inspect.iscoroutine(waits):
            asyncio.run(_await(waits))


async def _await(waits: object) -> None:
    await waits  # type: ignore[misc]


if __name__ == "__main__":
    main()
