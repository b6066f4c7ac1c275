"""What is migrated as one module: a script, or the code of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cleanguard.catalogue.findings import Position
from codemods.plan.edits import Edit
from lint_rules._run.source import Source, decode


class Document(Protocol):
    """Where a module's text stands, and how edits of it are written there."""

    @property
    def raw(self) -> bytes:
        """The file's bytes."""

    @property
    def source(self) -> Source:
        """The text that is planned."""

    @property
    def foreign(self) -> frozenset[int]:
        """The lines that are not the file's own, which no edit may touch."""

    @property
    def cells(self) -> Sequence[int]:
        """Where each cell of a notebook begins, in bytes of the text; empty for a script."""

    def place(self, row: int) -> Position | None:
        """Cell and line of a line of the text; None in a script."""

    def fitted(self, edits: Sequence[Edit]) -> list[Edit]:
        """The edits as they can be written.

        Raises:
            SourceError: One of them cannot.
        """

    def written(self, edits: Sequence[Edit]) -> bytes:
        """The file with fitted edits made, and nothing else changed.

        Raises:
            SourceError: They cannot be written in the file's encoding.
        """

    def again(self, raw: bytes) -> Document:
        """The same document of a file that was rewritten.

        Raises:
            SourceError: It cannot be read.
        """


class ScriptDocument:
    """A Python file.

    Raises:
        SourceError: It cannot be read.
    """

    foreign: frozenset[int] = frozenset()
    cells: Sequence[int] = ()

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.source = decode(raw)

    def place(self, _row: int) -> None:
        """None: lines are the file's."""

    def fitted(self, edits: Sequence[Edit]) -> list[Edit]:
        """All of them."""
        return list(edits)

    def written(self, edits: Sequence[Edit]) -> bytes:
        """See `Document`."""
        return self.source.edited(edits)

    def again(self, raw: bytes) -> ScriptDocument:
        """See `Document`."""
        return ScriptDocument(raw)
