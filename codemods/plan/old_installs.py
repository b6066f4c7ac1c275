"""Notebooks that install a transformers with which cleanguard does not run: told at the first rewritten place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from codemods.plan.planned import PlannedSite
from codemods.plan.sites import Note
from lint_rules._run.notebook import cells

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
    found = [(number, _OLD.search(text)) for number, text in cells(raw)]
    old = next(((number, match[1]) for number, match in found if match), None)
    first = next((at for at, site in enumerate(sites) if site.reason is None), None)
    if old is None or first is None:
        return list(sites)
    text = (
        f"cell {old[0]} installs transformers {old[1]}, and cleanguard needs 5: install that there"
    )
    note = Note("changed", text, "where the newer one is installed")
    told = replace(sites[first], notes=(*sites[first].notes, note))
    return [*sites[:first], told, *sites[first + 1 :]]
