"""What must hold before a rewritten file may be written."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Finding
from cleanguard.settings.config import Settings
from codemods.plan.edits import Edit
from codemods.plan.sites import Site
from codemods.script.script import Script
from codemods.script.undefined_names import undefined
from lint_rules._engine.checking import check_source
from lint_rules._run.source import Source

# Hazards of guarded output: nothing could be said about them while the output was not guarded.
EXPOSED = frozenset({hazards.DROPPED_PROVENANCE.code})


class ProofError(Exception):
    """The rewrite does not keep its contract; the message says which part."""


def prove(
    filename: str,
    source: Source,
    after: bytes,
    edits: Sequence[Edit],
    sites: Sequence[Site],
    script: Script,
    settings: Settings,
) -> tuple[Finding, ...]:
    """Checks a rewritten file: it compiles, its findings are gone, none is new, nothing else changed.

    Returns:
        Findings that only guarded output can have, and that are therefore new without being caused.

    Raises:
        ProofError: With the part of the contract that does not hold.
    """
    text = after.decode(source.encoding).removeprefix("\ufeff")
    tree = _parsed(text, script.source.text)
    _compare_untouched(script, edits, text, tree)
    _compare_names(script.source.text, text)
    return _compare_findings(filename, source, after, sites, settings)


def _parsed(text: str, before: str) -> ast.Module:
    """The tree of a file that compiles; one that did not before need only parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            if _compiles(before):
                compile(text, "<migrated>", "exec", dont_inherit=True)
            return tree
    except (SyntaxError, ValueError) as error:
        raise ProofError(f"the rewritten file would not compile: {error}") from error


def _compiles(text: str) -> bool:
    try:
        compile(text, "<script>", "exec", dont_inherit=True)
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


def _compare_findings(
    filename: str, source: Source, after: bytes, sites: Sequence[Site], settings: Settings
) -> tuple[Finding, ...]:
    before = Counter(found.code for found in check_source(filename, source.raw, settings))
    findings = check_source(filename, after, settings)
    now = Counter(found.code for found in findings)
    left = Counter(site.code for site in sites if not site.automatic)
    for code, count in now.items():
        if count > before[code] and code not in EXPOSED:
            raise ProofError(f"the rewritten file would have a new finding, {code}")
        if count > left[code] and any(site.code == code and site.edits for site in sites):
            raise ProofError(f"a finding of {code} would still be there")
    return tuple(found for found in findings if found.code in EXPOSED and not before[found.code])


def _compare_untouched(script: Script, edits: Sequence[Edit], text: str, tree: ast.Module) -> None:
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
    try:
        old = list(_untouched(ast.parse(script.source.text), script.utf8, declared))
    except SyntaxError:
        return  # a grammar newer than this interpreter
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
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        at = bisect_right(begins, end - 1)
        if not any(begin < end and stop > start for begin, stop in ordered[:at]):
            yield ast.dump(node)
