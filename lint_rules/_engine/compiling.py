"""Whether files compile, and what their content is, asked in a worker process."""

from __future__ import annotations

import ast
import hashlib
import warnings
from dataclasses import dataclass

from cleanguard.files import SourceFile
from lint_rules._run.notebook import SUFFIX, read
from lint_rules._run.source import decode


@dataclass(frozen=True, slots=True)
class Content:
    """A file's content.

    Attributes:
        name: The path as it was given.
        sha256: Of its bytes, in hexadecimal.
        problem: Why it does not compile, None where it does.
    """

    name: str
    sha256: str
    problem: str | None


def content_of(file: SourceFile) -> Content:
    """Reads a file and compiles it; of a notebook each cell, which may await at the top.

    Raises:
        OSError: It cannot be read.
        SourceError: Its bytes are no text, or no notebook.
    """
    raw = file.read()
    digest = hashlib.sha256(raw).hexdigest()
    if not file.name.endswith(SUFFIX):
        decode(raw)
        return Content(file.name, digest, _problem(raw, file.name, 0))
    notebook = read(raw)
    for reason, place in notebook.problems:
        return Content(file.name, digest, f"{reason} ({place})")
    for cell, number in zip(notebook.cells, notebook.numbers, strict=True):
        text = "\n".join(cell.lines)
        problem = _problem(text, f"cell {number}", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if problem is not None:
            return Content(file.name, digest, problem)
    return Content(file.name, digest, None)


def _problem(text: str | bytes, name: str, flags: int) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, name, "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return str(error)
    return None
