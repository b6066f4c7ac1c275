"""Reads a Jupyter notebook as one Python module, and says in which cell a place is."""

from __future__ import annotations

import ast
import json
import re
import warnings
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any

from cleanguard.catalogue.findings import Finding, Position
from lint_rules._run.source import Source, SourceError

SUFFIX = ".ipynb"

_LINE_MAGIC = re.compile(r"^(?P<indent>\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
# Line magics before a statement, which keeps its columns behind `if 1:`.
_TIMED = re.compile(
    r"^(?P<indent>\s*)(?P<magic>%(?:time|timeit|prun|memit)\s+(?:-\w+(?:\s*\d+)?\s+)*)(?=[^\s-])"
)
_ASSIGNED = re.compile(r"^(?P<target>\s*[\w.\[\]'\", ]+=\s*)[%!](?!=).*$")
# Cell magics whose cell is Python all the same.
_PYTHON_CELLS = re.compile(r"^\s*%%(time|timeit|capture|prun|memit|mprun|python3?|py)\b")


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook's code.

    Attributes:
        source: All code cells as one module.
        starts: The module row before each code cell's first line.
        numbers: Each code cell's number among all cells, from 1.
    """

    source: Source
    starts: tuple[int, ...]
    numbers: tuple[int, ...]

    def place(self, position: Position) -> Position:
        """A place of the module as row and column of a cell."""
        if not self.starts:
            return position
        index = max(0, bisect_right(self.starts, position.row - 1) - 1)
        return Position(position.row - self.starts[index], position.column, self.numbers[index])

    def placed(self, finding: Finding) -> Finding:
        """A finding of the module as one of its cell; nothing rewrites notebooks."""
        return replace(
            finding,
            location=self.place(finding.location),
            end_location=self.place(finding.end_location),
            fix=None,
        )


def read(raw: bytes) -> Notebook:
    """The code of a notebook; none for one in another language.

    Raises:
        SourceError: The bytes are no notebook.
    """
    texts: list[str] = []
    numbers: list[int] = []
    for number, text in cells(raw):
        texts.append(without_magics(text))
        numbers.append(number)
    starts: list[int] = []
    row = 0
    for text in texts:
        starts.append(row)
        row += text.count("\n") + 1
    module = "".join(f"{text}\n" for text in texts)
    source = Source(module.encode("utf-8", "replace"), module, "utf-8", bom=False)
    return Notebook(source, tuple(starts), tuple(numbers))


def cells(raw: bytes) -> list[tuple[int, str]]:
    """The code cells of a Python notebook with their numbers.

    Raises:
        SourceError: The bytes are no notebook.
    """
    start = Position(1, 1)
    try:
        data = json.loads(raw)
    except UnicodeDecodeError as error:
        raise SourceError("the notebook is not UTF-8", start) from error
    except json.JSONDecodeError as error:
        message = f"the notebook is not JSON: {error.msg}"
        raise SourceError(message, Position(error.lineno, error.colno)) from error
    except RecursionError as error:
        raise SourceError("nested too deeply to be read", start) from error
    try:
        if not _is_python(data["metadata"]):
            return []
        found = data["cells"] if "cells" in data else data["worksheets"][0]["cells"]
        return [
            (number, _text(cell))
            for number, cell in enumerate(found, start=1)
            if cell["cell_type"] == "code"
        ]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise SourceError("JSON, but no notebook", start) from error


def _is_python(metadata: dict[str, Any]) -> bool:
    kernel = metadata.get("kernelspec", {}).get("language")
    language = metadata.get("language_info", {}).get("name", kernel)
    return language in (None, "python", "ipython")


def _text(cell: dict[str, Any]) -> str:
    source = cell["source"] if "source" in cell else cell["input"]
    text = source if isinstance(source, str) else "".join(source)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _is_open(before: str) -> bool:
    """Whether a bracket or a text goes on in the next line, so that a `%` there is Python's."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(before)
    except SyntaxError as error:
        return "never closed" in error.msg or "unterminated triple-quoted" in error.msg
    except (ValueError, RecursionError, MemoryError):
        pass
    return False


def _timed(line: str) -> str | None:
    """The statement behind `%time` and its like, in its columns; None where none stands there."""
    timed = _TIMED.match(line)
    if timed is None:
        return None
    statement = "if 1:".ljust(len(timed["magic"])) + line[timed.end() :]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(statement)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # options that are not known here, another magic, half a statement
    return timed["indent"] + statement


def without_magics(text: str) -> str:
    """The cell with as many lines, those that are not Python replaced."""
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is not None and lines[first].lstrip().startswith("%%"):
        if not _PYTHON_CELLS.match(lines[first]):
            return "\n" * (len(lines) - 1)
        lines[first] = "pass"
    continued = False
    for index, line in enumerate(lines):
        was_continued, continued = continued, False
        magic = _LINE_MAGIC.match(line)
        if was_continued:
            lines[index], continued = "", line.endswith("\\")
        elif magic and not _is_open("\n".join(lines[:index])):
            timed = _timed(line)
            if timed is not None:
                lines[index] = timed
                continue
            lines[index], continued = f"{magic['indent']}pass", line.endswith("\\")
        elif assigned := _ASSIGNED.match(line):
            lines[index], continued = f"{assigned['target']}None", line.endswith("\\")
    return "\n".join(lines)
