"""Reads JSON lines that a person or another stage wrote; a bad line is named, never skipped."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from cleanguard.editing.read import regular
from cleanguard.errors import JobError

_MOST_DIGITS = 1000  # Python reads 4,300 and complains of itself above


def read_lines(
    path: Path, expected: Mapping[str, type], *, may_be_empty: bool = False
) -> list[dict[str, Any]]:
    """The records of a file.

    Args:
        path: JSON lines in UTF-8, with or without a byte order mark; blank lines are passed over.
        expected: Fields that every record must have, with their types.
        may_be_empty: A file without records is no mistake.

    Raises:
        JobError: The file is missing or empty, or a line is not what was expected; the message
            says which line and what was expected.
    """
    return [record for _, record in located_lines(path, expected, may_be_empty=may_be_empty)]


def located_lines(
    path: Path,
    expected: Mapping[str, type],
    *,
    filled: Collection[str] = (),
    may_be_empty: bool = False,
) -> list[tuple[str, dict[str, Any]]]:
    """The records of a file as `read_lines` gives them, each with its place for messages.

    Args:
        path, expected, may_be_empty: As there.
        filled: Fields whose text may not be blank.

    Raises:
        JobError: As there.
    """
    wanted = ", ".join(f"{name} ({_named(kind)})" for name, kind in expected.items())
    records: list[tuple[str, dict[str, Any]]] = []
    for number, line_text in enumerate(_text(path).split("\n"), 1):
        if not line_text.strip():
            continue
        try:
            record = parsed(line_text)
        except ValueError as error:
            raise JobError(f"{path}:{number}: not JSON ({error}); expected {wanted}") from None
        if not isinstance(record, dict):
            raise JobError(f"{path}:{number}: not a JSON object; expected {wanted}")
        for name, kind in expected.items():
            found = record.get(name)
            if not isinstance(found, kind) or (name in filled and not str(found).strip()):
                what = "is missing" if name not in record else f"is {record[name]!r}"
                raise JobError(f"{path}:{number}: {name} {what}; expected {wanted}")
        records.append((f"{path}:{number}", record))
    if not records and not may_be_empty:
        raise JobError(f"{path}: holds no records; expected {wanted}")
    return records


def parsed(text: str) -> Any:
    """What a JSON text holds; ValueError for every text that cannot be read as JSON.

    Of a key that stands twice Python would take the last value without a word; NaN is no JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_int)
    except RecursionError:
        raise ValueError("nested too deeply; write it flat") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice; keep one of them")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON; leave the field out, or write null")


def _int(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits; write it as text")
    return int(digits)


def text_of(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of some optional fields that holds text."""
    return next(
        (record[name] for name in names if isinstance(record.get(name), str) and record[name]), None
    )


def _text(path: Path) -> str:
    try:
        return regular(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise JobError(f"{path}:{line}: not UTF-8") from None


def _named(kind: type) -> str:
    return {str: "text", int: "whole number", bool: "true or false", dict: "object"}.get(
        kind, kind.__name__
    )
