"""Puts the journals of a traced script's processes together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guard.observing.events import Site
from guard.tracing.journal import read


@dataclass(frozen=True, slots=True)
class Seen:
    """A fact, or a place that was reached, with how often.

    Attributes:
        what: A code, or a kind of event.
        site: Where.
        others: The other places that take part.
        count: How often; at least so often where a process was killed.
        content: The rest of the journal's line.
    """

    what: str
    site: Site
    others: tuple[Site, ...]
    count: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What all processes saw.

    Attributes:
        facts: Hazards, one for each code and place.
        reached: Places of the person's code that called something that is watched.
        events: Loads, saves, seeds and what could not be seen, in their order.
        processes: The processes, each with `argv`, `pid`, `parent`, whether it came to its end, what
            its watch failed at, and the Python processes that it started.
        training: Counts of training rows.
    """

    facts: tuple[Seen, ...]
    reached: tuple[Seen, ...]
    events: tuple[Mapping[str, Any], ...]
    processes: tuple[Mapping[str, Any], ...]
    training: Mapping[str, int]

    @property
    def failed(self) -> tuple[Mapping[str, Any], ...]:
        """The processes whose watch failed, as where no journal could be written."""
        return tuple(process for process in self.processes if process["failed"])

    @property
    def unseen(self) -> tuple[str, ...]:
        """What could not be seen, in sentences."""
        found = [str(event["what"]) for event in self.events if event["kind"] == "blind"]
        known = {process["pid"] for process in self.processes}
        found += [f"the watch of process {one['pid']} {one['failed']}" for one in self.failed]
        for process in self.processes:
            if not process["ended"] and process["saw"]:
                found.append(f"process {process['pid']} was cut off; its counts are the least")
            for child in process["children"]:
                if child["pid"] not in known:
                    command = " ".join(child["argv"][:4])
                    found.append(f"the Python process {child['pid']} ({command}) was not watched")
        return tuple(dict.fromkeys(found))

    def count(self, kind: str) -> int:
        """How often something that is watched was called."""
        return sum(seen.count for seen in self.reached if seen.what == kind)


def gather(folder: Path) -> Gathered:
    """What the journals in a folder say."""
    return merged(read(folder))


def merged(journals: Any) -> Gathered:
    """What some journals say, each a sequence of lines."""
    facts: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    reached: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    counts: Counter[tuple[Any, ...]] = Counter()
    training: Counter[str] = Counter()
    events: list[Mapping[str, Any]] = []
    processes: list[Mapping[str, Any]] = []
    for lines in journals:
        own: dict[tuple[Any, ...], int] = {}
        for line in lines:
            kind = line.get("type")
            if kind in ("fact", "site"):
                key = tuple(line["key"])
                own[key] = max(own.get(key, 0), 1)
                (facts if kind == "fact" else reached).setdefault(key, line)
            elif kind == "count":
                own[tuple(line["key"])] = int(line["number"])
            elif kind == "event":
                events.append({key: value for key, value in line.items() if key != "type"})
            elif kind == "end":
                training.update(line.get("training") or {})
        counts.update(own)
        processes.extend(_process(lines))
    return Gathered(
        tuple(_seen(line["code"], line, counts[key]) for key, line in facts.items()),
        tuple(_seen(line["what"], line, counts[key]) for key, line in reached.items()),
        tuple(events),
        tuple(processes),
        dict(training),
    )


def _process(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    begun = next((line for line in lines if line.get("type") == "process"), None)
    if begun is None:
        return []
    kinds = {line.get("type") for line in lines}
    return [
        {
            **{key: value for key, value in begun.items() if key != "type"},
            "ended": "end" in kinds,
            "failed": next(
                (line.get("failed") for line in lines if line.get("type") == "end"), None
            ),
            "saw": bool(kinds & {"fact", "site"}),
            "children": [
                {"pid": line["pid"], "argv": line["argv"]}
                for line in lines
                if line.get("type") == "child"
            ],
        }
    ]


def _seen(what: str, line: Mapping[str, Any], count: int) -> Seen:
    others = [*line.get("related", ()), *line.get("callers", ())]
    return Seen(
        what,
        Site(**line["site"]),
        tuple(Site(**other) for other in others),
        count,
        {key: value for key, value in line.items() if key not in ("type", "key", "site")},
    )
