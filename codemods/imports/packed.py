"""An import whose names stand several in a line keeps its lines when it loses some."""

from __future__ import annotations

import libcst as cst

from codemods.imports.statements import Import
from codemods.script.script import Script


def in_rows(script: Script, item: Import, unused: set[str]) -> list[str]:
    """The lines of an import without some of its names.

    Args:
        script: The script.
        item: An import over several lines, in parentheses.
        unused: The names that go; one at least stays.

    Returns:
        The lines, without the statement's own indent; none where comments stand between the names.
    """
    node = item.node
    assert isinstance(node, cst.ImportFrom)
    assert not isinstance(node.names, cst.ImportStar)
    if node.lpar is None or "#" in script.code(item.line):
        return []
    rows: dict[int, list[str]] = {}
    indents: dict[int, str] = {}
    for alias, name in zip(node.names, item.names, strict=True):
        row = script.line_of(alias)
        if row not in indents:
            start = script.span(alias).start
            head = script.utf8[script.utf8.rfind(b"\n", 0, start) + 1 : start].decode()
            indents[row] = head if not head.strip() else " " * len(head)
        if name not in unused:
            rows.setdefault(row, []).append(script.code(alias).rstrip(", \t"))
    own = len(script.indent_of(item.line))
    first = script.line_of(item.line)
    below = next(iter(indents)) == first  # the names stand below the parenthesis
    lines = [
        f"{'' if below else indents[row][own:]}{', '.join(names)}," for row, names in rows.items()
    ]
    module = "" if node.module is None else script.code(node.module)
    dots = "." * len(node.relative)
    opening = f"from {dots}{module} import ("
    if below:
        pad = " " * len(opening)
        lines = [f"{opening if at == 0 else pad}{line}" for at, line in enumerate(lines)]
        return [*lines[:-1], f"{lines[-1].rstrip(',')})"]
    end = script.utf8[: script.span(node).end].decode()
    alone = end.rpartition("\n")[2].strip() == ")"
    if alone:
        comma = "," if end.rstrip(")").rstrip().endswith(",") else ""
        return [opening, *lines[:-1], f"{lines[-1].rstrip(',')}{comma}", ")"]
    return [opening, *lines[:-1], f"{lines[-1].rstrip(',')})"]
