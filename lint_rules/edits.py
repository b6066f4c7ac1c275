"""What a fix changes, said in syntax nodes; the engine turns it into ranges of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cleanguard.editing.edits import Edit as ByteEdit
from lint_rules._flow.values.arguments import Arguments
from lint_rules._light import tree as cst

if TYPE_CHECKING:
    from lint_rules._light.positions import Positions


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """Puts `text` where the range from one node's edge to another's was.

    Attributes:
        start: A node, and whether the range begins at its end (else at its start).
        end: A node, and whether the range ends at its end.
        text: What stands there afterwards.
    """

    start: tuple[cst.CSTNode, bool]
    end: tuple[cst.CSTNode, bool]
    text: str

    def placed(self, positions: Positions) -> ByteEdit:
        """The edit as a range of bytes."""
        return ByteEdit(_edge(positions, self.start), _edge(positions, self.end), self.text)


def replace(node: cst.CSTNode, text: str) -> tuple[Edit, ...]:
    """`text` instead of a node."""
    return (Edit((node, False), (node, True), text),)


def add_keyword(call: cst.Call, text: str) -> tuple[Edit, ...]:
    """One more keyword argument at the end of a call; nothing for a call without arguments."""
    if not call.args:
        return ()
    last = call.args[-1]
    return (Edit((last, True), (last, True), f", {text}"),)


def drop_keywords(call: cst.Call, args: Arguments, names: tuple[str, ...]) -> tuple[Edit, ...]:
    """The call without these keywords; nothing where one of them stands first or in a `**` dict."""
    edits: list[Edit] = []
    for name in names:
        given = args.keywords.get(name)
        if given is None:
            continue
        index = next((i for i, arg in enumerate(call.args) if arg is given.node), 0)
        if index == 0:
            return ()
        edits.append(Edit((call.args[index - 1], True), (call.args[index], True), ""))
    return tuple(edits)


def _edge(positions: Positions, edge: tuple[cst.CSTNode, bool]) -> int:
    node, at_end = edge
    span = positions.span(node)
    return span.end if at_end else span.start
