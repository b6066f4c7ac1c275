"""The table of benchmarks/oracle.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

CODES = (
    *("CG201", "CG202", "CG203", "CG204", "CG205", "CG302", "CG303", "CG304"),
    *("CG401", "CG402", "CG403"),
)
MORE = ("CG101", "CG102", "CG104", "CG106", "CG110", "CG301")
_STATUSES = ("confirmed", "contradicted", "only the run", "as CG303", "not reached")
_TITLES = (
    *("confirmed", "contradicted", "missed (only the run saw it)"),
    *("said as CG303 (the repository decides)", "not reached"),
)
_GROUPS = ("legacy", "programs", "field")


def report(lines: Sequence[Mapping[str, Any]], *, told: bool) -> str:
    """The tables as markdown, of all groups together and of each, and how the scripts left."""
    groups = [group for group in _GROUPS if any(line["group"] == group for line in lines)]
    parts = []
    for title, of in [("all", groups), *((group, [group]) for group in groups)]:
        chosen = [line for line in lines if line["group"] in of]
        counts: Counter[str] = Counter()
        for line in chosen:
            counts.update(line["counts"])
        parts.append(f"{title}: {_ran(chosen)}")
        parts.append("\n".join(_rows(counts, (*CODES, *MORE))))
    if told:
        parts.append("\n".join(said for line in lines for said in line["told"]))
    return "\n\n".join(parts)


def _ran(lines: Sequence[Mapping[str, Any]]) -> str:
    ended = sum(line["exit"] == 0 for line in lines)
    models = sum(
        any(line["reached"].get(what) for what in ("prefill", "generate", "batch"))
        for line in lines
    )
    some = sum(bool(line["reached"]) for line in lines)
    return (
        f"{len(lines)} scripts; {ended} came to their end, {models} gave ids to a model, "
        f"{some} called something that is watched"
    )


def _rows(counts: Mapping[str, int], codes: Iterable[str]) -> list[str]:
    lines = [f"| code | {' | '.join(_TITLES)} |", "|---|---|---|---|---|---|"]
    for code in codes:
        cells = [str(counts.get(f"{code} {status}", 0)) for status in _STATUSES]
        lines.append(f"| {code} | {' | '.join(cells)} |")
    return lines
