"""Reads a Jupyter notebook as Python modules, and says in which cell a place is."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cleanguard.catalogue.findings import Finding, Position
from lint_rules._run.magics import Cell, read_cell
from lint_rules._run.source import Source, SourceError

SUFFIX = ".ipynb"
_START = Position(1, 1)
# What the language of a single cell is called, by the editor or kernel that put it there.
_LANGUAGES = (
    ("vscode", "languageId"),
    ("dotnet_interactive", "language"),
    ("polyglot_notebook", "kernelName"),
)
_LINE_ENDS = re.compile(r"\r\n|\r")


@dataclass(frozen=True, slots=True)
class CodeCell:
    """A code cell as it stands in the file.

    Attributes:
        number: Among all cells, from 1.
        path: The keys and indices of its source in the document.
        text: Its source as it stands there.
    """

    number: int
    path: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook's code.

    Attributes:
        sources: All code cells as one module; then each that writes a Python file (`%%writefile x.py`),
            for which the others are empty. All have the same number of lines.
        cells: The code cells, as far as they are Python.
        starts: The module row before each code cell's first line.
        numbers: Each code cell's number among all cells, from 1.
    """

    sources: tuple[Source, ...]
    cells: tuple[Cell, ...]
    starts: tuple[int, ...]
    numbers: tuple[int, ...]

    @property
    def source(self) -> Source:
        """The module."""
        return self.sources[0]

    def place(self, position: Position) -> Position:
        """A place of a module as row and column of a cell."""
        if not self.starts:
            return position
        index = max(0, bisect_right(self.starts, position.row - 1) - 1)
        row = position.row - self.starts[index]
        column = position.column + self.cells[index].shift.get(row - 1, 0)
        return Position(row, column, self.numbers[index])

    def placed(self, finding: Finding) -> Finding:
        """A finding of a module as one of its cell; no fix is made in notebooks."""
        return replace(
            finding,
            location=self.place(finding.location),
            end_location=self.place(finding.end_location),
            fix=None,
        )

    @property
    def problems(self) -> list[tuple[str, Position]]:
        """The cells that are no Python: why, and where."""
        return [
            (cell.problem[0], Position(cell.problem[1], cell.problem[2], number))
            for cell, number in zip(self.cells, self.numbers, strict=True)
            if cell.problem is not None
        ]


def read(raw: bytes) -> Notebook:
    """The code of a notebook; none for one in another language.

    Raises:
        SourceError: The bytes are no notebook.
    """
    found = [(number, read_cell(text)) for number, text in cells(raw)]
    starts: list[int] = []
    row = 0
    for _, cell in found:
        starts.append(row)
        row += len(cell.lines)
    every = [cell for _, cell in found]
    files = [cell for cell in every if cell.kind == "file"]
    texts = [_module(every, [cell for cell in every if cell.kind == "python"])]
    texts += [_module(every, [cell]) for cell in files]
    return Notebook(
        tuple(Source(text.encode(), text, "utf-8", bom=False) for text in texts),
        tuple(every),
        tuple(starts),
        tuple(number for number, _ in found),
    )


def _module(every: Iterable[Cell], wanted: Iterable[Cell]) -> str:
    """Some of the cells as a module in which the others are empty lines."""
    chosen = {id(cell) for cell in wanted}
    lines = [line if id(cell) in chosen else "" for cell in every for line in cell.lines]
    return "".join(f"{line}\n" for line in lines)


def cells(raw: bytes) -> list[tuple[int, str]]:
    """The code cells of a Python notebook with their numbers, lines ended by `\\n`.

    Raises:
        SourceError: The bytes are no notebook.
    """
    try:
        data = json.loads(raw)
    except UnicodeDecodeError as error:
        raise SourceError("the notebook is not UTF-8", _START) from error
    except json.JSONDecodeError as error:
        message = f"the notebook is not JSON: {error.msg}"
        raise SourceError(message, Position(error.lineno, error.colno)) from error
    except RecursionError as error:
        raise SourceError("nested too deeply to be read", _START) from error
    except ValueError as error:
        raise SourceError("a number of thousands of digits; shorten it", _START) from error
    try:
        return [(cell.number, normal(cell.text)) for cell in code_cells(data)]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise SourceError(f"JSON, but no notebook{_fault(data)}", _START) from error


