"""Scripts with a CleanModelLoader or a guard of their own: rewritten code would use that instead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import libcst as cst

from codemods.plan.sites import Site
from codemods.script.closures import stars_of
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted
from lint_rules._run.neighbours import stranger_beside

_NAME = "CleanModelLoader"


def left_to_own_loader(script: Script, sites: list[Site], path: Path) -> list[Site]:
    """The sites; all of them left to a person where the guard's name is taken.

    It is taken in the script itself, or by a file beside it that Python would import instead.
    """
    reason = _reason(script, path)
    if reason is None:
        return sites
    return [
        replace(site, edits=(), notes=(), reason=reason) if site.automatic else site
        for site in sites
    ]


def _reason(script: Script, path: Path) -> str | None:
    line = _own_line(script)
    if line is not None:
        return f"line {line} defines its own {_NAME}: take it out, or give it another name"
    stranger = stranger_beside(path)
    if stranger is not None:
        return f"`{stranger}` beside this file would be imported instead of cleanguard's: rename it"
    return None


def _own_line(script: Script) -> int | None:
    """The first line that gives the name another meaning; an import of it is brought up to date."""
    lines = [script.row_at(use.offset) for use in script.stores_of(_NAME, script.module)]
    renamed = _Renamed()
    script.module.visit(renamed)
    lines += [script.line_of(node) for node in renamed.found]
    lines += [
        script.line_of(star)
        for star in (() if script.others.alone else renamed.stars)
        if any(name == _NAME for name, _ in stars_of(script, star))
    ]
    return min(lines, default=None)


class _Renamed(Looking):
    """Imports of something else under the loader's name, and those of everything."""

    def __init__(self) -> None:
        self.found: list[cst.ImportAlias] = []
        self.stars: list[cst.ImportFrom] = []

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        if (
            isinstance(node.names, cst.ImportStar)
            and dotted(node.module or cst.Name("")) != "guard"
        ):
            self.stars.append(node)

    def visit_ImportAlias(self, node: cst.ImportAlias) -> bool:
        local = None if node.asname is None else node.asname.name
        taken = isinstance(local, cst.Name) and local.value == _NAME
        if taken and dotted(node.name) != _NAME:
            self.found.append(node)
        return False
