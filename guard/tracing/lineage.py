"""Follows prompts by their ids: from the call that made a row to the model that reads it."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from guard.observing.events import Encode, Render, Rows

_MOST_IDS = 2_000_000
_MOST_RENDERS = 256
_SHORTEST = 4  # characters of a rendered text that is looked for inside of another


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row of ids came from.

    Attributes:
        encode: The tokenizer call; None where apply_chat_template gave the ids itself.
        render: The template that the text went through; None for plain text.
        index: Number of the row in its call.
        text: Its text; None where tokens or ids were given.
    """

    encode: Encode | None
    render: Render | None
    index: int = 0
    text: str | None = None

    @property
    def tokenizer(self) -> int:
        """Number of the tokenizer."""
        made = self.encode or self.render
        assert made is not None
        return made.tokenizer


class Lineage:
    """The rows that were made lately, by their ids without padding."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[int, ...], Origin] = OrderedDict()
        self._kept = 0
        self._renders: deque[tuple[str, Render]] = deque(maxlen=_MOST_RENDERS)

    def rendered(self, render: Render) -> None:
        """Remember what a template gave."""
        for text in render.texts:
            if len(text.strip()) >= _SHORTEST:
                self._renders.append((text, render))
        for index, row in enumerate(render.ids):
            self._put(row, Origin(None, render, index))

    def encoded(self, encode: Encode) -> None:
        """Remember what a tokenizer gave."""
        for index, (row, mask) in enumerate(zip(encode.ids, masks_of(encode), strict=True)):
            text = encode.texts[index] if index < len(encode.texts) else None
            bare = unpadded(row, mask)
            before = self._rows.get(bare) if text is None else None
            if before is not None:
                self._rows.setdefault(row, before)
                continue  # `pad` and tokens that are looked up go on with what was encoded
            origin = Origin(encode, self._render_in(text), index, text)
            self._put(bare, origin)
            if bare != row:
                self._put(row, origin)

    def of(self, row: tuple[int, ...], mask: tuple[int, ...] | None) -> Origin | None:
        """Where a row of a batch came from; None if it was put together by hand."""
        bare = row if mask is None else unpadded(row, mask)
        if bare in self._rows:
            return self._rows[bare]
        return self._rows.get(row)

    def _render_in(self, text: str | None) -> Render | None:
        if not text:
            return None
        return next((render for made, render in reversed(self._renders) if made in text), None)

    def _put(self, row: tuple[int, ...], origin: Origin) -> None:
        if row not in self._rows:
            self._kept += len(row)
        self._rows[row] = origin
        self._rows.move_to_end(row)
        while self._kept > _MOST_IDS and len(self._rows) > 1:
            self._kept -= len(self._rows.popitem(last=False)[0])


def masks_of(encode: Encode) -> Rows | tuple[None, ...]:
    """A mask for each row of a call."""
    if encode.mask is not None and len(encode.mask) == len(encode.ids):
        return encode.mask
    return (None,) * len(encode.ids)


def unpadded(row: tuple[int, ...], mask: tuple[int, ...] | None) -> tuple[int, ...]:
    """A row without what its mask leaves out."""
    if mask is None or 0 not in mask or len(mask) != len(row):
        return row
    return tuple(index for index, on in zip(row, mask, strict=True) if on)


def bare(
    row: tuple[int, ...], mask: tuple[int, ...] | None, origin: Origin | None
) -> tuple[int, ...]:
    """A row that lost its mask on the way to the model, without its padding: that has a code of its own."""
    made = origin.encode if origin is not None else None
    if mask is not None or made is None or origin is None or made.mask is None:
        return row
    was = made.mask[origin.index] if origin.index < len(made.mask) else ()
    return unpadded(row, was) if made.ids[origin.index] == row else row


def pieces(
    row: tuple[int, ...], mask: tuple[int, ...] | None, positions: tuple[int, ...] | None
) -> list[tuple[int, ...]]:
    """The texts of a row: one, or several that are packed and count their positions anew."""
    if mask is not None and 0 in mask:
        return [unpadded(row, mask)]
    if positions is None or 0 not in positions[1:] or len(positions) != len(row):
        return [row]
    starts = [at for at, position in enumerate(positions) if position == 0 and at]
    return [row[begin:end] for begin, end in zip([0, *starts], [*starts, len(row)], strict=True)]
