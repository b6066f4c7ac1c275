"""How deep lists and mappings stand in one another, asked without recursion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def nested_deeper_than(value: Any, most: int) -> bool:
    """Whether lists, tuples and mappings stand in one another more than `most` levels deep.

    A value that stands in many places, as YAML's aliases make them, is looked into once a level; one
    that holds itself is deeper than anything.
    """
    level = _containers([value])
    for _ in range(most):
        level = _containers(
            member
            for part in level
            for member in (part.values() if isinstance(part, Mapping) else part)
        )
        if not level:
            return False
    return bool(level)


def _containers(values: Any) -> list[Any]:
    found = {id(one): one for one in values if isinstance(one, Mapping | list | tuple)}
    return list(found.values())