def plain_bytes(filename: str, raw: bytes) -> bytes:
    """A file's bytes to look for words in: of a notebook, whose JSON may be in UTF-16 or UTF-32, in UTF-8."""
    encoding = json.detect_encoding(raw) if filename.endswith(SUFFIX) else "utf-8"
    if encoding.startswith("utf-8"):
        return raw
    return raw.decode(encoding, "replace").encode("utf-8", "replace")


def code_cells(data: Any) -> list[CodeCell]:
    """The code cells of a notebook's document that are Python; a notebook of format 3 has worksheets.

    Raises:
        KeyError, TypeError, IndexError, AttributeError: It is no notebook.
    """
    if not _is_python(data["metadata"]):
        return []
    if "cells" in data:
        places: list[tuple[tuple[str | int, ...], Any]] = [(("cells",), data["cells"])]
    else:
        sheets = data["worksheets"]
        places = [(("worksheets", at, "cells"), sheet["cells"]) for at, sheet in enumerate(sheets)]
    found: list[CodeCell] = []
    number = 0
    for path, cells_there in places:
        for at, cell in enumerate(cells_there):
            number += 1
            if cell["cell_type"] == "code" and _speaks_python(cell):
                key = "source" if "source" in cell else "input"
                source = cell[key]
                text = source if isinstance(source, str) else "".join(source)
                found.append(CodeCell(number, (*path, at, key), text))
    return found


def _fault(data: Any) -> str:
    """What keeps a document from being a notebook, behind a colon; empty where that is something rare."""
    if not isinstance(data, dict):
        return f": {_called(data)} where an object should be"
    for key in ("metadata", "cells" if "worksheets" not in data else "worksheets"):
        if key not in data:
            return f": it has no `{key}`"
    if not isinstance(data["metadata"], dict):
        return f": `metadata` is {_called(data['metadata'])}"
    sheets = [data] if "cells" in data else data["worksheets"]
    cells_there = [one.get("cells") if isinstance(one, dict) else None for one in sheets]
    number = 0
    for group in cells_there:
        if not isinstance(group, list):
            return f": `cells` is {_called(group)}, not a list"
        for cell in group:
            number += 1
            fault = _fault_of_cell(cell)
            if fault is not None:
                return f": cell {number} {fault}"
    return ""


def _fault_of_cell(cell: Any) -> str | None:
    if not isinstance(cell, dict):
        return f"is {_called(cell)}, not an object"
    if "cell_type" not in cell:
        return "has no `cell_type`"
    if cell["cell_type"] != "code":
        return None
    key = next((key for key in ("source", "input") if key in cell), None)
    if key is None:
        return "has no `source`"
    source = cell[key]
    if isinstance(source, list):
        odd = next((line for line in source if not isinstance(line, str)), "")
        return None if odd == "" else f"has {_called(odd)} among the lines of its `{key}`"
    return None if isinstance(source, str) else f"has {_called(source)} as its `{key}`"


def _called(value: object) -> str:
    """What JSON calls a value."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")


def normal(text: str) -> str:
    """A cell's text with lines that end in `\\n`, and without what no source may hold."""
    text = _LINE_ENDS.sub("\n", text).replace("\0", "")
    return "".join("?" if "\ud800" <= c <= "\udfff" else c for c in text) if _is_odd(text) else text


def _is_odd(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _is_python(metadata: Mapping[str, Any]) -> bool:
    kernel = metadata.get("kernelspec", {}).get("language")
    language = metadata.get("language_info", {}).get("name", kernel)
    return _names_python(language)


def _names_python(language: object) -> bool:
    """Whether a language is Python; what is not said is, and what is no name says nothing."""
    return not isinstance(language, str) or language.lower().startswith(("python", "ipython"))


def _speaks_python(cell: Mapping[str, Any]) -> bool:
    metadata = cell.get("metadata", {})
    languages = [cell.get("language")]
    for group, key in _LANGUAGES:
        inner = metadata.get(group)
        languages.append(inner.get(key) if isinstance(inner, dict) else None)
    languages.append(metadata.get("kernel"))  # of a notebook with several kernels
    return all(map(_names_python, languages))
