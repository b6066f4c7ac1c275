"""What each step may see, as masks that are added to the scores: padding, the future, windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.files.hub import torch

if TYPE_CHECKING:
    from guard.decoding.support import Support


@dataclass(slots=True)
class StepMasks:
    """Makes the masks of one batch.

    Attributes:
        support: What is known about the model.
        pads: Slots of padding before each row, int64 of shape (rows,), on the model's device.
        dtype: The model's.
        padded: Whether any row has padding.
    """

    support: Support
    pads: torch.Tensor
    dtype: torch.dtype
    padded: bool

    def needed(self, end: int) -> bool:
        """Whether a step that sees exactly the slots before `end` needs a mask at all."""
        return self.padded or (self.support.sliding and end > self.support.reach)

    def make(self, first: int, steps: int, window: int) -> dict[str, torch.Tensor]:
        """Masks of shape (rows, 1, steps, window) by kind of layer, for steps that write to `first` on.

        0 where a slot is seen, the dtype's least number where not, as in the library's own masks.
        """
        device = self.pads.device
        slots = torch.arange(window, device=device)
        at = torch.arange(first, first + steps, device=device)[:, None]
        real = slots >= self.pads[:, None, None]
        found: dict[str, torch.Tensor] = {}
        for kind in self.support.kinds:
            seen = (slots <= at) & real
            if kind == "sliding_attention":
                seen = seen & (at - slots < self.support.reach)
            least = torch.finfo(self.dtype).min
            added = torch.zeros(seen.shape, dtype=self.dtype, device=device)
            found[kind] = added.masked_fill_(~seen, least)[:, None]
        return found

    def keep(self, places: torch.Tensor) -> None:
        """Go on with some rows."""
        self.pads = self.pads.index_select(0, places)


def as_argument(support: Support, masks: dict[str, torch.Tensor] | None) -> Any:
    """Masks in the form that the model takes: by kind of layer, or one; None where none is needed."""
    if support.by_kind:
        return masks if masks is not None else dict.fromkeys(support.kinds)
    return None if masks is None else masks[support.kinds[0]]
