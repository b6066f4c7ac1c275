"""Records of generated text that were written without saying what generated it."""

from __future__ import annotations

import json
from array import array
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from cleanguard.catalogue import hazards
from guard.observing.events import Decode, Generate, Write
from guard.tracing.facts import Fact, places

_RECORDS = frozenset(
    {
        ".json",
        ".jsonl",
        ".ndjson",
        ".csv",
        ".tsv",
        ".txt",
        ".yaml",
        ".yml",
        ".xml",
        ".html",
        ".md",
        "",
    }
)
_MOST_OUTPUTS = 256
_MOST_TEXTS = 64
_MOST_FILES = 256
_LARGEST = 32 * 2**20
# Shorter ones ("Yes", "42") stand in files that have nothing to do with them.
_SHORTEST, _LONGEST = 8, 48


class Records:
    """Knows what was generated and which files were written; reads these at the end of the run.

    Files are read and not watched: json, csv, pandas and a plain `write` leave the same text behind.
    """

    def __init__(self) -> None:
        self._outputs: deque[tuple[bytes, int]] = deque(maxlen=_MOST_OUTPUTS)
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=_MOST_TEXTS)
        self._files: dict[str, Write] = {}

    def generated(self, generate: Generate) -> None:
        """Remember the ids that came back, and the texts of an engine that decodes itself."""
        for row in generate.output:
            self._outputs.append((_bytes(row), generate.prompt_length * _WIDTH))
        for text in generate.said:
            self._text(text)

    def decoded(self, decode: Decode) -> None:
        """Remember a text that was decoded from generated ids."""
        for row, text in zip(decode.ids, decode.texts, strict=False):
            wanted = _bytes(row)
            if wanted and any(_reaches(wanted, output, begin) for output, begin in self._outputs):
                self._text(text)

    def written(self, write: Write) -> None:
        """Remember a file; one that is opened again stands at its first place."""
        wanted = not write.guarded and Path(write.file).suffix.lower() in _RECORDS
        if wanted and len(self._files) < _MOST_FILES:
            self._files.setdefault(write.file, write)

    def closing(self) -> Iterator[Fact]:
        """The files that hold a generated text and no provenance."""
        probes = [shown for text in (*self._first, *self._last) for shown in _shown(text)]
        for file, write in self._files.items():
            content = _content(Path(file)) if probes else ""
            found = next((probe for probe in probes if probe in content), None)
            if found is None or "provenance" in content:
                continue
            yield Fact(
                hazards.DROPPED_PROVENANCE,
                "warning",
                write.site,
                f"generated text was written to {Path(file).name} and nothing says which model, "
                "tokenizer and settings it came from",
                places(write),
                MappingProxyType({"file": file, "text": found}),
                "write it with `guard.JsonlWriter`, or keep the trace that `--save` writes beside it",
            )

    def _text(self, text: str) -> None:
        if len(self._first) < _MOST_TEXTS:
            self._first.append(text)
        else:
            self._last.append(text)


_WIDTH = array("q").itemsize


def _bytes(row: tuple[int, ...]) -> bytes:
    """Ids so that a run of them is found as a piece of the bytes."""
    return array("q", row).tobytes()


def _reaches(wanted: bytes, output: bytes, begin: int) -> bool:
    """Whether a run of ids stands in an output and reaches behind the prompt."""
    at = output.find(wanted)
    while at >= 0:
        if at % _WIDTH == 0 and at + len(wanted) > begin:
            return True
        at = output.find(wanted, at + 1)
    return False


def _shown(text: str) -> tuple[str, ...]:
    """The longest line of a text as files hold it: as it is, in JSON, in CSV."""
    line = max(text.split("\n"), key=lambda one: len(one.strip())).strip()[:_LONGEST]
    if len(line) < _SHORTEST:
        return ()
    return tuple(dict.fromkeys((line, json.dumps(line)[1:-1], line.replace('"', '""'))))


def _content(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            return ""
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
