"""Lines of a call that stand below its parenthesis go with it when the name before it is another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from codemods.plan.edits import Edit
from codemods.script.looking import Looking
from codemods.script.script import Script


def aligned(script: Script, call: cst.Call, name: str) -> tuple[Edit, ...]:
    """What keeps the further lines of a call below its first argument.

    Args:
        script: The script.
        call: The call as it was.
        name: What is called instead.

    Returns:
        An edit of each further line; nothing where they stand elsewhere, or a text goes over lines.
    """
    span, function = script.span(call), script.span(call.func)
    text = script.utf8
    opening = text.find(b"(", function.end) + 1
    first = text.rfind(b"\n", 0, opening) + 1
    if b"\n" not in text[opening : span.end] or text[opening : opening + 1] in (
        b"\n",
        b"\r",
        b"\\",
    ):
        return ()
    column = len(text[first:opening].decode())
    head = text.rfind(b"\n", 0, function.end) + 1
    old = len(text[max(function.start, head) : function.end].decode())
    shift = len(name) - old
    if function.start < head or not shift or _has_long_text(script, call):
        return ()
    edits: list[Edit] = []
    start = text.find(b"\n", opening) + 1
    while 0 < start < span.end:
        line = text[start : text.find(b"\n", start) if b"\n" in text[start:] else None]
        indent = len(line) - len(line.lstrip(b" "))
        if line.strip():
            if indent < column or (not edits and indent != column):
                return ()
            edits.append(Edit(start, start - min(shift, 0), " " * max(shift, 0)))
        start = text.find(b"\n", start) + 1
    return tuple(edits)


def moved_with(edit: Edit, below: Sequence[Edit], newline: str) -> Edit:
    """An argument that is added in a line of its own, moved as the lines of its call are.

    Args:
        edit: Of the call.
        below: What moves its further lines; nothing where they stay.
        newline: The line end.
    """
    head = f",{newline}"
    if not below or not edit.text.startswith(head):
        return edit
    said = edit.text.removeprefix(head)
    shift = len(below[0].text) - (below[0].end - below[0].start)
    indent = len(said) - len(said.lstrip(" "))
    return replace(edit, text=f"{head}{' ' * (indent + shift)}{said.lstrip(' ')}")


def _has_long_text(script: Script, call: cst.Call) -> bool:
    """Whether a literal goes over lines, whose blanks are its own."""
    look = _Texts()
    call.visit(look)
    return any(
        b"\n" in script.utf8[script.span(one).start : script.span(one).end] for one in look.found
    )


class _Texts(Looking):
    """The literals of text inside a node."""

    def __init__(self) -> None:
        self.found: list[cst.CSTNode] = []

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        self.found.append(node)

    def visit_FormattedString(self, node: cst.FormattedString) -> None:
        self.found.append(node)
