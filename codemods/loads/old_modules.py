"""An older loader used through its module: `import utils.clean_model_loader as cml; cml.CleanModelLoader(…)`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Site
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

_NAME = "CleanModelLoader"
_OURS = ("guard", "cleanguard")


@dataclass(frozen=True, slots=True)
class _Binding:
    """One imported module: how code names it, and where it is imported."""

    prefix: str
    line: cst.SimpleStatementLine
    node: cst.Import | cst.ImportFrom
    alias: cst.ImportAlias


def module_sites(script: Script, code: str, imported: str) -> list[Site]:
    """One site for each import of a module whose loader is used: the guard's takes its place.

    Args:
        script: The script.
        code: The hazard that the sites are told under.
        imported: The import statement of the guard's loader.
    """
    visitor = _Uses()
    script.module.visit(visitor)
    sites: list[Site] = []
    for binding in _bindings(script):
        uses = [node for node in visitor.found if dotted(node.value) == binding.prefix]
        if not uses:
            continue
        summary = "take the loader from guard"
        try:
            edits = [Edit(*_bounds(script, node), _NAME) for node in uses]
            edits.append(_import_edit(script, binding, uses, imported))
            sites.append(Site(code, binding.node, summary, tuple(edits)))
        except CannotRewrite as reason:
            sites.append(Site(code, binding.node, summary, reason=str(reason)))
    return sites


def _bindings(script: Script) -> Iterator[_Binding]:
    for line in script.lines_between(None, script.span(script.module)):
        node = line.body[0] if len(line.body) == 1 else None
        if not isinstance(node, (cst.Import, cst.ImportFrom)):
            continue
        if isinstance(node.names, cst.ImportStar) or _is_ours(node):
            continue
        for alias in node.names:
            name = dotted(alias.name) or ""
            if isinstance(node, cst.Import) and name.partition(".")[0] in _OURS:
                continue
            renamed = alias.asname.name if alias.asname is not None else None
            prefix = renamed.value if isinstance(renamed, cst.Name) else name
            yield _Binding(prefix, line, node, alias)


def _is_ours(node: cst.Import | cst.ImportFrom) -> bool:
    if isinstance(node, cst.Import) or node.module is None or node.relative:
        return False
    return (dotted(node.module) or "").partition(".")[0] in _OURS


def _import_edit(
    script: Script, binding: _Binding, uses: list[cst.Attribute], imported: str
) -> Edit:
    """The import line with the guard's import, and without the module where nothing else uses it."""
    node = binding.node
    assert not isinstance(node.names, cst.ImportStar)
    kept = [alias for alias in node.names if alias is not binding.alias]
    if _is_used_otherwise(script, binding, uses):
        kept = list(node.names)
    lines = [imported]
    if kept:
        names = ", ".join(script.code(alias).rstrip(", \t") for alias in kept)
        lines.insert(0, f"{_head(script, node)}import {names}")
    return script.replace(binding.line, lines)


def _head(script: Script, node: cst.Import | cst.ImportFrom) -> str:
    if isinstance(node, cst.Import):
        return ""
    module = script.code(node.module) if node.module is not None else ""
    return f"from {'.' * len(node.relative)}{module} "


def _is_used_otherwise(script: Script, binding: _Binding, uses: list[cst.Attribute]) -> bool:
    """Whether the module's name, or the package's that its import binds, occurs anywhere else."""
    root = binding.prefix.partition(".")[0]
    ours = [_bounds(script, node) for node in uses]
    return any(
        not any(start <= use.offset < end for start, end in ours) for use in script.uses(root, None)
    )


def _bounds(script: Script, node: cst.CSTNode) -> tuple[int, int]:
    span = script.span(node)
    return span.start, span.end


class _Uses(Looking):
    """Every `….CleanModelLoader`."""

    def __init__(self) -> None:
        self.found: list[cst.Attribute] = []

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if node.attr.value == _NAME:
            self.found.append(node)

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:  # noqa: ARG002
        return False

    def visit_Import(self, node: cst.Import) -> bool:  # noqa: ARG002
        return False
