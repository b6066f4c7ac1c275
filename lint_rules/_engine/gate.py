"""The cheapest questions about a file, in the order of their cost; most files need no other."""

from __future__ import annotations

import warnings

from cleanguard.settings.suppressions import may_suppress
from lint_rules._run.notebook import SUFFIX
from lint_rules._run.screen import has_trigger, is_told
from lint_rules._run.source import SourceError, decode

# The parser runs before the interpreter looks at features, so this error means: the rest parses. It
# spares building a syntax tree or a symbol table, which take as long again.
_PROBE = b"from __future__ import _\n"
_REACHED = "future feature _ is not defined"


def needs_check(raw: bytes, filename: str = "") -> bool:
    """Whether a file must be checked in full; the others are clean.

    Those that parse are clean whatever they do if they have no suppression comments, and trigger words in
    comments and texts alone, as most of those have that only write about models.
    """
    if filename.endswith(SUFFIX) or may_suppress(raw):
        return True
    return (has_trigger(raw) and not _is_told(raw)) or not parses(raw)


def _is_told(raw: bytes) -> bool:
    try:
        return is_told(decode(raw).text)
    except SourceError:
        return False


def parses(raw: bytes) -> bool:
    """Whether this interpreter certainly can parse a file; false where it takes a closer look to know."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    if b"coding" in b"\n".join(raw.split(b"\n", 2)[:2]):
        return False  # the probe would hide a declaration of the encoding
    try:
        if not raw.isascii():
            raw.decode()  # `compile` leaves the bytes of comments alone; a run does not
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's files
            compile(_PROBE + raw, "<checked file>", "exec", 0, dont_inherit=True)
    except SyntaxError as error:
        return error.msg == _REACHED
    except (ValueError, RecursionError, MemoryError):
        return False
    return False
