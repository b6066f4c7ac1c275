"""What must hold before a rewritten file may be written."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Finding
from codemods.plan.edits import Edit
from codemods.plan.sites import Site
from codemods.script.script import Script
from codemods.script.undefined_names import undefined

# Hazards of guarded output: nothing could be said about them while the output was not guarded.
EXPOSED = frozenset({hazards.DROPPED_PROVENANCE.code})
# Notebooks may await at the top; a script that does is for a notebook, or for `python -m asyncio`.
_AWAITS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class ProofError(Exception):
    """The rewrite does not keep its contract; the message says which part."""


def prove_text(script: Script, text: str, edits: Sequence[Edit]) -> ast.Module:
    """Checks a rewritten text: it compiles, and nothing outside the edits has changed.

    Returns:
        The interpreter's tree of it.

    Raises:
        ProofError: With the part of the contract that does not hold.
    """
    before = script.tree
    assert before is not None  # a plan is made of what this Python can parse
    tree = _compiled(before, text)
    _compare_untouched(before, script, edits, text, tree)
    _compare_names(script.source.text, text)
    return tree


def _compiled(before: ast.Module, text: str) -> ast.Module:
    """The rewritten text's tree; what parses may still not compile, as a keyword said twice."""
    try:
        tree = _parse(text)
        if _compiles(before):
            compile(tree, "<script>", "exec", _AWAITS, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ProofError(f"the rewritten file would not compile: {error}") from error
    return tree


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _compiles(tree: ast.Module) -> bool:
    """Whether a text compiles; one that does not, as the cells of a notebook may, need only parse."""
    try:
        compile(tree, "<script>", "exec", _AWAITS, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _compare_names(before: str, after: str) -> None:
    """A name that nothing defines must not come in: what it stood for would have been folded away."""
    try:
        old = set(undefined(before))
    except SyntaxError:
        return  # a grammar newer than this interpreter
    new = sorted(set(undefined(after)) - old)
    if new:
        raise ProofError(
            f"the rewritten file would use `{new[0][1]}`, which nothing defines any more"
        )


def prove_findings(
    before: Sequence[Finding], after: Sequence[Finding], sites: Sequence[Site]
) -> None:
    """Checks what `check` says of a rewritten file: the findings are gone, and none is new.

    Args:
        before: The findings of the old text.
        after: Those of the new one.
        sites: What was rewritten, and what was left.

    Raises:
        ProofError: With the part of the contract that does not hold.
    """
    old = Counter(found.code for found in before)
    left = Counter(site.code for site in sites if not site.automatic)
    # A finding that no rewrite is for, such as a pipeline's load, is no site.
    left += old - Counter(
        site.code for site in {(one.code, one.node): one for one in sites}.values()
    )
    for code, count in Counter(found.code for found in after).items():
        if count > old[code] and code not in EXPOSED:
            raise ProofError(f"the rewritten file would have a new finding, {code}")
        if count > left[code] and any(site.code == code and site.edits for site in sites):
            raise ProofError(f"a finding of {code} would still be there")


def _compare_untouched(
    before: ast.Module, script: Script, edits: Sequence[Edit], text: str, tree: ast.Module
) -> None:
    """The bytes outside the edits must be the same, and the statements too, in the same order."""
    ranges: list[tuple[int, int]] = []
    shift = 0
    for edit in sorted(edits):
        size = len(edit.text.encode())
        ranges.append((edit.start + shift, edit.start + shift + size))
        shift += size - (edit.end - edit.start)
    declared = [(edit.start, edit.end) for edit in sorted(edits)]
    if _outside(script.utf8, declared) != _outside(text.encode(), ranges):
        raise ProofError("the rewrite would change bytes outside its declared edits")
    old = list(_untouched(before, script.utf8, declared))
    new = list(_untouched(tree, text.encode(), ranges))
    if old != new:
        raise ProofError("the rewrite would change statements outside its declared edits")


def _outside(utf8: bytes, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    starts = [0, *(stop for _, stop in ranges)]
    ends = [*(start for start, _ in ranges), len(utf8)]
    return [utf8[start:end] for start, end in zip(starts, ends, strict=True)]


def _untouched(tree: ast.Module, utf8: bytes, ranges: Sequence[tuple[int, int]]) -> Iterator[str]:
    starts = [0]
    for line in utf8.splitlines(keepends=True):
        if line.endswith((b"\n", b"\r")):
            starts.append(starts[-1] + len(line))
    ordered = sorted(ranges)
    begins = [begin for begin, _ in ordered]
    # A block may end before an edit that took its last lines away, or that follows it.
    before = {len(utf8[:begin].rstrip()) for begin in begins}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.expr)):
            continue
        if isinstance(node, ast.stmt):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            at = bisect_right(begins, end - 1)
            touched = bool(at) and ordered[at - 1][1] > start  # ranges do not overlap: it ends last
            if not (touched or (end in before and hasattr(node, "body"))):
                yield ast.dump(node)  # with all that stands in it
                continue
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))
