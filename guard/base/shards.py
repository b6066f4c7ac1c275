"""Weights that are spread over processes: their own shape, not that of what lies here."""

from __future__ import annotations

from typing import Any


def rows_of(weight: Any) -> int:
    """The rows of a matrix.

    Args:
        weight: A parameter; DeepSpeed's ZeRO 3 leaves an empty one, and its shape in `ds_shape`.
    """
    return int(getattr(weight, "ds_shape", weight.shape)[0])


def embedding_rows(embedding: Any) -> int | None:
    """The rows of an embedding; None for one without a matrix of its own."""
    weight = getattr(embedding, "weight", None)
    return None if weight is None else rows_of(weight)
