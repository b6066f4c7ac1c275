"""CG603: a file of your own hides a package of cleanguard."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import tree as cst
from lint_rules._run.neighbours import stranger_beside
from lint_rules.rule import Report, Rule

# What people import from the package, so that a `guard` of another meaning is left alone.
_NAMES = frozenset({"CleanModelLoader", "unguarded", "ContaminationError", "records"})


def _check(flow: Flow) -> Iterator[Report]:
    if flow.path is None or "CleanModelLoader" not in flow.imported_names:
        return
    for statement in flow.module.body:
        for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
            stranger = stranger_beside(flow.path) if _imports_guard(small) else None
            if stranger is not None:
                message = f"`{stranger}` beside this file is imported instead of cleanguard's own"
                yield Report(small, message)


def _imports_guard(node: cst.BaseSmallStatement) -> bool:
    if not isinstance(node, cst.ImportFrom) or node.relative or node.module is None:
        return False
    names = () if isinstance(node.names, cst.ImportStar) else node.names
    imported = {dotted(alias.name) for alias in names}
    return dotted(node.module) in ("guard", "cleanguard") and bool(imported & _NAMES)


RULE = Rule(
    hazards.SHADOWED_GUARD,
    _check,
    bad=(
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
""",
        """
from cleanguard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
""",
    ),
    good=(
        """
from clean_loading import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
""",
        """
from guard import check_access

check_access(user)
""",
    ),
    beside=("guard.py",),
)
