"""Records are what dataclasses are; their methods are written when they are first used."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace

import pytest

from lint_rules._flow.values import arguments, events, kinds
from lint_rules._flow.values.record import by_content, by_identity


@by_content
class _Point:
    """Two numbers."""

    across: int
    down: int = 0


@by_content
class _Named(_Point):
    """A point with a name."""

    name: str = ""


@by_content
class _Nothing:
    """No fields."""


@by_identity
class _Thing:
    """One of a kind."""

    size: int


def test_equal_by_content_and_hashed_by_it() -> None:
    assert _Point(1) == _Point(across=1, down=0)
    assert _Point(1) != _Point(2)
    assert hash(_Point(1, 2)) == hash(_Point(1, 2))
    assert len({_Point(1), _Point(1), _Point(2)}) == 2
    assert _Point(1) != _Named(1)  # of another class, as with dataclasses
    assert _Named(1, name="a") == _Named(1, 0, "a") != _Named(1, 0, "b")
    assert _Nothing() == _Nothing()
    assert {_Nothing(): 1}[_Nothing()] == 1
    assert _Point(1) != 1


def test_a_class_below_another_writes_its_own_methods() -> None:
    @by_content
    class Above:
        value: int = 3

    @by_content
    class Below(Above):
        other: int = 4

    assert Below(1) == Below(1, 4) != Below(2)
    assert (Below(other=2).value, Above().value, Above(5).value) == (3, 3, 5)
    assert repr(Below()).endswith("Below(value=3, other=4)")


def test_equal_by_identity() -> None:
    one = _Thing(1)
    assert one == one
    assert one != _Thing(1)
    assert len({one, _Thing(1)}) == 2
    assert repr(one) == "_Thing(size=1)"


def test_arguments_are_asked_for_as_a_function_asks() -> None:
    with pytest.raises(TypeError, match="across"):
        _Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="sideways"):
        _Point(1, sideways=2)  # type: ignore[call-arg]
    assert replace(_Named(1, 2, "a"), name="b") == _Named(1, 2, "b")
    assert not hasattr(_Point(1), "__dict__")


def test_every_record_says_what_its_dataclass_would() -> None:
    found = [
        cls
        for module in (kinds, events, arguments)
        for cls in vars(module).values()
        if is_dataclass(cls) and isinstance(cls, type) and cls.__module__ == module.__name__
    ]
    assert len(found) > 50
    for cls in found:
        names = [field.name for field in fields(cls)]
        given = dict(zip(names, range(len(names)), strict=True))
        plain = dataclass(type(cls.__name__, (), {"__annotations__": dict.fromkeys(names, int), "__qualname__": cls.__qualname__}))  # fmt: skip
        assert repr(cls(**given)) == repr(plain(**given))
        assert cls(*given.values()).__class__ is cls
