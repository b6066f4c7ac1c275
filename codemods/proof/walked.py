"""Which lines of a script a trial run went through, and which of the rewritten ones it did not."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

# What multiprocessing imports when it starts a process that is no fork.
_ANEW = frozenset(
    f"multiprocessing.popen_{way}" for way in ("forkserver", "spawn_posix", "spawn_win32")
)


def watch(script: str, tell: Callable[[int], None]) -> None:
    """From now on, each line of the script that is run is told once.

    It is told when it comes, so that what a process or a thread went through is known however it ends.

    Args:
        script: The path that the script is run under.
        tell: Is given 1-based lines.
    """
    lines: set[int] = set()

    def came(line: int) -> None:
        if line not in lines:
            lines.add(line)
            tell(line)

    def within(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            came(frame.f_lineno)
        return within

    def entered(frame: FrameType, *_: Any) -> Any:
        if frame.f_code.co_filename != script:
            return None
        came(frame.f_lineno)
        return within

    sys.settrace(entered)
    import threading

    threading.settrace(entered)


def watch_starts(tell: Callable[[], None]) -> None:
    """From now on, it is told once that this process starts Python anew: what that runs is not seen."""
    told = False

    def came(event: str, args: tuple[Any, ...]) -> None:
        nonlocal told
        spawns = event == "import" and args[0] in _ANEW
        runs = event == "subprocess.Popen" and "python" in f"{args[0]} {args[1]}"
        if not told and (spawns or runs):
            told = True
            tell()

    sys.addaudithook(came)


def unwalked(before: str, after: str, walked: set[int]) -> tuple[int, ...]:
    """The first lines of rewritten statements of the old script that were not run.

    Args:
        before: The old script.
        after: The new one.
        walked: The 1-based lines of the old one that were run.
    """
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    changed = {
        row
        for tag, start, stop, _, _ in matcher.get_opcodes()
        if tag != "equal"
        for row in range(start + 1, stop + 1)
    }
    statements = [
        node
        for node in ast.walk(ast.parse(before))
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return))
    ]
    return tuple(
        sorted(
            node.lineno
            for node in statements
            if not changed.isdisjoint(range(node.lineno, (node.end_lineno or node.lineno) + 1))
            and walked.isdisjoint(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        )
    )
