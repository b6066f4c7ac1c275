"""The statements of a block that name something, found by where it is named and not by a look at each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import libcst as cst

from codemods.script.script import Script
from lint_rules._light.positions import Span


def mentioning(
    script: Script, block: Sequence[cst.CSTNode], first: int, last: int, text: str
) -> Iterator[int]:
    """The indices of the statements that read or write an expression of this text, in order.

    Args:
        script: The script.
        block: The statements of a block.
        first: The index of the first that is looked at.
        last: The index after the last.
        text: A name, an attribute or an item, as written.
    """
    if first >= last:
        return
    starts = script.starts_of(block)
    region = Span(starts[first], script.span(block[last - 1]).end)
    offsets: Iterable[int] = (
        script.offsets_of(text, region) if text.isidentifier() else _found_at(script, text, region)
    )
    latest = first - 1
    for offset in offsets:
        at = bisect_right(starts, offset) - 1
        if at > latest:
            latest = at
            yield at


def _found_at(script: Script, text: str, region: Span) -> Iterator[int]:
    wanted = text.encode()
    at = script.utf8.find(wanted, region.start, region.end)
    while at >= 0:
        yield at
        at = script.utf8.find(wanted, at + 1, region.end)
