"""Text of users and of checked repositories, made safe for where it is written: one function a medium.

What comes from outside (names, messages, source lines, answers of models) may hold escape sequences, bidi
marks, markup, or lines that a CI runner takes for commands. JSON and XML have their libraries' escapes,
HTML has jinja's.
"""

from __future__ import annotations

import json
import os
import re

_MARKUP = re.compile(r"[\\`*<>|~]|\](?=\()|(?<![^\W_])_|_(?![^\W_])")
# At the start of a line: a heading, a list, a quote, or a command for GitHub's runner.
_LEADING = re.compile(r"\s*(?:#|[-+]\s|::)")
_NUMBERED = re.compile(r"(\s*\d+)(?=[.)]\s)")
_LINE_COMMAND = re.compile(r"(?m)^(\s*):(?=:)")
_COMMAND = re.compile(r"(?m)^(\s*):(?=:)|##(?=\[)")


def printable(text: str) -> str:
    """Text whose control characters are spelt out, so that a checked file cannot steer the terminal.

    Spelt out are also bidi marks, line and paragraph separators, and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def visible(text: str) -> str:
    """As `printable`, for pages: line breaks, tabs and wide spaces stay."""
    return "".join(c if c.isprintable() or c.isspace() else printable(c) for c in text)


def for_terminal(text: str) -> str:
    """As `printable`, for several lines: line feeds and tabs stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else printable(c) for c in text)


def for_json(text: str) -> str:
    """A JSON document that says the same and shows nothing that steers: what is odd is spelt `\\u…`.

    Args:
        text: The document, where odd characters stand in strings only.
    """
    spelt = "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in text)
    return spelt.replace("##[", "#\\u0023[")


def _json_escape(c: str) -> str:
    return json.dumps(c)[1:-1] if ord(c) > 0x7F else c


def for_markdown(text: str) -> str:
    """One line of Markdown that reads as the text does, in a paragraph or in a cell."""
    escaped = _MARKUP.sub(lambda found: "\\" + found[0], printable(text)).replace("##[", "#\\#[")
    if found := _NUMBERED.match(escaped):
        return f"{found[0]}\\{escaped[found.end() :]}"
    return "\\" + escaped.lstrip() if _LEADING.match(escaped) else escaped


def unmarked(text: str) -> str:
    """A page may be printed where a runner looks for `##[` anywhere in a line."""
    return text.replace("##[", "#\\x23[")


def unmarked_html(text: str) -> str:
    """As `unmarked`, for HTML; a line that begins with `::` is no command either."""
    return _LINE_COMMAND.sub(r"\1&#58;:", text.replace("##[", "#&#35;["))


def code_for_markdown(text: str) -> str:
    """A code span that holds the text, whatever backticks are in it."""
    shown = unmarked(printable(text)).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def is_command(line: str) -> bool:
    """Whether GitHub's runner would take a line of a log for a command."""
    return bool(_COMMAND.search(line))


def for_log(text: str) -> str:
    """Lines of a log; on GitHub's runners those that it would take for commands are spelt out."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return text
    return _COMMAND.sub(
        lambda found: f"{found[1]}\\x3a" if found[1] is not None else "#\\x23", text
    )
