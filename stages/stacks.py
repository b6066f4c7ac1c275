"""Adapters that stand on others: which ones an adapter needs below it, as its lineage says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from stages.folder import file_entry
from stages.lineage import lineage_of

_WEIGHTS = "adapter_model.safetensors"


def entry_below(path: Path) -> dict[str, Any]:
    """What a lineage says of the adapter that the new one stands on."""
    return {"path": str(path.resolve()), "sha256": file_entry(path / _WEIGHTS)["sha256"]}


def whole_stack(name: str, given: tuple[Path, ...]) -> tuple[Path, ...]:
    """The directories of a stack, lowest first, the ones that only the lineage names included.

    Args:
        name: The model's name, for messages.
        given: What the configuration says.

    Raises:
        JobError: One lies no longer where the lineage says, is another one, or was put twice.
    """
    below = [] if len(given) > 1 else _below(name, given[0])
    stack = (*below, *given)
    for under, over in pairwise(stack):
        _refuse_twice(name, under, over)
    return stack


def _below(name: str, path: Path) -> list[Path]:
    found: list[Path] = []
    for entry in (lineage_of(path) or {}).get("on", ()):
        there = Path(entry["path"])
        # A run's folder may have moved as a whole.
        places = [there, path.resolve().parent.parent / there.parent.name / there.name]
        weights = [place for place in places if (place / _WEIGHTS).is_file()]
        right = [one for one in weights if entry_below(one)["sha256"] == entry["sha256"]]
        if not right:
            what = "holds another adapter now" if weights else "is not there"
            raise JobError(
                f"adapters: {name} ({path}) stands on {there}, which {what}; "
                f"say where it is: {name}=THAT+{path}"
            )
        found.append(right[0])
    return found


def _refuse_twice(name: str, under: Path, over: Path) -> None:
    """An adapter that went on from another holds it; below it, the other would count twice."""
    lineage = lineage_of(over)
    if lineage is None or lineage.get("on"):
        return
    raise JobError(
        f"adapters: {name}: {over} holds all that it was trained on; {under} below it would count "
        f"twice; name it alone: {name}={over}"
    )
