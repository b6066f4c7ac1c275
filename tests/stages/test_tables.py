"""Rows as a table, and what is told where datasets cannot make one."""

from __future__ import annotations

import pickle
from typing import Any

import datasets
import pytest

from cleanguard.errors import JobError
from stages.training.tables import table_of


def test_a_table_has_a_column_for_each_field() -> None:
    table = table_of([{"a": [1, 2], "b": "x"}, {"a": [], "b": "y"}])
    assert table.column_names == ["a", "b"]
    assert table[0] == {"a": [1, 2], "b": "x"}


def test_packages_beside_the_environment_are_told_with_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cannot(rows: Any) -> Any:
        raise pickle.PicklingError("Can't pickle <class 'MonthDayNano'>")

    monkeypatch.setattr(datasets.Dataset, "from_list", cannot)
    with pytest.raises(JobError, match=r"pyarrow, which lies at .*pyarrow.*pip --target"):
        table_of([{"a": 1}])
