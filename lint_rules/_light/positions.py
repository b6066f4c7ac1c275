"""Where nodes stand: computed once per file, and only when something is reported or edited."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper

from cleanguard.catalogue.findings import Position
from lint_rules._light.rows import Rows


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of bytes in the UTF-8 form of the text, without a byte order mark."""

    start: int
    end: int


class Positions:
    """Spans and row/column positions of the nodes of one module.

    Args:
        module: The parsed module.
        text: The text that was parsed, without a byte order mark.
    """

    def __init__(self, module: cst.Module, text: str) -> None:
        self._rows = Rows(text)
        # The nodes of a freshly parsed tree are distinct: the wrapper's deep copy is not needed.
        wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        self._spans = wrapper.resolve(ByteSpanPositionProvider)
        self._dropped = _dropped_form_feeds(module, self._rows.utf8)

    def span(self, node: cst.CSTNode) -> Span:
        """The bytes of a node, without the whitespace and comments around it."""
        found = self._spans[node]
        return Span(self._real(found.start), self._real(found.start + found.length))

    def start(self, node: cst.CSTNode) -> Position:
        """Position of a node's first character."""
        return self._rows.position(self.span(node).start)

    def end(self, node: cst.CSTNode) -> Position:
        """Position after a node's last character."""
        return self._rows.position(self.span(node).end)

    def _real(self, offset: int) -> int:
        return offset + bisect_right(self._dropped, offset) if self._dropped else offset


def _dropped_form_feeds(module: cst.Module, original: bytes) -> list[int]:
    """Where libcst lost a form feed: it forgets those before the first token of a line."""
    if b"\x0c" not in original:
        return []
    generated = module.code.encode("utf-8")
    if generated == original:
        return []
    dropped: list[int] = []
    at = 0
    for byte in original:
        if at < len(generated) and generated[at] == byte:
            at += 1
        else:
            dropped.append(at)
    return dropped
