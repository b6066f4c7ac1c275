"""Blocks that edits would leave without a statement."""

from __future__ import annotations

from collections.abc import Sequence

from codemods.plan.edits import Edit
from codemods.script.script import Script
from codemods.script.walks import Elses, Tests


def without_empty_blocks(script: Script, edits: Sequence[Edit]) -> list[Edit]:
    """The edits, with a `pass` in each block that they would leave without a statement.

    An `else`, and an `if` that only looks at something, go with them, unless comments are left.
    """
    found = list(edits)
    elses, tests = Elses(), Tests()
    script.module.visit(elses)
    script.module.visit(tests)
    for block in script.blocks():
        if not block:
            continue
        begin, end = script.lines_of(block[0]).start, script.span(block[-1])
        inside = [edit for edit in found if begin <= edit.start and edit.start <= end.start]
        gone = [edit for edit in inside if not _says_code(edit.text)]
        if not all(any(e.covers(script.span(node).start) for e in gone) for node in block):
            continue
        last = next(edit for edit in gone if edit.covers(end.start))
        clause = elses.found.get(block[0])
        if clause is not None and not any(edit.text for edit in gone):
            head = script.lines_of(clause).start
            found.append(Edit(head, begin))
            continue
        asked = tests.found.get(block[0])
        if asked is not None and not any(edit.text for edit in gone):
            found.append(Edit(script.lines_of(asked).start, begin))
            continue
        line = f"{script.indent_of(block[0])}pass{script.newline}"
        found[found.index(last)] = Edit(last.start, last.end, last.text + line)
    return found


def _says_code(text: str) -> bool:
    return any(line.strip() and not line.strip().startswith("#") for line in text.splitlines())
