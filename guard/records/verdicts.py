"""What `cleanguard verify` can say of a file: the kinds of problems, a problem, the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cleanguard.catalogue import hazards

Kind = Literal[
    "no-statement", "broken-statement", "edited-file", "edited-statement", "unsealed", "unreadable-record",
    "no-provenance", "edited-record", "missing-record", "unknown-load", "overridden-check", "lifted-guard",
    "doubled-key", "secret", "unsigned",
]  # fmt: skip
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]
CODE = hazards.DROPPED_PROVENANCE.code


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, or one record of it, cannot be relied on.

    Attributes:
        kind: What is wrong, in kebab-case.
        reason: In words.
        line: The record's line, from 1; None where it is about the whole file.
        key: The record's key.
        code: The hazard that it bears on.
    """

    kind: Kind
    reason: str
    line: int | None = None
    key: str | None = None
    code: str = CODE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about one file.

    Attributes:
        path: The file.
        records: How many records it has; None if it is no file of records.
        runs: How many runs wrote it.
        models: The model ids of its loads.
        problems: Why it cannot be relied on; empty if it can.
        notes: What is worth knowing and no fault.
    """

    path: str
    records: int | None
    runs: int
    models: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems
