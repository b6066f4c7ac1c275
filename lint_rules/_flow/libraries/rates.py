"""Averages of collections: calls whose result is a rate over so many items."""

from __future__ import annotations

from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.joins import Dataset, Items, Value, count_of, options

# The collection is the first argument of each.
MEANS = frozenset(
    ["numpy.mean", "numpy.average", "numpy.nanmean", "statistics.mean", "statistics.fmean",
     "torch.mean", "sklearn.metrics.accuracy_score", "sklearn.metrics.f1_score"]
)  # fmt: skip
# Of arrays and columns: what keeps the number of items.
KEEPS_ITEMS = frozenset(
    ["float", "double", "int", "astype", "to", "cpu", "numpy", "tolist", "to_list", "copy"]
)


def items_averaged(args: Arguments) -> int | None:
    """How many items a call of one of `MEANS` averages, None where no literal gives it."""
    return None if not args.positional else items_in(args.positional[0].value)


def items_in(value: Value) -> int | None:
    """The size of a collection that was filled item by item; a written list of scores is none."""
    filled = all(isinstance(option, (Items, Dataset)) for option in options(value))
    return count_of(value) if filled else None
