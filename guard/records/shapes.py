"""What the parts of a statement must look like, so that whoever reads it need not ask again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

Test = Callable[[Any], bool]

_SCHEMAS = {"records": "cleanguard-records/1", "file": "cleanguard-file/1"}


def misshapen(predicate: Any, kind: str) -> str | None:
    """The first part of a predicate that is missing or of another shape; None for a sound one.

    Args:
        predicate: The statement's predicate, as parsed.
        kind: `records` or `file`.
    """
    if not isinstance(predicate, dict):
        return "predicate"
    return next(_faults(predicate, kind), None)


def _faults(predicate: Mapping[str, Any], kind: str) -> Iterator[str]:
    rules: dict[str, Test] = {"bytes": _count, "loads": _objects_by_name, "runs": _objects}
    if kind == "records":
        rules |= {"records": _count, "last": _text_or_none}
    yield from (name for name in rules if name not in predicate)
    yield from _broken(predicate, rules, "")
    if predicate.get("schema") != _SCHEMAS[kind]:
        yield f"schema {predicate.get('schema')!r}"
    known = {*rules, "schema"}
    yield from (f"unknown field {name!r}" for name in predicate if name not in known)
    for named, load in predicate["loads"].items():
        yield from _broken({**_BARE_LOAD, **load}, _LOAD, f"loads.{named[:8]}.")
    for at, run in enumerate(predicate["runs"]):
        yield from _broken({**_BARE_RUN, **run}, _RUN, f"runs[{at}].")
        if kind == "records":
            yield from (f"runs[{at}].{name}" for name in _OF_EVERY_RUN if name not in run)
            if set(run["events"]) != set(run["loads"]):
                yield f"runs[{at}]: events of other roles than its loads"
        yield from (f"runs[{at}]: unknown field {name!r}" for name in run if name not in _RUN)


def _broken(part: Mapping[str, Any], rules: Mapping[str, Test], where: str) -> Iterator[str]:
    return (f"{where}{name}" for name, sound in rules.items() if not sound(part.get(name)))


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _moment_or_none(value: Any) -> bool:
    """UTC time in ISO 8601 with its zone, as `utc_now` gives it."""
    if value is None:
        return True
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).tzinfo is not None
    except ValueError:
        return False


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _texts_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, value.values()))


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(map(_object, value))


def _objects_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_object, value.values()))


def _adapters(value: Any) -> bool:
    return _objects(value) and all(_text(adapter.get("name")) for adapter in value)


def _checks(value: Any) -> bool:
    told = ("name", "verdict", "detail", "code")
    return _objects(value) and all(_text_or_none(check.get(n)) for check in value for n in told)


def _events(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _objects(role) and all(_text(e.get("kind")) and _object(e.get("detail")) for e in role)
        for role in value.values()
    )


_LOAD: Mapping[str, Test] = {
    "overrides": _texts,
    "checks": _checks,
    "adapters": _adapters,
    "active_adapters": _texts,
    "merged_adapters": _texts,
}
_BARE_LOAD: Mapping[str, Any] = {name: [] for name in _LOAD}
_RUN: Mapping[str, Test] = {
    "id": _text,
    "params": _object,
    "loads": _texts_by_name,
    "events": _events,
    "outcome": _text,
    "repaired_bytes": _count,
    "params_sha256": _text_or_none,
    "records": _count,
    "started": _moment_or_none,
    "ended": _moment_or_none,
}
# Every version of the writer says these; a run that does not was edited.
_OF_EVERY_RUN = ("started", "ended", "records", "repaired_bytes")
_BARE_RUN: Mapping[str, Any] = {"repaired_bytes": 0, "records": 0}
