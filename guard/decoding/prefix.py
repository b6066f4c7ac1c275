"""What the prompts of a batch begin with alike: few-shot examples are read in once."""

from __future__ import annotations

from collections.abc import Sequence

_LEAST = 32  # tokens; below it a second pass costs more than it saves


def shared_prefix(rows: Sequence[list[int]], left: int = 1) -> int:
    """How many first tokens are worth reading in once for all rows; 0 for none.

    The last tokens of each row, so many as are `left`, are not among them: their logits are wanted.
    """
    if len(rows) < 2:
        return 0
    first, last = min(rows), max(rows)  # in order, these two differ first
    most = max(min(map(len, rows)) - left, 0)
    length = next((at for at in range(most) if first[at] != last[at]), most)
    saved, all_of_it = length * (len(rows) - 1), sum(map(len, rows))
    return length if length >= _LEAST and 4 * saved >= all_of_it else 0
