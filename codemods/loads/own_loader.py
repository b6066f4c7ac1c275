"""Scripts that call something of their own CleanModelLoader: rewritten code would call that instead."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from codemods.plan.sites import Site
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

_NAME = "CleanModelLoader"


def left_to_own_loader(script: Script, sites: list[Site]) -> list[Site]:
    """The sites; all of them left to a person where the guard's name is taken in the script."""
    line = _own_line(script)
    if line is None:
        return sites
    reason = f"line {line} defines its own {_NAME}: take it out, or give it another name"
    return [
        replace(site, edits=(), notes=(), reason=reason) if site.automatic else site
        for site in sites
    ]


def _own_line(script: Script) -> int | None:
    """The first line that gives the name another meaning; an import of it is brought up to date."""
    lines = [script.row_at(use.offset) for use in script.stores_of(_NAME, script.module)]
    renamed = _Renamed()
    script.module.visit(renamed)
    lines += [script.line_of(node) for node in renamed.found]
    return min(lines, default=None)


class _Renamed(cst.CSTVisitor):
    """Imports of something else under the loader's name."""

    def __init__(self) -> None:
        self.found: list[cst.ImportAlias] = []

    def visit_ImportAlias(self, node: cst.ImportAlias) -> bool:
        local = None if node.asname is None else node.asname.name
        taken = isinstance(local, cst.Name) and local.value == _NAME
        if taken and dotted(node.name) != _NAME:
            self.found.append(node)
        return False
