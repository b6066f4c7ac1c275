"""Imports after the other edits: names that nothing uses any more leave, CleanModelLoader arrives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from codemods.imports.header import declared
from codemods.imports.packed import in_rows
from codemods.imports.sections import in_calling_cells, in_other_cells, of_cells, with_import
from codemods.imports.statements import IMPORT, Import, imports_in, is_ours
from codemods.imports.unused import became_unused, sets_what_imports_bring
from codemods.plan.edits import Edit
from codemods.script.comments import names
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

# What is told of the place of an import holds for what comes in its place.
_FOR_LINTERS = re.compile(r"#\s*(noqa|isort:|pylint:|ruff:)", re.IGNORECASE)
_FOR_TYPES = re.compile(r"#\s*(type:|mypy:|pyright:)", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_]\w*")
# What a comment says that is about the whole file, though a statement follows at once.
_HEADER = re.compile(rb"^#!|coding[:=]|SPDX-|copyright|licen[cs]e", re.IGNORECASE)


def rewrite(script: Script, edits: Sequence[Edit], cells: Sequence[int] = ()) -> list[Edit]:
    """The import edits that go with the given edits; none if they use no CleanModelLoader.

    Args:
        script: The script.
        edits: What is to be written.
        cells: Where each cell of a notebook begins: one that loses an import may be run without those above it.
    """
    callers = [edit for edit in edits if "CleanModelLoader" in edit.text]
    if not callers:
        return []
    words = {word for edit in edits for word in _WORD.findall(edit.text)}
    every = list(imports_in(script.module))
    losing: list[tuple[Import, set[str]]] = []
    for item in every:
        if is_ours(item.node):
            unused = {n for n in item.names if became_unused(script, item, n, words, edits, every)}
            if unused:
                losing.append((item, unused))
    if script.once(sets_what_imports_bring):
        losing = _but_one(every, losing)
    missing = [edit for edit in callers if not _is_imported(script, edit, every)]
    if any(IMPORT in edit.text for edit in edits):
        missing = []
    places = _places(script, missing, [item for item, _ in losing])
    places = [*places, *of_cells(script, [item for item, _ in losing], missing, every, cells)]
    result = [
        _edit(script, item, unused, arrives=item in places)
        for item, unused in losing
        if item in places or not item.asks or _kept(script, item, unused)
    ]
    if missing and not places:
        start = min(edit.start for edit in missing)
        above = _before_theirs(script, every, start, cells)
        beside = [] if above else _beside_local(script, every, missing)
        if not beside and cells and above is None:  # run in another order than they stand
            beside = in_calling_cells(script, missing, cells)
        if not beside:
            beside = [_above_its_comment(script, above, cells) if above else _insertion(script)]
        result += beside
    arriving = [edit for edit in result if IMPORT in edit.text]
    if cells:
        arriving += in_other_cells(script, missing, every, arriving, cells)
        first = min((edit.start for edit in arriving), default=0)
        lonely = [edit for edit in missing if edit.start < first]  # run after cells below
        kept = [edit for edit in result if IMPORT not in edit.text]
        return [*kept, *arriving, *in_calling_cells(script, lonely, cells)]
    return [*result, *declared(script.utf8)]


def _but_one(
    every: Sequence[Import], losing: list[tuple[Import, set[str]]]
) -> list[tuple[Import, set[str]]]:
    """Those that lose names, without the first where no import of a library would be left."""
    ours = [item for item in every if is_ours(item.node)]
    gone = [item for item, unused in losing if unused == set(item.names)]
    return losing if any(item not in gone for item in ours) else losing[1:]


def _places(script: Script, missing: Sequence[Edit], losing: Sequence[Import]) -> list[Import]:
    """The imports in whose place the loader's arrives; none where it gets a line of its own.

    An import inside a block keeps the start of a module light: the loader's takes its place there
    if it serves every call.
    """
    local = [_nearest(script, edit, losing) for edit in missing]
    if all(item is not None for item in local):
        return [item for item in dict.fromkeys(local) if item is not None]
    start = min((edit.start for edit in missing), default=0)
    top = [
        item
        for item in losing
        if item.line in script.module.body and script.span(item.line).start < start
    ]
    froms = [item for item in top if isinstance(item.node, cst.ImportFrom)]
    return froms[:1] or top[-1:]


def _nearest(script: Script, edit: Edit, losing: Sequence[Import]) -> Import | None:
    """The import in an enclosing block that runs before an edited call."""
    found = [item for item in losing if item.block and _serves(script, item, edit)]
    return found[-1] if found else None


def _beside_local(script: Script, every: Sequence[Import], missing: Sequence[Edit]) -> list[Edit]:
    """Below the imports in functions that stay, where each call has one: who imports the module needs no loader."""
    ours = [item for item in every if is_ours(item.node) and not item.asks]
    near = [_nearest(script, edit, ours) for edit in missing]
    found: list[Edit] = []
    for item in dict.fromkeys(near):
        if item is None:
            return []
        end = script.lines_of(item.line).end
        line = f"{script.indent_of(item.line)}{IMPORT}{script.newline}"
        found.append(Edit(end, end, line))
    return found


def _serves(script: Script, item: Import, edit: Edit) -> bool:
    """Whether an import has run whenever an edited place is reached."""
    if item.block is None:
        return item.line in script.module.body
    span = script.span(item.block)
    return span.start <= edit.start < span.end and script.span(item.line).start < edit.start


def _is_imported(script: Script, edit: Edit, every: Sequence[Import]) -> bool:
    return any(
        isinstance(item.node, cst.ImportFrom)
        and item.node.module is not None
        and dotted(item.node.module) == "guard"
        and "CleanModelLoader" in item.names
        and _serves(script, item, edit)
        for item in every
    )


def _edit(script: Script, item: Import, unused: set[str], *, arrives: bool) -> Edit:
    behind = script.behind(item.line)
    kept = _kept(script, item, unused)
    if _FOR_TYPES.match(behind):
        kept = [line if "\n" in line else f"{line}  {behind}" for line in kept]
    lines = kept
    if arrives:
        # plain imports come first, the rest goes by the alphabet
        plain = isinstance(item.node, cst.Import)
        lines = [*lines, IMPORT] if plain else [IMPORT, *lines]
    if _FOR_LINTERS.match(behind):
        lines = [line if "\n" in line else f"{line}  {behind}" for line in lines]
    if lines or item.alone:
        edit = script.replace(item.line, lines or ["pass"])
        inside = () if kept else script.comments_in(script.lines_of(item.line))
        for comment in inside:
            if comment != behind and names(script, edit.start, comment):
                edit = replace(edit, text=edit.text.replace(f"{comment}{script.newline}", "", 1))
        return edit
    return script.delete(item.line)


def _kept(script: Script, item: Import, unused: set[str]) -> list[str]:
    assert not isinstance(item.node.names, cst.ImportStar)
    aliases = [
        script.code(alias).rstrip(", \t")
        for alias, name in zip(item.node.names, item.names, strict=True)
        if name not in unused
    ]
    if not aliases:
        return []
    if isinstance(item.node, cst.Import):
        return [f"import {', '.join(aliases)}"]
    module = script.code(item.node.module) if item.node.module is not None else ""
    line = f"from {module} import {', '.join(aliases)}"
    indent = script.indent_of(item.line)
    rows = {script.line_of(alias) for alias in item.node.names}
    fits = len(indent) + len(line) <= script.max_width or script.line_of(item.node) in rows
    if len(rows) == 1 and fits:
        return [line]
    if 1 < len(rows) < len(item.names):
        packed = in_rows(script, item, unused)
        if packed:
            return packed
    unit = script.indent_unit
    bare = len(rows) > 1 and not script.code(item.node).rstrip(" \t\r\n)").endswith(",")
    below = [f"{unit}{alias}," for alias in aliases]
    below[-1] = below[-1].removesuffix(",") if bare else below[-1]
    return [f"from {module} import (", *below, ")"]


def _before_theirs(
    script: Script, every: Sequence[Import], before: int, cells: Sequence[int]
) -> Edit | None:
    """Above the first import of transformers at the top: what a script sets for it is set by then.

    In a notebook above the last one before the first call: whoever runs a section runs its imports.
    """
    for item in reversed(every) if cells else every:
        if item.line not in script.module.body or script.is_foreign(item.line):
            continue
        modules = (
            [alias.name for alias in item.node.names]
            if isinstance(item.node, cst.Import)
            else [item.node.module]
        )
        tops = {(dotted(one) or "").partition(".")[0] for one in modules if one is not None}
        start = script.lines_of(item.line).start
        if "transformers" in tops and start < before:
            if start in cells:
                return with_import(script, item)
            return Edit(start, start, f"{IMPORT}{script.newline}")
    return None


def _above_its_comment(script: Script, edit: Edit, cells: Sequence[int]) -> Edit:
    """An insertion moved above the comment lines that stand over an import, unless they begin the file or a cell."""
    start = edit.start
    while start and not cells:
        above = script.utf8.rfind(b"\n", 0, start - 1) + 1
        if not script.utf8[above:start].startswith(b"#"):
            return Edit(start, start, edit.text)
        start = above
    return edit


def _insertion(script: Script) -> Edit:
    """After the last import at the top of the module that is not relative, else after its docstring or header."""
    last: cst.SimpleStatementLine | None = None
    body = [item for item in script.module.body if not script.is_foreign(item)]
    opening = True  # texts alone: what a module says of itself
    for statement in body:
        if not isinstance(statement, cst.SimpleStatementLine):
            break
        first = statement.body[0] if statement.body else None
        is_text = isinstance(first, cst.Expr) and isinstance(
            first.value, (cst.SimpleString, cst.ConcatenatedString)
        )
        opening = opening and is_text
        if not isinstance(first, (cst.Import, cst.ImportFrom)) and not opening:
            break
        if last is not None and isinstance(first, cst.ImportFrom) and first.relative:
            break
        last = statement
    end = _end_of_header(script.utf8) if last is None else script.lines_of(last).end
    return Edit(end, end, f"{IMPORT}{script.newline}")


def _end_of_header(utf8: bytes) -> int:
    """Where the comments end that a module starts with; those right above a statement are its own."""
    end = seen = 0
    said = b""
    for line in utf8.splitlines(keepends=True):
        if line.strip() and not line.startswith(b"#"):
            return seen if _HEADER.search(said) else end
        seen += len(line)
        said += line
        if not line.strip():
            end, said = seen, b""
    return seen
