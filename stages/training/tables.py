"""Rows as a table of datasets, where datasets can make one."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cleanguard.errors import JobError

if TYPE_CHECKING:
    from datasets import Dataset


def table_of(rows: Sequence[dict[str, Any]]) -> Dataset:
    """A table with a column for each field of the rows.

    Raises:
        JobError: datasets cannot name its own table here: it pickles whole packages for that where they lie
            outside of the interpreter's own folders, and pyarrow cannot be pickled.
    """
    from datasets import Dataset

    try:
        return Dataset.from_list(list(rows))
    except pickle.PicklingError as error:
        place = sys.modules["pyarrow"].__file__ if "pyarrow" in sys.modules else "another place"
        raise JobError(
            f"datasets cannot make a table: it would pickle pyarrow, which lies at {place}, outside "
            f"of this Python's own folders ({error}); install datasets and pyarrow into the environment itself, "
            "not with pip --target or on PYTHONPATH"
        ) from error
