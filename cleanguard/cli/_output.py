"""Prints the findings of a check in the format, and to the place, that was asked for."""

from __future__ import annotations

import io
import sys
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.findings import Finding
from cleanguard.fingerprints import Sources
from cleanguard.report.formats import TEXT


@dataclass(frozen=True, slots=True)
class Output:
    """How findings are printed.

    Attributes:
        style: One of the output formats.
        file: Where to write them, standard output if None.
        statistics: Print how often each hazard was found instead.
    """

    style: str
    file: Path | None = None
    statistics: bool = False

    def print(self, findings: Sequence[Finding], checked: int, sources: Sources) -> None:
        """Print findings.

        Raises:
            JobError: The output file cannot be written.
        """
        if self.file is None:
            self._print(findings, checked, sources, sys.stdout)
            return
        # Rendered first: a report that fails half-way must not leave half a file.
        text = io.StringIO()
        self._print(findings, checked, sources, text)
        try:
            self.file.write_text(text.getvalue(), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise JobError(f"{self.file}: cannot write the report: {reason}") from None

    def _print(
        self, findings: Sequence[Finding], checked: int, sources: Sources, stream: TextIO
    ) -> None:
        if self.style not in TEXT:
            from cleanguard.report import formats, statistics

            stream.write(
                statistics.as_json(findings)
                if self.statistics
                else formats.render(self.style, findings, sources)
            )
            return
        from cleanguard.report import styled, text

        width = styled.width_of(stream)
        if self.statistics:
            from cleanguard.report import statistics

            lines = statistics.lines(findings)
        elif self.style == "concise":
            lines = text.concise(findings)
        else:
            lines = text.full(findings, sources, width)
        styled.write([*lines, *text.summary(findings, checked, width)], stream)


def sources_of(files: Sequence[SourceFile]) -> Sources:
    """The lines of the files of a run by name, each read when it is asked for."""
    paths = {file.name: file.path for file in files}

    @lru_cache(maxsize=1)
    def sources(name: str) -> Sequence[str]:
        return lines_of(paths[name])

    return sources


def lines_of(path: Path) -> Sequence[str]:
    """A file's lines as Python counts them, however broken the file is."""
    try:
        with path.open("rb") as stream:
            encoding, _ = tokenize.detect_encoding(stream.readline)
    except (OSError, SyntaxError):
        encoding = "utf-8"
    try:
        return path.read_text(encoding=encoding, errors="replace").split("\n")
    except (OSError, LookupError):
        return ()
