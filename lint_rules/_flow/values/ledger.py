"""Which parts of a module must be walked again: those that read what has changed since.

The parts are the module's body and its functions. They read and write each other's summaries: what a
function takes and returns, what a class's objects hold, an option parser's defaults.
"""

from __future__ import annotations

from collections.abc import Hashable

from lint_rules._flow.values.events import Event
from lint_rules._flow.values.joins import UNKNOWN, Value, join
from lint_rules._light import tree as cst

# A function, or None for the module's body.
Unit = cst.FunctionDef | None
# A summary: a function for its result, a class for its attributes, a tuple for others.
Summary = Hashable
Events = dict[tuple[type[Event], cst.CSTNode], Event]


class Ledger:
    """Keeps the reads of each part, the changes of each summary, and the events of each part.

    Attributes:
        units: The parts, in the order in which they are found, which may go on while they are walked.
        entangled: A part has read what is not kept here, so a change anywhere concerns all parts.
        events: Of the part that is being walked.
        clock: The number of changes so far.
    """

    def __init__(self) -> None:
        self.entangled = False
        self.events: Events = {}
        self.units: list[Unit] = [None]
        self._known: set[Unit] = {None}
        self.clock = 0
        self._changes: dict[Summary, int] = {}
        self._reads: dict[Unit, dict[Summary, int]] = {}
        self._events: dict[Unit, Events] = {}
        self._reading: dict[Summary, int] = {}
        self._begun: dict[Unit, int] = {}
        # What parts put into scopes that others read, and when that grew last.
        self._shared: dict[Summary, Value] = {}
        self._shared_change = 0

    def add(self, unit: Unit) -> None:
        """A part that may be known already."""
        if unit not in self._known:
            self._known.add(unit)
            self.units.append(unit)

    def begin(self, unit: Unit) -> None:
        """A part is walked now; what it read and recorded before is forgotten."""
        self._reading = self._reads[unit] = {}
        self.events = self._events[unit] = {}
        self._begun[unit] = self.clock

    def read(self, summary: Summary) -> None:
        """The part reads a summary, or says now what it will be compared with."""
        self._reading.setdefault(summary, self.clock)

    def change(self, summary: Summary) -> None:
        """A summary has grown."""
        self.clock += 1
        self._changes[summary] = self.clock

    def shared(self, name: Summary, value: Value) -> None:
        """A part puts a value into a scope that any other may read."""
        known = self._shared.get(name, UNKNOWN)
        merged = join(known, value)
        if merged != known:
            self._shared[name] = merged
            self.clock += 1
            self._shared_change = self.clock

    def shared_names(self, unit: Unit) -> list[tuple[str, Value]]:
        """The names of a part's scope that others put values into, with those."""
        return [
            (key[1], value)
            for key, value in self._shared.items()
            if isinstance(key, tuple) and key[0] is unit
        ]

    def suspend(self) -> tuple[dict[Summary, int], Events]:
        """Another part is walked in the middle of this one."""
        return self._reading, self.events

    def go_on(self, state: tuple[dict[Summary, int], Events]) -> None:
        """A suspended part is walked again."""
        self._reading, self.events = state

    def resume(self, unit: Unit) -> None:
        """A part that was walked before goes on to read and record."""
        self._reading = self._reads[unit]
        self.events = self._events[unit]

    def is_current(self, reads: dict[Summary, int], since: int, besides: Summary = None) -> bool:
        """Whether nothing of what was read from `since` on has changed."""
        if self._shared_change > since or (self.entangled and self.clock > since):
            return False
        changes = self._changes
        return all(
            changes.get(summary, 0) <= time for summary, time in reads.items() if summary != besides
        )

    def is_stale(self, unit: Unit, besides: Summary = None) -> bool:
        """Whether a part has read something that changed since, or was never walked.

        Args:
            unit: The part.
            besides: A summary that may have changed.
        """
        reads = self._reads.get(unit)
        return reads is None or not self.is_current(reads, self._begun[unit], besides)

    def swap(self, reads: dict[Summary, int]) -> dict[Summary, int]:
        """Collects reads elsewhere, and gives those collected so far."""
        outer, self._reading = self._reading, reads
        return outer

    def adopt(self, reads: dict[Summary, int]) -> None:
        """Adds the reads of an earlier walk whose outcome is used again."""
        for summary, time in reads.items():
            known = self._reading.get(summary)
            if known is None or time < known:
                self._reading[summary] = time

    def event(self, kind: type[Event], node: cst.CSTNode) -> Event | None:
        """The event of a node so far, in whichever part it is."""
        own = self.events.get((kind, node))
        if own is not None:
            return own
        self.entangled = True
        found = (events.get((kind, node)) for events in self._events.values())
        return next((event for event in found if event is not None), None)

    def made_by(self, unit: object) -> set[cst.CSTNode]:
        """The nodes of a part's events: what objects that it makes come from."""
        events = self._events.get(unit, {}) if isinstance(unit, cst.FunctionDef) else {}
        return {node for _, node in events}

    def all_events(self) -> Events:
        """The events of all parts, in the order of the parts."""
        return {
            key: event for unit in self.units for key, event in self._events.get(unit, {}).items()
        }
