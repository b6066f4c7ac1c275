"""Keys and values in buffers that keep their place: what a captured step can write into again and again.

The library's static caches keep their place too, but attend to their whole length, count in Python
where a window slides, and differ between releases. Here rows are the leading ones of a buffer, a
step attends to a window of the slots, and the masks alone say what is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guard.files.hub import torch
from guard.files.hub import transformers as _transformers

_library: Any = _transformers.cache_utils


class FixedLayer(_library.CacheLayerMixin):  # type: ignore[misc]  # the library is not typed here
    """One layer's keys and values, each of shape (rows, heads, slots, size of a head)."""

    is_compileable = False

    def __init__(self, cache: FixedCache, sliding: bool) -> None:
        super().__init__()
        self.cache = cache
        self.is_sliding = sliding
        self.prefix: tuple[torch.Tensor, torch.Tensor] | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Allocate, as soon as the shape, the dtype and the device are known."""
        self.keys, self.values = (
            torch.zeros(
                (self.cache.room, one.shape[1], self.cache.slots, one.shape[-1]),
                dtype=one.dtype,
                device=one.device,
            )
            for one in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write what comes in behind what is there, and give back what attention may see."""
        cache, new = self.cache, key_states.shape[-2]
        if cache.apart:
            self.prefix = (key_states, value_states)
            return key_states, value_states
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        keys, values = self.keys[: cache.rows], self.values[: cache.rows]
        if cache.slot is not None:
            keys.index_copy_(2, cache.slot, key_states)
            values.index_copy_(2, cache.slot, value_states)
            return keys[:, :, : cache.window], values[:, :, : cache.window]
        rows = slice(cache.first_row, cache.first_row + len(key_states))
        start = cache.first_slot + cache.filled
        end = start + new
        keys[rows, :, start:end] = key_states
        values[rows, :, start:end] = value_states
        if not cache.filled:
            return key_states, value_states
        return keys[rows, :, cache.first_slot : end], values[rows, :, cache.first_slot : end]

    def place_prefix(self, pads: torch.Tensor) -> None:
        """Put one row's keys and values into every row, behind its padding of that many slots."""
        assert self.prefix is not None
        for into, one in zip(("keys", "values"), self.prefix, strict=True):
            if not self.is_initialized:
                self.lazy_initialization(*self.prefix)
            length = one.shape[-2]
            at = (torch.arange(length, device=one.device) - pads[:, None]).clamp(min=0)
            getattr(self, into)[: len(pads), :, :length] = one[0][:, at].transpose(0, 1)
        self.prefix = None

    def keep(self, places: torch.Tensor, end: int) -> None:
        """Move some rows to the front; slots before `end` are in use."""
        for buffer in (self.keys, self.values):
            buffer[: len(places), :, :end] = buffer[:, :, :end].index_select(0, places)

    def get_seq_length(self) -> int:
        """Slots in use before what comes in now."""
        return 0 if self.cache.apart else self.cache.filled

    def get_mask_sizes(self, query: Any) -> tuple[int, int]:
        """How many slots a query sees, and the first; `query` is a length, or positions (5.0)."""
        length = query if isinstance(query, int) else int(query.shape[0])
        return self.get_seq_length() + length, 0

    def get_max_length(self) -> int:
        """The slots."""
        return self.cache.slots

    get_max_cache_shape = get_max_length  # as transformers 5.0 calls it


class FixedCache(_library.Cache):  # type: ignore[misc]  # the library is not typed here
    """The buffers of all layers, and what part of them is in use.

    Attributes:
        room, slots: Rows and slots that there is memory for.
        rows: Rows in use, the leading ones.
        first_row, first_slot: Where a part of the prompts begins.
        filled: Slots in use, before the next token.
        window: Slots that a step sees.
        slot: Where a step writes, int64 of shape (1,); None while a prompt comes in.
        apart: A prefix comes in that all rows share; it is kept beside the buffers.
    """

    def __init__(self, sliding: Sequence[bool], room: int, slots: int) -> None:
        self.room, self.slots = room, slots
        self.rows, self.filled, self.window = room, 0, 0
        self.first_row, self.first_slot = 0, 0
        self.slot: torch.Tensor | None = None
        self.apart = False
        super().__init__(layers=[FixedLayer(self, one) for one in sliding])

    def begin(self, rows: int) -> None:
        """Make ready for another batch: nothing of an earlier one stays, a NaN least of all."""
        self.rows, self.filled, self.window, self.slot, self.apart = rows, 0, 0, None, False
        self.first_row, self.first_slot = 0, 0
        for layer in self.layers:
            layer.prefix = None
            if layer.is_initialized:
                layer.keys[:rows].zero_()
                layer.values[:rows].zero_()

    def place_prefix(self, length: int, pads: torch.Tensor) -> None:
        """Put a prefix of that length, which came in apart, into all rows."""
        for layer in self.layers:
            layer.place_prefix(pads)
        self.filled, self.apart = length, False

    def keep(self, places: torch.Tensor) -> None:
        """Go on with some rows, which come to the front in this order; one may come twice."""
        for layer in self.layers:
            layer.keep(places, self.filled)
        self.rows = len(places)

    @property
    def size(self) -> int:
        """Bytes of the buffers."""
        return sum(
            one.numel() * one.element_size()
            for layer in self.layers
            if layer.is_initialized
            for one in (layer.keys, layer.values)
        )
