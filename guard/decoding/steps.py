"""One decoding step over fixed buffers: run as it is, or captured once and replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from weakref import ref

from guard.decoding.attention import packed_heads
from guard.decoding.cache import FixedCache
from guard.decoding.masks import StepMasks, as_argument
from guard.decoding.norms import fused_norms, fusible_norms
from guard.files.hub import torch

if TYPE_CHECKING:
    from guard.decoding.support import Support

_LEAST = 128  # slots; windows grow by an eighth to a quarter from here on
_MASK_BYTES = 16 << 20  # masks are made for so many steps at a time
_EAGER_STEPS = 32


class Replays(Protocol):
    """A captured piece of work."""

    def replay(self) -> None:
        """Do it again, with what its tensors hold now."""


Capture = Callable[[Callable[[], None]], Replays]


def rounded(slots: int) -> int:
    """A length that few graphs are captured for: 128, 256, 384, … and sparser further up."""
    step = max(_LEAST, 1 << max(slots.bit_length() - 3, 0))
    return -(-slots // step) * step


@dataclass(slots=True)
class _Captured:
    graph: Replays
    masks: dict[str, torch.Tensor]
    logits: list[torch.Tensor]


class Steps:
    """The steps of one model: its buffers, what a step reads, and the graphs that were captured.

    Attributes:
        cache: The buffers.
        sound: Whether all scores since `begin` were numbers; looked at with the tokens.
        captured: By rows, window and whether the step itself chooses the next token.
    """

    def __init__(
        self, model: Any, support: Support, room: int, slots: int, capture: Capture | None
    ) -> None:
        device = model.device
        self._model = ref(model)  # what is kept for a model must not keep the model
        self.support, self.capture = support, capture
        self.cache = FixedCache(support.sliding_layers, room, slots)
        self.tokens = torch.zeros((room, 1), dtype=torch.int64, device=device)
        self.positions = torch.zeros((room, 1), dtype=torch.int64, device=device)
        self.slot = torch.zeros(1, dtype=torch.int64, device=device)
        self.sound = torch.ones((), dtype=torch.bool, device=device)
        self.captured: dict[tuple[int, int, bool], _Captured] = {}
        self._warm: set[int] = set()
        self._norms: list[tuple[Any, float]] | None = None
        self._made: tuple[int, int, dict[str, torch.Tensor]] | None = None

    @property
    def model(self) -> Any:
        """The model, while it is alive."""
        return self._model()

    def begin(self, masks: StepMasks, filled: int, lengths: torch.Tensor) -> None:
        """Stand behind a batch's prompts: `filled` slots in use, so many tokens in each row."""
        self.masks, self.cache.filled = masks, filled
        self.cache.slot = self.slot
        self.slot.fill_(filled)
        self.sound.fill_(True)
        self.positions[: len(lengths), 0] = lengths
        self._made = None

    def feed(self, chosen: torch.Tensor) -> None:
        """Set the tokens, of shape (rows, 1), that the next step reads."""
        self.tokens[: self.cache.rows] = chosen

    def keep(self, places: list[int]) -> None:
        """Go on with some rows of the batch."""
        at = torch.tensor(places, device=self.tokens.device)
        for one in (self.tokens, self.positions):
            one[: len(places)] = one.index_select(0, at)
        self.cache.keep(at)
        self.masks.keep(at)
        self._made = None

    def step(self, left: int, *, chooses: bool) -> torch.Tensor:
        """Do one step; `left` steps may follow, this one included.

        Returns:
            The next tokens, of shape (rows, 1), which are fed already, if the step `chooses`;
            logits of shape (rows, vocabulary) otherwise. Both are overwritten by the next step.
        """
        if self.capture is None:
            found = self._eagerly(left)
            if chooses:
                found = found.float().argmax(-1, keepdim=True)
                self.feed(found)
        else:
            found = self._replayed(left, chooses)
        self.cache.filled += 1
        return found

    def _eagerly(self, left: int) -> torch.Tensor:
        at = self.cache.filled
        self.cache.window = at + 1
        masks = None
        if self.masks.needed(at + 1):
            steps = min(left, _EAGER_STEPS)
            first, whole = self._masks(at, steps, lambda: at + steps)
            place = at - first
            masks = {kind: one[:, :, place : place + 1, : at + 1] for kind, one in whole.items()}
        logits = self._forward(masks)
        self._advance()
        return logits

    def _masks(
        self, at: int, steps: int, window: Callable[[], int]
    ) -> tuple[int, dict[str, torch.Tensor]]:
        """Masks that hold for this step, with the slot of their first one."""
        if self._made is None or not self._made[0] <= at < self._made[1]:
            self._made = (at, at + steps, self.masks.make(at, steps, window()))
        return self._made[0], self._made[2]

    def _replayed(self, left: int, chooses: bool) -> torch.Tensor:
        at, rows = self.cache.filled, self.cache.rows
        window = min(rounded(at + 1), self.cache.slots)
        if window != self.cache.window:
            self.cache.window, self._made = window, None
        bytes_each = rows * window * self.masks.dtype.itemsize * len(self.support.kinds)
        steps = max(1, min(left, window - at, _MASK_BYTES // bytes_each))
        first, whole = self._masks(at, steps, lambda: window)
        place = at - first
        now = {kind: one[:, :, place : place + 1] for kind, one in whole.items()}
        key = (rows, window, chooses)
        if key not in self.captured:
            self.captured[key] = self._capture(now, chooses)
        captured = self.captured[key]
        for kind, mask in captured.masks.items():
            mask.copy_(now[kind])
        captured.graph.replay()
        return self.tokens[:rows] if chooses else captured.logits[0]

    def _capture(self, now: dict[str, torch.Tensor], chooses: bool) -> _Captured:
        rows = self.cache.rows
        masks = {kind: one.clone() for kind, one in now.items()}
        logits: list[torch.Tensor] = []

        def work() -> None:
            found = self._forward(masks)
            if chooses:
                self.feed(found.float().argmax(-1, keepdim=True))
            else:
                logits[:] = [found]
            self._advance()

        assert self.capture is not None
        if self._norms is None:
            self._norms = fusible_norms(self.model)
        with packed_heads(self.model), fused_norms(self._norms), self._unmoved():
            if rows not in self._warm:
                work()
                self._warm.add(rows)
                self._restore()
            graph = self.capture(work)
        return _Captured(graph, masks, logits)

    @contextmanager
    def _unmoved(self) -> Iterator[None]:
        """What is done inside leaves the step where it was; the keys it wrote are written again."""
        self._saved = [one.clone() for one in (self.tokens, self.positions, self.slot)]
        try:
            yield
        finally:
            self._restore()
            self._saved = []

    def _restore(self) -> None:
        for one, saved in zip((self.tokens, self.positions, self.slot), self._saved, strict=True):
            one.copy_(saved)

    def _forward(self, masks: dict[str, torch.Tensor] | None) -> torch.Tensor:
        rows = self.cache.rows
        logits: torch.Tensor = self.model(
            input_ids=self.tokens[:rows],
            attention_mask=as_argument(self.support, masks),
            position_ids=self.positions[:rows],
            use_cache=True,
            return_dict=True,
            **{self.support.cache: self.cache},
        ).logits[:, -1]
        self.sound.logical_and_(logits.amax().isfinite())
        return logits

    def _advance(self) -> None:
        self.positions[: self.cache.rows].add_(1)
        self.slot.add_(1)
