"""The dependencies that a script names in its header, which `uv run` and its like install."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from codemods.plan.edits import Edit
from codemods.plan.planned import PlannedSite
from codemods.plan.sites import Note

_NOTE = Note(
    "carried",
    "`cleanguard` is put among the dependencies of the script's header, by which it is run",
)
# https://packaging.python.org/en/latest/specifications/inline-script-metadata/
_BLOCK = re.compile(
    rb"^# /// script[ \t]*\r?\n((?:#(?: [^\n]*)?\r?\n)+?)# ///[ \t]*\r?$", re.MULTILINE
)
_LIST = re.compile(rb"^# dependencies = \[[ \t]*", re.MULTILINE)


def declared(utf8: bytes) -> tuple[Edit, ...]:
    """The edit that names cleanguard among the dependencies; nothing where no header is, or it stands there.

    Args:
        utf8: The script.
    """
    block = _BLOCK.search(utf8)
    if block is None or re.search(rb"[\"']cleanguard\b", block[1]):
        return ()
    found = _LIST.search(block[1])
    newline = "\r\n" if b"\r\n" in block[0] else "\n"
    if found is None:  # before any table
        at = block.start(1)
        return (Edit(at, at, f'# dependencies = ["cleanguard"]{newline}'),)
    at = block.start(1) + found.end()
    rest = utf8[at:].lstrip(b" \t")
    if rest.startswith((b"\n", b"\r")):
        line = utf8.index(b"\n", at) + 1
        return (Edit(line, line, f'#     "cleanguard",{newline}'),)
    more = "" if rest.startswith(b"]") else ", "
    return (Edit(at, at, f'"cleanguard"{more}'),)


def told(sites: Sequence[PlannedSite], utf8: bytes) -> tuple[PlannedSite, ...]:
    """The sites of a plan, of which the first that is rewritten tells of the header.

    Args:
        sites: Those.
        utf8: The script as it was.
    """
    first = next((at for at, site in enumerate(sites) if site.reason is None), None)
    if first is None or not declared(utf8):
        return tuple(sites)
    site = replace(sites[first], notes=(*sites[first].notes, _NOTE))
    return (*sites[:first], site, *sites[first + 1 :])
