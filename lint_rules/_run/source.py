"""Reads a file's bytes as Python source: encoding cookie, byte order mark, syntax."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
import warnings
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cleanguard.catalogue.findings import Position
from cleanguard.editing.edits import Edit, apply

# Characters; some hundred bytes of syntax tree for each come near the memory that a file may take.
_LARGE = 4_000_000
# Characters of a reason that quotes the file.
_LONGEST_REASON = 200
# Codecs that no two texts or bytes share.
_EXACT = frozenset({"utf-8", "ascii", "iso-8859-1"})
_LIMITS = ("too many nested parentheses", "too many levels of indentation")


class SourceError(Exception):
    """The bytes are not Python source that can be read.

    Args:
        message: Why.
        position: Where.
        remedy: What to do, if that is not to mend the file.
    """

    def __init__(self, message: str, position: Position, remedy: str | None = None) -> None:
        super().__init__(message)
        self.position = position
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Source:
    """Decoded source.

    Attributes:
        raw: The file's bytes.
        text: Decoded text without a byte order mark; line ends as in the file.
        encoding: Python's name of the encoding, without `-sig`.
        bom: The file starts with a UTF-8 byte order mark.
    """

    raw: bytes
    text: str
    encoding: str
    bom: bool

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The file's bytes with edits of its UTF-8 text made; all others stay as they are.

        Raises:
            SourceError: The encoding cannot write an edit, or not without changing other bytes.
        """
        utf8, edits = self.text.encode("utf-8"), sorted(edits)
        if self.encoding == "utf-8":
            return (BOM_UTF8 if self.bom else b"") + apply(utf8, edits)
        starts = [0, *(edit.end for edit in edits)]
        ends = [*(edit.start for edit in edits), len(utf8)]
        try:
            kept = [self._encoded(utf8[start:end]) for start, end in zip(starts, ends, strict=True)]
            gone = [self._encoded(utf8[edit.start : edit.end]) for edit in edits]
            new = [edit.text.encode(self.encoding) for edit in edits]
        except UnicodeEncodeError as error:
            raise SourceError(f"{self.encoding} cannot write the edit", Position(1, 1)) from error
        after = _woven(kept, new)
        same = _woven(kept, gone) == self.raw
        if not same or after.decode(self.encoding) != apply(utf8, edits).decode("utf-8"):
            problem = f"an edit in {self.encoding} would change bytes outside it"
            raise SourceError(problem, Position(1, 1))
        return after

    def _encoded(self, utf8: bytes) -> bytes:
        return utf8.decode("utf-8").encode(self.encoding)


def _woven(kept: Sequence[bytes], between: Sequence[bytes]) -> bytes:
    pairs = zip(kept, (*between, b""), strict=True)
    return b"".join(piece for pair in pairs for piece in pair)


def decode(raw: bytes) -> Source:
    """Decodes a file as the interpreter would.

    Raises:
        SourceError: An unknown encoding cookie, one that names no encoding of text or one that does not
            give the same bytes back, bytes that are not in the declared encoding, a NUL byte.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError as error:
        if error.msg != "invalid or missing encoding declaration":
            raise SourceError(str(error.msg)[:_LONGEST_REASON], Position(1, 1)) from error
        encoding = "utf-8"  # no cookie and no UTF-8: the decoding below says where
    bom = raw.startswith(BOM_UTF8)
    body = raw[len(BOM_UTF8) :] if bom else raw
    encoding = encoding.removesuffix("-sig")
    text = _decoded(body, encoding)
    if text.startswith("\ufeff"):
        raise SourceError("a second byte order mark; take it out", Position(1, 1))
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise SourceError("source code cannot contain null bytes", Position(row, 1))
    return Source(raw, text, encoding, bom)


def _decoded(body: bytes, encoding: str) -> str:
    """A text that encodes to the same bytes again, so that an edit changes no others.

    Raises:
        SourceError: There is none.
    """
    try:
        text = body.decode(encoding)
        same = encoding in _EXACT or text.encode(encoding) == body
    except UnicodeDecodeError as error:
        row = body.count(b"\n", 0, error.start) + 1
        wrong = body[error.start : error.start + 1].hex()
        raise SourceError(f"byte 0x{wrong} is not {encoding}", Position(row, 1)) from error
    except Exception as error:  # the codec of the file's choice, which may be none of text
        problem = f"its encoding declaration names {encoding}, which cannot be read as text"
        raise SourceError(f"{problem}; save it as UTF-8", Position(1, 1)) from error
    if not same:
        problem = f"encoding its text as {encoding} again does not give the same bytes"
        raise SourceError(f"{problem}; save it as UTF-8", Position(1, 1))
    return text


def readable(raw: bytes) -> str:
    """A text to show of a file, however broken it is."""
    try:
        return decode(raw).text
    except SourceError:
        return raw.decode("utf-8", errors="replace")


def parse_fast(source: Source) -> ast.Module | None:
    """The interpreter's own syntax tree.

    Raises:
        SourceError: The text is larger, or nests deeper, than the interpreter can follow.

    Returns:
        None where this interpreter cannot parse the file; a newer grammar may still.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's files
            return ast.parse(source.text)
    except SyntaxError as error:
        if error.msg in _LIMITS:  # of every version of Python: no newer grammar takes it
            raise _as_source_error(error) from error
        return None
    except (RecursionError, MemoryError) as error:
        # The interpreter says `MemoryError` for both.
        large = len(source.text) > _LARGE
        problem = "too large to be read" if large else "nested too deeply to be read"
        raise SourceError(problem, Position(1, 1)) from error
    except ValueError as error:
        raise SourceError(str(error), Position(1, 1)) from error


def syntax_error(source: Source) -> SourceError:
    """Why this interpreter cannot parse the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source.text)
    except SyntaxError as error:
        return _as_source_error(error)
    return SourceError("syntax error", Position(1, 1))


def newer_syntax(source: Source) -> SourceError:
    """What to say of a file that only a newer interpreter can parse, where this one has to."""
    error = syntax_error(source)
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    reason = f"{python} cannot parse it: {str(error).removeprefix('syntax error: ')}"
    remedy = "run cleanguard under the Python that the file is written for"
    return SourceError(reason, error.position, remedy)


def _as_source_error(error: SyntaxError) -> SourceError:
    row, column = error.lineno or 1, error.offset or 1
    return SourceError(f"syntax error: {error.msg}", Position(max(row, 1), max(column, 1)))
