"""Whose code made a call: the nearest frame outside of libraries."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Literal

from guard.observing.events import Site

_MOST_CALLERS = 8
# Also where one of them is imported from a source tree instead of site-packages.
_LIBRARIES = frozenset(
    {
        *("accelerate", "bitsandbytes", "datasets", "deepspeed", "lm_eval", "peft", "tokenizers"),
        *("torch", "transformers", "trl", "vllm", "multiprocess", "IPython", "ipykernel"),
        *("pytest", "_pytest", "pluggy", "runpy"),
    }
)
_HOME = Path(__file__).resolve().parents[2]
_OURS = tuple(
    f"{_HOME / name}{os.sep}"
    for name in ("cleanguard", "codemods", "guard", "lint_rules", "stages")
)
_INSTALLED = ("site-packages", "dist-packages")
# Parts of the guard that load and generate for the person, and not those that watch.
_GUARDING = ("guard.", "stages.")
_WATCHING = ("guard.observing.", "guard.tracing.")
Owner = Literal["person", "guard", "library"]
_owners: dict[CodeType, Owner] = {}


def frames() -> tuple[tuple[Site, ...], bool]:
    """The person's frames, nearest first, and whether the guard stands between them and the call.

    Where every frame is a library's, the outermost stands for the person's.
    """
    found: tuple[Site, ...] = ()
    left = _MOST_CALLERS
    guarded = False
    frame: FrameType | None = sys._getframe(1)
    last: FrameType | None = None
    while frame is not None:
        code = frame.f_code
        # No call for a frame that is known: stacks are deep, and this is done at every event.
        if code in _owners:
            owner = _owners[code]
        else:
            owner = _owners[code] = _owner(code.co_filename, frame.f_globals.get("__name__"))
        if owner == "person":
            found += (_site(code, frame.f_lasti, frame.f_lineno, True),)
            left -= 1
            if left < 0:
                break
        elif owner == "guard" and not found:
            guarded = True
        if code.co_filename[0] != "<":
            last = frame
        frame = frame.f_back
    if not found:
        last = last or sys._getframe(1)
        found = (_site(last.f_code, last.f_lasti, last.f_lineno, False),)
    return found, guarded


def _owner(filename: str, module: object) -> Owner:
    if filename.startswith(_OURS):
        guards = isinstance(module, str) and module.startswith(_GUARDING)
        return "guard" if guards and not str(module).startswith(_WATCHING) else "library"
    return "person" if _is_own(filename, module) else "library"


def _is_own(filename: str, module: object) -> bool:
    if filename.startswith("<") and not filename.startswith("<ipython"):
        # `python -c`; dataclasses and their like compile text of that name as well.
        return filename == "<string>" and module == "__main__"
    parts = filename.replace("\\", "/").split("/")
    if any(part in _INSTALLED for part in parts) or filename.startswith(_standard_library()):
        return False
    return not (isinstance(module, str) and module.partition(".")[0] in _LIBRARIES)


@lru_cache(maxsize=1)
def _standard_library() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({f"{paths[name]}/" for name in ("stdlib", "platstdlib")})


@lru_cache(maxsize=4096)
def _site(code: CodeType, last: int, line: int, own: bool) -> Site:
    begin, end, column, end_column = line, line, 0, 0
    if sys.version_info >= (3, 11):
        place = next(islice(code.co_positions(), last // 2, None), (None, None, None, None))
        begin, end = place[0] or line, place[1] or line
        column, end_column = place[2] or 0, place[3] or 0
    return Site(
        filename=code.co_filename,
        line=begin,
        column=_characters(code.co_filename, begin, column) + 1,
        end_line=end,
        end_column=_characters(code.co_filename, end, end_column) + 1,
        function=code.co_name,
        own=own,
    )


def _characters(filename: str, line: int, offset: int) -> int:
    """The interpreter counts bytes of UTF-8."""
    from linecache import getline

    text = getline(filename, line) if offset else ""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))
