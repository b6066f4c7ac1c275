"""Files through `check` and `migrate`."""

from __future__ import annotations

import ast
import io
import re
import time
import tokenize
import warnings
from collections import Counter
from collections.abc import Sequence

from benchmarks.fuzz.outcomes import Outcome
from cleanguard.editing.edits import Edit
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import migrate_source
from codemods.plan.documents import ScriptDocument
from lint_rules._engine.checking import check_source
from lint_rules._run.source import Source

SETTINGS = Settings()
# What is said to tools about a line goes with the line.
_DIRECTIVE = re.compile(
    r"#\s*(noqa|type:\s*ignore|pylint:|pragma:|fmt:|isort:|ruff:|yapf:)", re.IGNORECASE
)


def check(file: SourceFile) -> Outcome:
    """What `check` says of a file: a finding, none, or that it cannot be read."""
    raw, began = file.read(), time.process_time()
    found = check_source(file.name, raw, SETTINGS, edits=False)
    seconds = time.process_time() - began
    if any(one.code == "CG900" for one in found):
        return Outcome("CG900", seconds)
    return Outcome("findings" if found else "clean", seconds)


def migrate(file: SourceFile) -> Outcome:
    """What `migrate` would write, and whether it keeps what it promises."""
    raw, began = file.read(), time.process_time()
    with _Watched() as watched:
        plan = migrate_source(file.name, raw, SETTINGS)
    seconds = time.process_time() - began
    if plan.refusal is not None:
        return Outcome("refused", seconds, plan.refusal)
    if not plan.changed:
        return Outcome("nothing to rewrite", seconds)
    if file.name.endswith(".py"):
        if not any(_outside(*one) == plan.after for one in watched.written):
            return Outcome("bytes outside the edits", seconds)
        if _compiles(raw) and not _compiles(plan.after):
            return Outcome("does not compile", seconds)
        if not _comments(raw) <= _comments(plan.after):
            return Outcome(
                "a comment is lost", seconds, repr(_comments(raw) - _comments(plan.after))
            )
    if migrate_source(file.name, plan.after, SETTINGS).changed:
        return Outcome("a second run changes it", seconds)
    return Outcome("rewritten", seconds)


class _Watched:
    """Sees which edits the rewriter asks to be made."""

    def __init__(self) -> None:
        self.written: list[tuple[Source, Sequence[Edit]]] = []

    def __enter__(self) -> _Watched:
        self._kept = kept = ScriptDocument.written
        written = self.written

        def seen(document: ScriptDocument, edits: Sequence[Edit]) -> bytes:
            written.append((document.source, edits))
            return kept(document, edits)

        ScriptDocument.written = seen  # type: ignore[method-assign]
        return self

    def __exit__(self, *_error: object) -> None:
        ScriptDocument.written = self._kept  # type: ignore[method-assign]


def _outside(source: Source, edits: Sequence[Edit]) -> bytes:
    """The file with the edits made, put together in another way than the product does: from the end, in the file's own bytes."""
    utf8, raw = source.text.encode(), source.raw
    for edit in sorted(edits, reverse=True):
        tail = len(utf8[edit.end :].decode().encode(source.encoding))
        gone = len(utf8[edit.start : edit.end].decode().encode(source.encoding))
        at = len(source.raw) - tail - gone
        new = edit.text.encode(source.encoding)
        raw = raw[:at] + new + raw[at + gone :]
    return raw


def _compiles(raw: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(raw)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _comments(raw: bytes) -> Counter[str]:
    found: Counter[str] = Counter()
    try:
        lines = raw.replace(b"\r\n", b"\n").replace(
            b"\r", b"\n"
        )  # of which tokenize knows only the last
        for token in tokenize.tokenize(io.BytesIO(lines).readline):
            if token.type == tokenize.COMMENT and not _DIRECTIVE.match(token.string):
                found[token.string.strip()] += 1
    except (SyntaxError, tokenize.TokenError):
        return Counter()
    return found
