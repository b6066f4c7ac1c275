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
        quiet: Leave the summary out.
        silent: Print nothing.
    """

    style: str
    file: Path | None = None
    statistics: bool = False
    colour: bool | None = None
    quiet: bool = False
    silent: bool = False

    def print(
        self, findings: Sequence[Finding], checked: int, sources: Sources, stream: TextIO
    ) -> None:
        """Print findings to the file, or to the stream if there is none.

        Raises:
            JobError: The output file cannot be written.
        """
        if self.silent and self.file is None:
            return
        if self.file is None:
            self._print(findings, checked, sources, stream)
            return
        from cleanguard.cli.writing import write_out

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
        elif self.style == "grouped":
            lines = text.grouped(findings)
        else:
            lines = text.full(findings, sources, width)
        summary = () if self.quiet else text.summary(findings, checked, width)
        styled.write([*lines, *summary], stream, self.colour)

    def print_fixed(
        self,
        codes: Mapping[str, int],
        verb: str,
        names: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        """To the error stream, so that patches and machine-readable reports stay what they are.

        Args:
            codes: How many findings of each code were fixed.
            verb: `Fixed` or `Would fix`.
            names: The same for each file, where that is to be listed.
        """
        from cleanguard.report import styled, text

        if self.quiet or self.silent:
            return
        lines = [*text.fixed(codes, verb), *text.fixed_in(names or {})]
        styled.write(lines, sys.stderr, self.colour)


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
