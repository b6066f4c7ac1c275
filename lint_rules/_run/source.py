"""Reads a file's bytes as Python source: encoding cookie, byte order mark, syntax."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from codecs import BOM_UTF8
from dataclasses import dataclass

from cleanguard.catalogue.findings import Position

# Characters; some hundred bytes of syntax tree for each come near the memory that a file may take.
_LARGE = 4_000_000
_LIMITS = ("too many nested parentheses", "too many levels of indentation")


class SourceError(Exception):
    """The bytes are not Python source that can be read."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.position = position


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

    def to_bytes(self, text: str) -> bytes:
        """Text in this file's encoding, byte order mark included."""
        return (BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)


def decode(raw: bytes) -> Source:
    """Decodes a file as the interpreter would.

    Raises:
        SourceError: An unknown encoding cookie, bytes that are not in the declared encoding, a NUL byte.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError as error:
        if error.msg != "invalid or missing encoding declaration":
            raise SourceError(str(error.msg), Position(1, 1)) from error
        encoding = "utf-8"  # no cookie and no UTF-8: the decoding below says where
    bom = raw.startswith(BOM_UTF8)
    body = raw[len(BOM_UTF8) :] if bom else raw
    encoding = encoding.removesuffix("-sig")
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        row = body.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{body[error.start]:02x} is not {encoding}"
        raise SourceError(message, Position(row, 1)) from error
    if "\0" in text:
        row = text.count("\n", 0, text.index("\0")) + 1
        raise SourceError("source code cannot contain null bytes", Position(row, 1))
    return Source(raw, text, encoding, bom)


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


def _as_source_error(error: SyntaxError) -> SourceError:
    row, column = error.lineno or 1, error.offset or 1
    return SourceError(f"syntax error: {error.msg}", Position(max(row, 1), max(column, 1)))
