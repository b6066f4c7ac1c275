"""Reads one TOML file and says where in it a complaint belongs."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.nesting import nested_deeper_than

_LARGEST = 1 << 20  # bytes; tomllib's time grows with the square of a table's depth
_DEEPEST = 100
_HEADER = re.compile(r"\s*\[\s*tool\s*\.\s*cleanguard\s*\]")


class ConfigError(JobError):
    """The configuration cannot be used; the message names the file, the key and the remedy."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file as read.

    Attributes:
        path: The path to show in messages.
        text: Its text, to find lines in.
        data: Its parsed content.
    """

    path: Path
    text: str
    data: Mapping[str, Any]

    def error(self, problem: str, key: str | None = None, value: str | None = None) -> ConfigError:
        """The error to raise about a key, or about one value in its list."""
        line = self._line_of(key, value) if key else None
        return ConfigError(f"{self.path}:{line}: {problem}" if line else f"{self.path}: {problem}")

    def _line_of(self, key: str, value: str | None) -> int | None:
        lines = self.text.splitlines()
        start = next((row for row, line in enumerate(lines) if _HEADER.match(line)), 0)
        quoted_key = rf"[\"']?{re.escape(key)}[\"']?\s*"
        header = rf"\s*\[\s*tool\s*\.\s*cleanguard\s*\.\s*{quoted_key}\]"
        entry = re.compile(rf"(.*[\s.{{,])?{quoted_key}=|{header}")
        for row in range(start, len(lines)):
            if entry.match(lines[row]):
                quoted = (f'"{value}"', f"'{value}'") if value else ()
                below = range(row, len(lines))
                return 1 + next((n for n in below if any(q in lines[n] for q in quoted)), row)
        return None


def read(path: Path) -> ConfigFile:
    """Read and parse a TOML file.

    Raises:
        ConfigError: It cannot be read, or is not TOML.
    """
    shown = shown_path(path)
    try:
        text = _content(path, shown).decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"{shown}: cannot read the configuration: {reason}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown}: not UTF-8, which TOML must be; save it as UTF-8") from None
    return parsed(shown, text)


def mentions(path: Path, word: bytes) -> bool:
    """Whether a file holds a word; of what cannot be read it is not known, and `read` says why."""
    try:
        raw = _content(path, path)
        return word in raw or b"\0" in raw  # NUL: UTF-16, say, in which any word may stand
    except FileNotFoundError:
        return False
    except (OSError, ConfigError):
        return True


def parsed(shown: Path, text: str, *, named: bool = True) -> ConfigFile:
    """Parse a text.

    Args:
        shown: What it is called in messages.
        text: TOML.
        named: It is a file's text, so that a message gives the line.

    Raises:
        ConfigError: It is not TOML.
    """
    # Most runs meet no configuration, and loading the reader takes longer than finding the files.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{shown}: nested more than {_DEEPEST} deep; write it flat") from None
    except ValueError as error:  # TOMLDecodeError, and numbers of thousands of digits
        at = f":{line}" if named and (line := _line_said(str(error), text)) else ""
        raise ConfigError(f"{shown}{at}: not valid TOML: {error}") from None
    if nested_deeper_than(data, _DEEPEST):
        raise ConfigError(f"{shown}: nested more than {_DEEPEST} deep; write it flat")
    return ConfigFile(shown, text, data)


def _line_said(error: str, text: str) -> str:
    """The line in tomllib's words; newer releases have it as an attribute, older ones do not."""
    if "at end of document" in error:
        return str(text.count("\n", 0, -1) + 1)
    found = re.search(r"at line (\d+)", error)
    return found[1] if found else ""


def _content(path: Path, shown: Path) -> bytes:
    """The file's bytes; what is no regular file would be waited for, or read for ever."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ConfigError(f"{shown}: cannot read the configuration: it is no regular file")
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ConfigError(f"{shown}: larger than {_LARGEST >> 20} MiB, which no configuration is")
    return raw


def shown_path(path: Path) -> Path:
    """A path as messages show it: from the current folder on where it lies below."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
