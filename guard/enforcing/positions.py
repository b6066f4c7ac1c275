"""Models that count positions from the first column: left padding moves a text there.

GPT-2, GPT-BigCode and their like learned one vector per position, and a plain call without
`position_ids` counts the padding as well. Rotary and ALiBi models look at distances, which padding
does not change; OPT counts from the mask by itself.
"""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

from guard.errors import PaddingError
from guard.files.hub import torch

_PROBED = 4
# What was found of each decoder, while it is alive.
_known: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()

_NAMES = re.compile(
    r"(^|\.)(wpe|embed_positions|position_embeddings?|positions_embed|pos_encoder|embed_position)$"
)


def check_positions(
    decoder: Any, ids: torch.Tensor, mask: torch.Tensor | None, position_ids: Any
) -> None:
    """Check that a batch padded on the left says its positions, where the model counts columns.

    Args:
        decoder: The model's decoder.
        ids: Token ids of shape (rows, positions).
        mask: Attention mask of that shape; None for a batch without padding.
        position_ids: As they were passed; None leaves it to the model.

    Raises:
        PaddingError: Rows would be read at other positions than alone.
    """
    if mask is None or mask.shape != ids.shape or position_ids is not None:
        return
    # A row of padding alone has no token that could be read elsewhere.
    late = (mask[:, 0] == 0) & mask.any(-1)
    if not bool(late.any()):
        return
    row = int(late.nonzero()[0])
    if decoder not in _known:
        real = ids[row][mask[row] != 0][:_PROBED]
        _known[decoder] = absolute_positions(decoder, real, int(ids[row, 0]))
    table = _known[decoder]
    if table is None:
        return
    raise PaddingError(
        f"row {row} of the batch is padded on the left, and {type(decoder).__name__} counts positions "
        f"({table}) from the first column: its scores would be those of a text that begins there",
        evidence={"row": row, "padding": int((mask[row] == 0).sum()), "positions": table},
        remedy="pass position_ids=(attention_mask.cumsum(-1) - 1).clamp(min=0), pad on the right, or "
        "call CleanModelLoader.score, which does",
    )


def absolute_positions(decoder: Any, ids: torch.Tensor, pad: int) -> str | None:
    """The name of what gives a vector to each column; None for a model that does not count them.

    Where there is a table of positions, the decoder reads a few ids with padding before them and
    without, and what the table gave is compared, exactly. Which arguments a table takes does not
    tell: BioGPT's takes the mask and is passed counted columns.

    Args:
        decoder: The model's decoder.
        ids: A few ids of a text, of shape (positions).
        pad: The id that fills a row.
    """
    for name, table in _tables(decoder):
        given: list[torch.Tensor] = []
        handle = table.register_forward_hook(lambda _m, _a, out, to=given: to.append(out))
        try:
            for padding in (0, _PROBED):
                row = ids.new_full((1, padding + len(ids)), pad)
                row[0, padding:] = ids
                mask = (row.new_tensor(range(row.shape[1])) >= padding).long()[None]
                with torch.no_grad():
                    decoder.forward(input_ids=row, attention_mask=mask, use_cache=False)
        finally:
            handle.remove()
        alone, padded = (out.reshape(-1, out.shape[-1])[-len(ids) :] for out in given)
        if not alone.equal(padded):
            return name
    return "pos_encoding" if hasattr(decoder, "pos_encoding") else None


def _tables(decoder: Any) -> list[tuple[str, Any]]:
    """Modules outside of the blocks that may give a vector to each position, with their names."""
    config = decoder.config.get_text_config()
    names = ("n_positions", "max_position_embeddings", "max_target_positions")
    sizes = {getattr(config, name, None) for name in names} - {None}
    tokens = decoder.get_input_embeddings()
    found = []
    for name, module in decoder.named_modules():
        if module is tokens or re.search(r"\.\d+\.", f"{name}."):
            continue
        rows = getattr(getattr(module, "weight", None), "shape", (None,))[0]
        if _NAMES.search(name) or (type(module).__name__ == "Embedding" and rows in sizes):
            found.append((name, module))
    return found
