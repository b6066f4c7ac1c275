"""Prints the findings of a check in the format, and to the place, that was asked for."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.fingerprints import Sources
from cleanguard.cli.checking.options import Colour
from cleanguard.cli.writing import write_out
from cleanguard.files import SourceFile
from cleanguard.report.formats import TEXT


@dataclass(frozen=True, slots=True)
class Output:
    """How findings are printed.

    Attributes:
        style: One of the output formats.
        file: Where to write them, standard output if None.
        statistics: Print how often each hazard was found instead.
        colour: Whether to colour; as the stream and the environment want it if None.
    """

    style: str
    file: Path | None = None
    statistics: bool = False
    colour: bool | None = None

    def print(
        self, findings: Sequence[Finding], checked: int, sources: Sources, stream: TextIO
    ) -> None:
        """Print findings to the file, or to the stream if there is none.

        Raises:
            JobError: The output file cannot be written.
        """
        if self.file is None:
            self._print(findings, checked, sources, stream)
            return
        # Rendered first: a report that fails half-way must not leave half a file.
        text = io.StringIO()
        self._print(findings, checked, sources, text)
        write_out(self.file, text.getvalue(), "cannot write the report")

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
        styled.write([*lines, *text.summary(findings, checked, width)], stream, self.colour)

    def print_fixed(self, codes: Mapping[str, int], verb: str) -> None:
        """To the error stream, so that patches and machine-readable reports stay what they are."""
        from cleanguard.report import styled, text

        styled.write(text.fixed(codes, verb), sys.stderr, self.colour)


def colour_of(choice: Colour) -> bool | None:
    """What `--color` says about colours."""
    return {"auto": None, "always": True, "never": False}[choice]


def sources_of(files: Sequence[SourceFile]) -> Sources:
    """The lines that findings are in, read when they are asked for."""
    contents = {file.name: file for file in files}

    @lru_cache(maxsize=1)
    def lines(name: str, cell: int) -> Sequence[str]:
        return cell_of(contents[name], cell) if cell else lines_of(contents[name])

    return lambda finding: lines(finding.filename, finding.location.cell)


def cell_of(file: SourceFile, cell: int) -> Sequence[str]:
    """The lines of a notebook's cell."""
    from lint_rules._run.notebook import cells
    from lint_rules._run.source import SourceError

    try:
        return dict(cells(file.read())).get(cell, "").split("\n")
    except (OSError, SourceError):
        return ()


def lines_of(file: SourceFile) -> Sequence[str]:
    """A file's lines as Python counts them, however broken the file is."""
    try:
        raw = file.read()
    except OSError:
        return ()
    from lint_rules._run.source import readable

    return readable(raw).replace("\r\n", "\n").replace("\r", "\n").split("\n")
