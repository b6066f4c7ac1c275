"""Which lines of a script a trial run went through, and which of the rewritten ones it did not."""

from __future__ import annotations

import ast
import difflib
import sys
from types import FrameType
from typing import Any


def watch(script: str) -> set[int]:
    """From now on, the lines of the script that are run are put into the set that is returned."""
    lines: set[int] = set()

    def within(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add(frame.f_lineno)
        return within

    def entered(frame: FrameType, *_: Any) -> Any:
        if frame.f_code.co_filename != script:
            return None
        lines.add(frame.f_lineno)
        return within

    sys.settrace(entered)
    import threading

    threading.settrace(entered)
    return lines


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
