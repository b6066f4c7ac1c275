"""Where nodes stand: computed once per file, and only when the first place is asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, CodeSpan, MetadataWrapper

from cleanguard.catalogue.findings import Position
from lint_rules._light import full  # noqa: F401 - which goes with every full tree
from lint_rules._light.rows import Rows

VisitorMethod = Callable[[cst.CSTNode], None]

_FORM_FEED = 0x0C
_ALL = 1 << 62  # more than any shift


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
        self._module = module
        self._rows = Rows(text)

    @cached_property
    def _spans(self) -> Mapping[cst.CSTNode, CodeSpan]:
        # The nodes of a freshly parsed tree are distinct: the wrapper's deep copy is not needed.
        wrapper = _Wrapper(self._module, unsafe_skip_copy=True)
        return wrapper.resolve(ByteSpanPositionProvider)

    @cached_property
    def _shifts(self) -> list[tuple[int, int]]:
        return _form_feeds(self._module, self._rows.utf8)

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
        if not self._shifts:
            return offset
        at = bisect_right(self._shifts, (offset, _ALL)) - 1
        return offset + (self._shifts[at][1] if at >= 0 else 0)


class _Wrapper(MetadataWrapper):
    """Libcst walks the tree, for nobody, where no provider shares in the walk: half of the time."""

    def visit_batched(
        self,
        visitors: Iterable[cst.BatchableCSTVisitor],
        before_visit: VisitorMethod | None = None,
        after_leave: VisitorMethod | None = None,
    ) -> cst.CSTNode:
        """Walks for visitors, if there are any."""
        visitors = list(visitors)
        if not visitors:
            return self.module
        return super().visit_batched(visitors, before_visit, after_leave)


def _form_feeds(module: cst.Module, original: bytes) -> list[tuple[int, int]]:
    """From which offset of libcst's own text on the original is shifted, and by how much.

    Libcst forgets form feeds before the first token of a line, and repeats one before the first line
    of a block at all of its lines.
    """
    if b"\x0c" not in original:
        return []
    generated = module.code.encode("utf-8")
    shifts: list[tuple[int, int]] = []
    here = there = 0
    while here < len(original) and there < len(generated) and generated != original:
        if original[here] == generated[there]:
            here, there = here + 1, there + 1
            continue
        if original[here] == _FORM_FEED:
            here += 1
        else:  # a form feed that libcst repeats
            there += 1
        shifts.append((there, here - there))
    return shifts
