"""Describes a configuration: every field of a dataclass with its type, default, bounds and help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_META = "cleanguard"
Reads = Literal["file", "adapter", "adapters", "suite", "model"]


@dataclass(frozen=True, slots=True)
class Option:
    """One setting.

    Attributes:
        key: Its dotted name, as in `train.steps`.
        kind: str, int, float, bool or Path; of the members where `many`.
        default: What it is unless said otherwise.
        help: One sentence.
        choices: The only values it may have; empty if any will do.
        optional: May be left unset (None).
        many: A list of values.
        at_least, at_most: Bounds of a number.
        reads: What it names that must be there already; None where it names nothing, or what is made.
    """

    key: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    many: bool = False
    at_least: float | None = None
    at_most: float | None = None
    reads: Reads | None = None


def option(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    reads: Reads | None = None,
) -> Any:
    """A dataclass field with what `--help` says of it, its bounds, and what it names that must be there."""
    return field(
        default=default,
        metadata={_META: {"help": help, "at_least": at_least, "at_most": at_most, "reads": reads}},
    )


def section(kind: type, *, without: tuple[str, ...] = (), **changed: Any) -> Any:
    """A dataclass field that holds settings of its own; `without` names those not to be set here.

    Keywords change defaults of the section.
    """
    return field(
        default_factory=lambda: kind(**changed),
        metadata={_META: {"without": without}},
    )


def options_of(config: type, prefix: str = "") -> tuple[Option, ...]:
    """Every setting of a configuration, sections included, in the order of its fields."""
    return tuple(_walk(config, config(), prefix, ()))


def _walk(config: type, defaults: Any, prefix: str, without: tuple[str, ...]) -> Iterator[Option]:
    hints = get_type_hints(config)
    for one in fields(config):
        if one.name in without:
            continue
        meta = one.metadata.get(_META, {})
        hint = hints[one.name]
        default = getattr(defaults, one.name)
        if is_dataclass(hint):
            assert isinstance(hint, type)
            yield from _walk(hint, default, f"{prefix}{one.name}.", meta.get("without", ()))
        else:
            yield _option(f"{prefix}{one.name}", hint, default, meta)


def _option(key: str, hint: Any, default: Any, meta: dict[str, Any]) -> Option:
    if default is MISSING or "help" not in meta:
        raise TypeError(f"{key} is declared without option(default, help)")
    optional = False
    if get_origin(hint) in (Union, UnionType):
        rest = [part for part in get_args(hint) if part is not NoneType]
        optional, hint = len(rest) < len(get_args(hint)), rest[0]
    many = get_origin(hint) is tuple
    if many:
        hint = get_args(hint)[0]
    choices: tuple[str, ...] = ()
    if get_origin(hint) is Literal:
        choices, hint = tuple(map(str, get_args(hint))), str
    return Option(
        key, hint, default, meta["help"], choices, optional, many,
        meta.get("at_least"), meta.get("at_most"), meta.get("reads"),
    )  # fmt: skip
