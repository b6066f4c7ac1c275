"""The code of a notebook as one module, or a file that one of its cells writes."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.editing.json_sources import find_sources, rewritten, same_but
from codemods.plan.edits import Edit, apply
from lint_rules._run.notebook import CodeCell, Notebook, code_cells, normal, read
from lint_rules._run.source import Source, SourceError

_START = Position(1, 1)


class NotebookDocument:
    """One of a notebook's modules.

    Args:
        raw: The file's bytes.
        index: Which of its modules.

    Raises:
        SourceError: The bytes are no notebook.
    """

    def __init__(self, raw: bytes, index: int = 0) -> None:
        self.raw = raw
        self.notebook: Notebook = read(raw)
        self._index = index
        self.source: Source = self.notebook.sources[index]
        utf8 = self.source.text.encode()
        lines = utf8.splitlines(keepends=True)
        self._rows = [0, *accumulate(map(len, lines))]  # where each line of the module begins
        ends = [*self.notebook.starts[1:], len(lines)]
        self._starts = [self._rows[row] for row in self.notebook.starts]
        self._ends = [self._rows[row] - 1 for row in ends]  # before the line end that joins cells
        self._utf8 = utf8

    @property
    def cells(self) -> Sequence[int]:
        """See `Document`."""
        return self._starts

    def again(self, raw: bytes) -> NotebookDocument:
        """See `Document`."""
        return NotebookDocument(raw, self._index)

    def place(self, row: int) -> Position | None:
        """Cell and line of a line of the module."""
        return self.notebook.place(Position(row, 1))

    @contextmanager
    def placed_errors(self) -> Iterator[None]:
        """What is raised inside names cell and line."""
        try:
            yield
        except SourceError as error:
            place = self.notebook.place(error.position)
            raise SourceError(str(error), place, error.remedy) from error

    def holds(self, number: int) -> bool:
        """Whether a cell, by its number in the notebook, is of this module."""
        cell = self.notebook.cells[self.notebook.numbers.index(number)]
        files = [one for one in self.notebook.cells if one.kind == "file"]
        return cell is files[self._index - 1] if self._index else cell.kind == "python"

    def unplaced(self, finding: Finding) -> Finding:
        """A finding of a cell at its rows of the module."""
        above = self.notebook.starts[self.notebook.numbers.index(finding.location.cell)]
        start, end = (
            Position(place.row + above, place.column)
            for place in (finding.location, finding.end_location)
        )
        return replace(finding, location=start, end_location=end)

    @property
    def foreign(self) -> frozenset[int]:
        """The lines of the module that are not the cells' own: they stand for magics."""
        return frozenset(
            start + line + 1
            for start, cell in zip(self.notebook.starts, self.notebook.cells, strict=True)
            for line in range(len(cell.lines))
            if line not in cell.plain
        )

    # --- edits of the module

    def fitted(self, edits: Sequence[Edit]) -> list[Edit]:
        """The edits, each within a cell: what joins the cells stays, and so does every magic.

        Raises:
            SourceError: One would write across cells, or touch a magic.
        """
        found: list[Edit] = []
        for edit in sorted(edits):
            for part in self._parts(edit):
                found.append(self._closed(part, found))
        for edit in found:
            self._refuse_magics(edit)
        return [edit for edit in found if edit.text or edit.end > edit.start]

    def _parts(self, edit: Edit) -> list[Edit]:
        cell = self._cell_at(edit.start)
        if edit.start == edit.end:
            return [self._arriving(edit, cell)]
        if edit.end <= self._ends[cell]:
            return [edit]
        text = edit.text
        if text and edit.end > self._ends[cell]:
            text = text.removesuffix("\n")
        parts = [Edit(edit.start, self._ends[cell], text)]
        for later in range(cell + 1, self._cell_at(edit.end) + 1):
            part = Edit(self._starts[later], min(edit.end, self._ends[later]))
            if not self._utf8[part.start : part.end].strip():
                continue  # blank lines of a cell are its own
            if text:
                raise SourceError("a rewrite would reach from one cell into the next", _START)
            parts.append(part)
        return parts

    def _arriving(self, edit: Edit, cell: int) -> Edit:
        """Whole lines that come in: below a cell's magic, imports with those of the cell before."""
        if edit.start > self._ends[cell]:  # below all cells
            end = self._ends[cell]
            first = "" if end == self._starts[cell] else "\n"
            return Edit(end, end, first + edit.text.removesuffix("\n"))
        at_start = edit.start == self._starts[cell]
        imports = edit.text.startswith(("from ", "import "))
        before = cell - 1
        if at_start and imports and before >= 0 and self._is_code(before):
            text = edit.text.removesuffix("\n")
            return Edit(self._ends[before], self._ends[before], f"\n{text}")
        lines = self.notebook.cells[cell]
        row = self._row_at(edit.start) - self.notebook.starts[cell]
        blank = not any(line.strip() for line in lines.lines[:row])
        if (
            blank
            and row not in lines.plain
            and lines.lines[row] == "pass"
            and lines.kind == "python"
        ):
            below = self._rows[min(self.notebook.starts[cell] + row + 1, len(self._rows) - 1)]
            if below > self._ends[cell]:
                return Edit(self._ends[cell], self._ends[cell], "\n" + edit.text.removesuffix("\n"))
            return Edit(below, below, edit.text)
        return edit

    def _is_code(self, cell: int) -> bool:
        lines = self.notebook.cells[cell]
        return lines.kind == "python" and any(lines.lines[line].strip() for line in lines.plain)

    def _closed(self, edit: Edit, before: list[Edit]) -> Edit:
        """A deletion at the end of a cell takes the line end before it along."""
        cell = self._cell_at(edit.start)
        at_end = edit.end == self._ends[cell] and edit.start > self._starts[cell]
        if edit.text or not at_end or self._utf8[edit.start - 1 : edit.start] != b"\n":
            return edit
        if before and before[-1].end == edit.start:
            last = before.pop()
            before.append(Edit(last.start, last.end, last.text.removesuffix("\n")))
            return edit
        return Edit(edit.start - 1, edit.end)

    def _refuse_magics(self, edit: Edit) -> None:
        cell = self._cell_at(edit.start)
        lines = self.notebook.cells[cell]
        first = self._row_at(edit.start) - self.notebook.starts[cell]
        last = self._row_at(max(edit.end - 1, edit.start)) - self.notebook.starts[cell]
        insertion = edit.start == edit.end
        inside = edit.start != self._rows[self._row_at(edit.start)]
        at_end = edit.start == self._ends[cell]
        if insertion and (not inside or at_end) and lines.kind != "none":
            return
        # The line end before a deletion may be a magic's.
        if not insertion and self._utf8[edit.start : edit.start + 1] == b"\n" and first < last:
            first += 1
        if not set(range(first, last + 1)) <= lines.plain:
            raise SourceError("a rewrite would touch a line that is no plain Python", _START)

    def _cell_at(self, offset: int) -> int:
        return max(0, bisect_right(self._starts, offset) - 1)

    def _row_at(self, offset: int) -> int:
        """The line of the module, from 0."""
        return min(bisect_right(self._rows, offset) - 1, max(len(self._rows) - 2, 0))

    # --- edits of the file

    def written(self, edits: Sequence[Edit]) -> bytes:
        """See `Document`."""
        encoding = json.detect_encoding(self.raw)
        text = self.raw.decode(encoding, "surrogatepass")
        data = json.loads(text)
        cells = code_cells(data)
        by_cell: dict[int, list[Edit]] = defaultdict(list)
        for edit in sorted(edits):
            by_cell[self._cell_at(edit.start)].append(edit)
        spans = find_sources(text, [cells[index].path for index in by_cell])
        pieces: list[str] = []
        at = 0
        for index in sorted(by_cell, key=lambda index: spans[cells[index].path].start):
            span = spans[cells[index].path]
            own = self._in_source(cells[index], index, by_cell[index])
            pieces += [text[at : span.start], rewritten(text, span, own)]
            at = span.end
        after = "".join([*pieces, text[at:]])
        self._compare(data, after, [cells[index].path for index in by_cell], edits)
        done = after.encode(encoding, "surrogatepass")
        if text.encode(encoding, "surrogatepass") != self.raw:
            raise SourceError(
                f"encoding it as {encoding} again does not give the same bytes", _START
            )
        return done

    def _in_source(
        self, cell: CodeCell, index: int, edits: Sequence[Edit]
    ) -> list[tuple[int, int, str]]:
        """Edits of the module as edits of a cell's text as it stands in the file."""
        lines = normal(cell.text).split("\n")
        begins = [0, *accumulate(len(line) + 1 for line in lines)]
        places = _original_places(cell.text)
        ending = "\r\n" if "\r\n" in cell.text else "\n"

        def place(offset: int, *, above: bool) -> int:
            row = self._row_at(offset)
            line = row - self.notebook.starts[index]
            column = len(self._utf8[self._rows[row] : offset].decode())
            # A line that stands for a magic has another length; its end is the magic's.
            if not above and self._utf8[offset : offset + 1] == b"\n":
                column = len(lines[line])
            return places[begins[line] + column]

        found: list[tuple[int, int, str]] = []
        for edit in edits:
            above = edit.start == edit.end and edit.text.endswith("\n")
            start, end = place(edit.start, above=above), place(edit.end, above=above)
            found.append((start, end, edit.text.replace("\n", ending)))
        return found

    def _compare(
        self,
        before: object,
        after: str,
        paths: Sequence[tuple[str | int, ...]],
        edits: Sequence[Edit],
    ) -> None:
        """Nothing but the cells' sources may be another, and they what was planned.

        Raises:
            SourceError: That is not so.
        """
        found = read(after.encode("utf-8", "surrogatepass")).sources[self._index].text
        if found.encode() != apply(self._utf8, edits) or not same_but(
            before, json.loads(after), paths
        ):
            raise SourceError("the cells could not be written as planned", _START)


def _original_places(text: str) -> list[int]:
    """For each character of the normal form of a cell's text, and its end, where it stands in the text."""
    places: list[int] = []
    for at, letter in enumerate(text):
        if letter == "\0" or (letter == "\n" and text[at - 1 : at] == "\r"):
            continue
        places.append(at)
    return [*places, len(text)]
