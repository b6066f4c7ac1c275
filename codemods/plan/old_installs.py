"""Notebooks that install what they need, without cleanguard or with a transformers that it does not run with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from codemods.plan.planned import PlannedSite
from codemods.plan.sites import Note
from lint_rules._run.notebook import cells

_INSTALLS = re.compile(r"^\s*[%!].*\binstall\b.*\btransformers\b", re.MULTILINE)
_OLD = re.compile(
    r"^\s*[%!].*\binstall\b.*?\btransformers(?:\[[^\]\n]*\])?\s*(?:==|~=|<=?)\s*([0-4](?:\.\d+)*)",
    re.MULTILINE,
)


def with_installs(raw: bytes, sites: Sequence[PlannedSite]) -> list[PlannedSite]:
    """The sites of a notebook, the first that is rewritten with a note on what the notebook installs.

    Args:
        raw: The notebook.
        sites: What is planned in it.
    """
    every = list(cells(raw))
    first = next((at for at, site in enumerate(sites) if site.reason is None), None)
    if first is None:
        return list(sites)
    notes = []
    old = next(((number, match[1]) for number, text in every if (match := _OLD.search(text))), None)
    if old is not None:
        text = f"cell {old[0]} installs transformers {old[1]}, and cleanguard needs 5: install that there"
        notes.append(Note("changed", text, "where the newer one is installed"))
    installs = [number for number, text in every if _INSTALLS.search(text)]
    if installs and not any("cleanguard" in text for _, text in every):
        text = f"cell {installs[0]} installs what the notebook needs, and not cleanguard: install it there as well"
        notes.append(Note("changed", text, "where it is installed already"))
    told = replace(sites[first], notes=(*sites[first].notes, *notes))
    return [*sites[:first], told, *sites[first + 1 :]]
