"""What came of the cases of a run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What must not come of any case, whatever its kind.
WRONG = frozenset(
    [
        "internal error",
        "over 20 s",
        "bytes outside the edits",
        "a second run changes it",
        "a comment is lost",
        "does not compile",
        "findings differ",
        "torn",
        "lost record",
        "unseen change",
        "not resumed",
    ]
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one case.

    Attributes:
        said: What came of it, in a word or two.
        seconds: Processor time.
        detail: More about it, where something is wrong.
    """

    said: str
    seconds: float = 0.0
    detail: str = ""


@dataclass(slots=True)
class Tally:
    """Of many cases.

    Attributes:
        counts: Cases by what came of them.
        longest: Processor time of the longest, in seconds.
        seconds: Of all.
        wrong: What must not be: the case's number, what came of it, more about it.
    """

    counts: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    seconds: float = 0.0
    wrong: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, number: int, outcome: Outcome) -> None:
        """Count a case."""
        self.counts[outcome.said] += 1
        self.longest = max(self.longest, outcome.seconds)
        self.seconds += outcome.seconds
        if outcome.said in WRONG:
            self.wrong.append((number, outcome.said, outcome.detail))

    @property
    def cases(self) -> int:
        """How many were counted."""
        return sum(self.counts.values())


class Shards:
    """What earlier calls did, by shard, so that a run that was cut off goes on.

    Args:
        file: A line of JSON for each shard; None keeps nothing.
        name: Of the kind and the seed; shards of others do not count.
    """

    def __init__(self, file: Path | None, name: str) -> None:
        self._file, self._name = file, name
        self._done: dict[str, Tally] = {}
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                if row["run"] == name:
                    self._done[row["shard"]] = _tally(row["tally"])

    def get(self, shard: str) -> Tally | None:
        """What a shard gave, None if it was not done yet."""
        return self._done.get(shard)

    def put(self, shard: str, tally: Tally) -> None:
        """Keep a shard."""
        self._done[shard] = tally
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                said = {
                    name: getattr(tally, name) for name in ("counts", "longest", "seconds", "wrong")
                }
                row = {"run": self._name, "shard": shard, "tally": said}
                file.write(json.dumps(row) + "\n")


def _tally(row: dict[str, Any]) -> Tally:
    wrong = [(number, said, detail) for number, said, detail in row["wrong"]]
    return Tally(Counter(row["counts"]), row["longest"], row["seconds"], wrong)


def joined(tallies: list[Tally]) -> Tally:
    """All of them as one."""
    whole = Tally()
    for one in tallies:
        whole.counts += one.counts
        whole.longest = max(whole.longest, one.longest)
        whole.seconds += one.seconds
        whole.wrong += one.wrong
    return whole
