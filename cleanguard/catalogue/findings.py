"""What a check reports: one frozen value per finding, complete when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cleanguard.catalogue.hazards import Hazard, Severity
from cleanguard.editing.edits import Edit

Confidence = Literal["followed", "annotated", "named"]
Applicability = Literal["safe", "unsafe", "migrate"]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file: 1-based row, 1-based column counted in characters.

    Attributes:
        row: Line of the file, or of the cell.
        column: Character of the line.
        cell: Number of a notebook's cell; 0 in other files.
    """

    row: int
    column: int
    cell: int = 0

    def __str__(self) -> str:
        """`row:column`, with the cell before it in a notebook."""
        cell = f"cell {self.cell}:" if self.cell else ""
        return f"{cell}{self.row}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One edit of a fix in rows and columns, for reports: `text` instead of what stands between."""

    start: Position
    end: Position
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """What the tool could do about a finding, and with which command.

    Attributes:
        applicability: `safe` for `--fix`, `unsafe` for `--unsafe-fixes`, `migrate` for that command.
        message: What it would do, as an imperative.
        edits: The rewrite itself; empty where only `migrate` can plan it, and where a check was not
            asked for edits.
        changes: The same in rows and columns, where a report shows them.
    """

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...] = ()
    changes: tuple[Change, ...] = ()


TraceStatus = Literal["confirmed", "contradicted", "not reached", "only the run"]


@dataclass(frozen=True, slots=True)
class Traced:
    """What a trace says about a finding.

    Attributes:
        status: It was seen, its place ran and it was not, its place did not run, or only the run
            saw it.
        count: How often the hazard was seen.
        message: What was seen, with ids or settings; empty where nothing was.
    """

    status: TraceStatus
    count: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One hazard at one place.

    Attributes:
        hazard: The catalogue entry; its code and name are the finding's.
        severity: At most a warning when `confidence` is `named`.
        confidence: How the value was known: followed through the code, annotated, or guessed by name.
        filename: The path as it was given.
        location: First character of the call or statement.
        end_location: Position after its last character.
        message: What is wrong here, in one sentence.
        remedy: What to do here.
        fix: None where nothing can be rewritten.
        traced: What a trace says about it; None where none was asked.
        in_file: Of a finding in a notebook's cell: its beginning and end in the text of the file, where a
            report needs them; None elsewhere.
    """

    hazard: Hazard
    severity: Severity
    confidence: Confidence
    filename: str
    location: Position
    end_location: Position
    message: str
    remedy: str
    fix: Fix | None = None
    traced: Traced | None = None
    in_file: tuple[Position, Position] | None = None

    @property
    def code(self) -> str:
        """The hazard's code."""
        return self.hazard.code

    @property
    def name(self) -> str:
        """The hazard's name."""
        return self.hazard.name

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The rewrite of a safe or unsafe fix; never part of a report."""
        return self.fix.edits if self.fix else ()

    @property
    def shown(self) -> Position:
        """Where it begins in the file, for who shows files and knows no cells."""
        return self.in_file[0] if self.in_file else self.location

    @property
    def shown_end(self) -> Position:
        """Where it ends in the file."""
        return self.in_file[1] if self.in_file else self.end_location

    @property
    def is_placed(self) -> bool:
        """Whether `shown` is a place of the file; one in a notebook's cell is none."""
        return not self.location.cell or self.in_file is not None

    @property
    def told(self) -> str:
        """Message and remedy, and the place in a notebook, which no file's row says."""
        said = f"{self.message}; {self.remedy}"
        return f"{self.location}: {said}" if self.location.cell else said

    @property
    def sort_key(self) -> tuple[str, int, Position, str, str]:
        """Order of a report: file, place, code."""
        return (self.filename, self.location.cell, self.location, self.code, self.message)
