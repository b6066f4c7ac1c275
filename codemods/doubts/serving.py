"""Loads in functions and classes that other files of the run use, where each is asked whether it follows the model."""

from __future__ import annotations

import re
from collections.abc import Mapping

import libcst as cst

from codemods.plan.planned import LoadKey
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad


def served(script: Script, own: Mapping[cst.CSTNode, LoadKey]) -> dict[LoadKey, frozenset[str]]:
    """The loads that functions and classes hold which other files name, with the resolved paths of those files.

    Args:
        script: The script; one whose loads cannot be watched has none.
        own: Its loads that are rewritten, with their keys.
    """
    found: dict[LoadKey, frozenset[str]] = {}
    if not (script.watches and script.others.serves(script.path)):
        return found
    importers = script.others.importers(script.path)
    for load in script.flow.events(ModelLoad):
        place = load.place
        names = {one.name.value for one in (place.function, place.owner) if one is not None}
        key = own.get(load.node)
        if key is None or not names:
            continue
        word = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
        users = [path for path in importers if word.search(script.others.text(path))]
        if users:
            found[key] = frozenset(str(path.resolve()) for path in users)
    return found
