"""What the reports of runs rest on, so that their comparison rests on the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from stages.suites.item import Endpoint, Measure

_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Settled(Generic[_Choice]):
    """What counts, and what a reader should know of how that was settled.

    Attributes:
        choice: The endpoint or the measure.
        note: None where it was asked for, or is what is usual.
    """

    choice: _Choice
    note: str | None


def settle_endpoint(files: Sequence[Path], asked: Endpoint | None) -> Settled[Endpoint]:
    """The verdict that counts.

    Args:
        files: The runs' results.jsonl; the report.json beside one says what it rests on.
        asked: What a person wants.
    """
    found = [_said(one, ("endpoint",), get_args(Endpoint)) for one in files]
    return _settled("endpoint", found, asked, "strict")


def settle_measure(files: Sequence[Path], asked: Measure | None) -> Settled[Measure]:
    """What decides between choices; `files` and `asked` as for the endpoint."""
    path = ("settings", "choices", "measure")
    found = [_said(one, path, get_args(Measure)) for one in files]
    return _settled("measure", found, asked, "per_byte")


def _settled(
    name: str, found: Sequence[str | None], asked: _Choice | None, usual: _Choice
) -> Settled[Any]:
    if asked is not None:
        return Settled(asked, None)
    said = sorted({one for one in found if one is not None})
    if len(said) > 1:
        return Settled(
            usual,
            f"the runs' reports rest on different verdicts ({', '.join(said)}); {usual} counts here, and "
            f"--{name} chooses",
        )
    if said and said[0] != usual:
        return Settled(
            said[0], f"{said[0]} counts, as in the runs' own reports; --{name} chooses another"
        )
    return Settled(usual, None)


def _said(results: Path, path: Sequence[str], known: Sequence[str]) -> str | None:
    """None where there is no report, or it says nothing that is known."""
    try:
        found: Any = json.loads((results.parent / "report.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if found in known else None
