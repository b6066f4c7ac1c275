"""What only rewritten calls had read leaves with them: configs of generation settings, encodings."""

from __future__ import annotations

import re
from dataclasses import replace

import libcst as cst

from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Site
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from codemods.settings.generate_keywords import unread_config
from codemods.texts.encoding import kept_encoding
from lint_rules._flow.values.events import Encode, Generate


def without_unread(script: Script, sites: list[Site]) -> list[Site]:
    """The sites, without the lines whose names nothing reads any more once they are rewritten."""
    return _without_encodings(script, _without_configs(script, sites))


def _without_configs(script: Script, sites: list[Site]) -> list[Site]:
    edits = [edit for site in sites for edit in site.edits]
    calls: dict[cst.CSTNode, Generate] = {c.node: c for c in script.flow.events(Generate)}
    gone: set[cst.CSTNode] = set()
    found: list[Site] = []
    for site in sites:
        call = calls.get(site.node) if site.automatic else None
        line = None if call is None else unread_config(script, call, edits)
        if line is not None and line not in gone:
            gone.add(line)
            found.append(replace(site, edits=(*site.edits, script.delete(line))))
        else:
            found.append(site)
    return found


def _without_encodings(script: Script, sites: list[Site]) -> list[Site]:
    """Encodings that two generations shared, so that each alone had to leave it."""
    swaps: dict[Edit, Edit] = {}
    every = [edit for site in sites for edit in site.edits]
    for encode in script.flow.events(Encode):
        line = encode.place.line
        name = None if line is None else assigned_name(line)
        if line is None or name is None:
            continue
        try:
            edit = kept_encoding(script, encode)
        except CannotRewrite:
            continue
        others = [other for other in every if other != edit]
        if edit in every and _is_unread(script, encode, name, others):
            swaps[edit] = script.delete(line)
    return [
        replace(site, edits=tuple(swaps.get(edit, edit) for edit in site.edits)) for site in sites
    ]


def _is_unread(script: Script, encode: Encode, name: str, others: list[Edit]) -> bool:
    if script.is_taken_elsewhere(name, encode.place.function):
        return False
    word = re.compile(rf"\b{re.escape(name)}\b")
    read = [use for use in script.uses(name, encode.place.function) if not use.stores]
    covered = all(any(edit.covers(use.offset) for edit in others) for use in read)
    return bool(read) and covered and not any(word.search(edit.text) for edit in others)
