from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

from cleanguard.nesting import nested_deeper_than


def nested(levels: int) -> Any:
    value: Any = 1
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


@pytest.mark.parametrize("levels", [0, 1, 2, 7, 50])
def test_levels_are_counted(levels: int) -> None:
    assert not nested_deeper_than(nested(levels), levels)
    assert not levels or nested_deeper_than(nested(levels), levels - 1)


def test_every_kind_of_container_counts() -> None:
    assert nested_deeper_than((OrderedDict(a=[1]),), 2)
    assert not nested_deeper_than(("a" * 9, {"b": {1, 2}}), 2)


def test_a_value_in_many_places_costs_no_more_than_one() -> None:
    value: Any = []
    for _ in range(60):
        value = [value, value]
    assert nested_deeper_than(value, 59)


def test_a_value_that_holds_itself_is_deep() -> None:
    value: list[Any] = []
    value.append(value)
    assert nested_deeper_than(value, 100)
