"""What of a notebook's cell is Python: as many lines as the cell has, the others replaced."""

from __future__ import annotations

import ast
import keyword
import re
import textwrap
import warnings
from dataclasses import dataclass, field
from typing import Literal

from lint_rules._run.cell_end import end_of
from lint_rules._run.line_magics import AUTOMATIC

Kind = Literal["python", "file", "none"]

_LINE_MAGIC = re.compile(r"^(?P<indent>\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
# Line magics before a statement, which keeps its columns behind `if 1:`.
_TIMED = re.compile(
    r"^(?P<indent>\s*)(?P<magic>%(?:time|timeit|prun|memit)\s+(?:-\w+(?:\s*\d+)?\s+)*)(?=[^\s-])"
)
_ASSIGNED = re.compile(r"^(?P<target>\s*[\w.\[\]'\", ]+=\s*)[%!](?!=).*$")
# Cell magics whose cell is Python all the same.
_PYTHON_CELLS = re.compile(r"^\s*%%(time|timeit|capture|prun|memit|mprun|python3?|py)\b")
_FILE_CELLS = re.compile(
    r"^\s*%%(?:writefile|file)\s+(?:-a\s+)?(?P<quote>['\"]?)\S+\.py(?P=quote)\s*$"
)
# A question about an object ends its line, whatever stands before: `x = obj?`.
_QUESTION = re.compile(r"^(?P<indent>\s*)[^#]*[\w*)\]]\?{1,2}\s*;?\s*$")
_PROMPT = re.compile(r"(?:>>>|\.\.\.)(?: |$)|In \[\d*\]: ?| *\.{3,}: ?")
_FIRST_PROMPT = re.compile(r">>>(?: |$)|In \[\d*\]: ?")
_WORD = re.compile(r"^(?P<indent>\s*)(?P<word>[A-Za-z_]\w*)\b")
_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(slots=True)
class Cell:
    """A cell as Python.

    Attributes:
        kind: Part of the notebook's module, a file of its own (`%%writefile x.py`), or no Python.
        lines: As many as the cell has.
        plain: Those that are the cell's own; edits may touch no other.
        shift: By how many characters lines are shorter than the cell's, where prompts were cut off.
        problem: Why it is no Python, with row and column (1-based); its lines are empty then.
    """

    kind: Kind
    lines: list[str]
    plain: set[int]
    shift: dict[int, int] = field(default_factory=dict)
    problem: tuple[str, int, int] | None = None


def read_cell(text: str) -> Cell:
    """A cell's Python.

    Args:
        text: The cell as it stands, its lines separated by `\\n`.
    """
    lines = text.split("\n")
    cell = Cell("python", list(lines), set(range(len(lines))))
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return cell
    if lines[first].lstrip().startswith("%%"):
        if _FILE_CELLS.match(lines[first]):
            cell.kind = "file"
            _replace(cell, first, "")
            _judge(cell, 0)
            return cell
        if not _PYTHON_CELLS.match(lines[first]):
            return Cell("none", [""] * len(lines), set())
        _replace(cell, first, "pass")
    elif _FIRST_PROMPT.match(lines[first]):
        _cut_prompts(cell)
    _replace_magics(cell)
    _judge(cell, first)
    return cell


def _replace(cell: Cell, index: int, line: str) -> None:
    cell.lines[index] = line
    cell.plain.discard(index)


def _cut_prompts(cell: Cell) -> None:
    for index, line in enumerate(cell.lines):
        prompt = _PROMPT.match(line)
        if prompt is not None:
            cell.shift[index] = prompt.end()
            _replace(cell, index, line[prompt.end() :])


def _replace_magics(cell: Cell) -> None:
    continued = False
    closed = 0  # no bracket is open before this line
    for index, line in enumerate(list(cell.lines)):
        was_continued, continued = continued, False
        if was_continued:
            _replace(cell, index, "")
            continued = line.endswith("\\")
            continue
        new = _magic(line)
        if new is None:
            continue
        if new == line or _is_open("\n".join(cell.lines[closed:index])):
            continue
        closed = index
        _replace(cell, index, new)
        continued = not new.lstrip().startswith("if 1:") and line.endswith("\\")


def _magic(line: str) -> str | None:
    """What stands for a line that is no Python by itself; None where it may be."""
    magic = _LINE_MAGIC.match(line)
    if magic is not None:
        return _timed(line) or f"{magic['indent']}{_names_in_shell(line)}"
    assigned = _ASSIGNED.match(line)
    if assigned is not None:
        return f"{assigned['target']}None"
    question = _QUESTION.match(line)
    if question is not None and not _parses(line.strip()):
        return f"{question['indent']}pass"
    word = _WORD.match(line)
    if word is not None and word["word"] in AUTOMATIC and not _begins_statement(line):
        return f"{word['indent']}pass"
    return None


def _begins_statement(line: str) -> bool:
    """Whether a line that begins with the name of a magic is Python, or the beginning of it."""
    rest = line.strip()
    return _parses(rest) or _is_open(rest) or rest.endswith(("\\", ":", ","))


def _names_in_shell(line: str) -> str:
    """The names that a magic takes from Python, as in `!run {model}`, so that they count as used."""
    names = re.findall(r"\{\s*([^\W\d]\w*)|\$\{?([^\W\d]\w*)", line)
    found = [name for pair in names for name in pair if name and not keyword.iskeyword(name)]
    return f"({', '.join(found)},)" if found else "pass"


def _timed(line: str) -> str | None:
    """The statement behind `%time` and its like, in its columns; None where none stands there."""
    timed = _TIMED.match(line)
    if timed is None:
        return None
    statement = "if 1:".ljust(len(timed["magic"])) + line[timed.end() :]
    # Options that are not known here, another magic, half a statement.
    return timed["indent"] + statement if _parses(statement) else None


def _judge(cell: Cell, first: int) -> None:
    """Empties a cell that is no Python, and what stands behind its end; names count as used."""
    text = "\n".join(cell.lines)
    try:
        tree = _parse(text)
    except SyntaxError as error:
        row = min(max(error.lineno or 1, 1), len(cell.lines))
        column = max(error.offset or 1, 1) + cell.shift.get(row - 1, 0)
        cell.problem = f"syntax error: {error.msg}", row, column
    except (ValueError, RecursionError, MemoryError):
        cell.problem = "nested too deeply to be read", 1, 1
    if cell.problem is not None:
        _empty(cell, first, text)
        return
    end = end_of(tree) if cell.kind == "python" else None
    if end is not None:
        if end.row <= len(cell.lines):
            _empty(cell, end.row - 1, "\n".join(cell.lines[end.row - 1 :]))
        for statement in end.statements:
            _blunt(cell, statement)


def _empty(cell: Cell, start: int, text: str) -> None:
    """Leaves nothing from a line on but the names that stood there."""
    for index in range(start, len(cell.lines)):
        _replace(cell, index, "")
    cell.lines[start] = _mentions(text, "")


def _blunt(cell: Cell, node: ast.stmt) -> None:
    """Puts something in a statement's place behind which the walk goes on."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = cell.lines[first].encode()[: node.col_offset].decode()
    after = cell.lines[last].encode()[node.end_col_offset or 0 :].decode()
    words = _mentions("\n".join(cell.lines[first : last + 1]), "pass")
    for index in range(first, last + 1):
        _replace(cell, index, "")
    cell.lines[first] = f"{before}{words}{after}" if first == last else f"{before}{words}"


def _mentions(text: str, otherwise: str) -> str:
    """The names in a text as an expression, so that they count as used."""
    names = dict.fromkeys(name for name in _NAME.findall(text) if not keyword.iskeyword(name))
    return f"({', '.join(names)},)" if names else otherwise


def _is_open(before: str) -> bool:
    """Whether a bracket or a text goes on in the next line, so that a `%` there is Python's."""
    try:
        _parse(textwrap.dedent(before))
    except SyntaxError as error:
        return "never closed" in error.msg or "unterminated triple-quoted" in error.msg
    except (ValueError, RecursionError, MemoryError):
        pass
    return False


def _parses(text: str) -> bool:
    try:
        _parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's cells
        return ast.parse(text)
