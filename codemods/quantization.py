"""Quantization configs that every migrated load has taken over leave the script."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from codemods._edits import Edit
from codemods._script import Script
from codemods._sites import CannotRewrite, Site
from lint_rules._flow.events import QuantConfigBuild

_SUMMARY = "say the quantization to CleanModelLoader"


def rewrite(script: Script, edits: Sequence[Edit]) -> list[Site]:
    """The sites of quantization configs, given the edits of the loads that used them."""
    sites: list[Site] = []
    for build in script.flow.events(QuantConfigBuild):
        if not script.reports("CG104", build.node):
            continue
        try:
            sites.append(Site("CG104", build.node, _SUMMARY, _removal(script, build, edits)))
        except CannotRewrite as reason:
            sites.append(Site("CG104", build.node, _SUMMARY, reason=str(reason)))
    return sites


def _removal(script: Script, build: QuantConfigBuild, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    start = script.span(build.node).start
    if any(edit.covers(start) for edit in edits):
        return ()
    statement = script.statement(build.place)
    assignment = statement.body[0]
    if not isinstance(assignment, cst.Assign) or assignment.value is not build.node:
        raise CannotRewrite("the config is part of a larger expression")
    target = assignment.targets[0].target
    if len(assignment.targets) != 1 or not isinstance(target, cst.Name):
        raise CannotRewrite("the config is not assigned to a plain name")
    own = script.span(statement)
    for use in script.uses(target.value, build.place.function):
        inside = own.start <= use.offset < own.end or any(edit.covers(use.offset) for edit in edits)
        if not inside:
            raise CannotRewrite(f"`{target.value}` is used where the load stays as it is")
    if len(build.place.block) == 1:
        raise CannotRewrite("the config is the only statement of its block")
    return (script.delete(statement),)
