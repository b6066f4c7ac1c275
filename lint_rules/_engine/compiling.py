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
    """Reads a file and compiles it; a notebook's cells as one module, which may await at the top.

    Raises:
        OSError: It cannot be read.
        SourceError: Its bytes are no text, or no notebook.
    """
    raw = file.read()
    is_notebook = file.name.endswith(SUFFIX)
    text: str | bytes = read(raw).source.text if is_notebook else raw
    if not is_notebook:
        decode(raw)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if is_notebook else 0
    problem = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, file.name, "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        problem = str(error)
    return Content(file.name, hashlib.sha256(raw).hexdigest(), problem)
