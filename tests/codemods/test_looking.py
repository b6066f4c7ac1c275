"""The visitor that only looks sees what libcst's own walk sees, in its order; and what a plan costs."""

from __future__ import annotations

import ast
import gc
import sys
from pathlib import Path

import libcst as cst
import pytest

from cleanguard.settings.config import Settings
from codemods.migration import migrate_source
from codemods.script.looking import Looking
from lint_rules._engine.checking import check_source

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    *sorted((ROOT / "cleanguard" / "legacy").glob("*.py")),
    *sorted((ROOT / "tests" / "codemods" / "wild").glob("*.py")),
    *sorted((ROOT / "codemods").rglob("*.py")),
]
# Counted calls of a plan, with its proof, for one call of a check that gives no edits. First run: 6.0.
MOST_CALLS = 7.0
ODD = """
@decorated(1)
async def f(a, /, b: int = 1, *args: str, c=2, **rest) -> None:
    async with x as y, z:
        yield [*p, *(q async for q in r if q if s)], {k: v, **w}, {i for i in j}, {k: v for k, v in m}
    async for t in u: await t
    else: pass
    return (lambda n, *o, p=1, **q: n)(*a, k=1, **b), d[1:2:3, ...], a if b else c, not e, f"{g!r:>{h}}"
class C(B, metaclass=M):
    x: int
    y = z = 1
    def m(self): nonlocal_ = 1; global g
    def n(self):
        k = 1
        def i():
            nonlocal k
            k += 1; del k; assert k, "no"; raise E from F
try: import a.b as c, d
except (A, B) as e: from ..p import (q as r, s)
else: from t import *
finally: u
while (v := w): break
match x:
    case [1, *rest] | {"a": A(b=2), **more} if ok: pass
    case C.d as e: pass
    case _: pass
a @ b < c <= d in e is not f; g: int = 1; "a" "b"; ...; 1j; -1
"""


def recorder(base: type[cst.CSTVisitor], skipping: frozenset[str] = frozenset()):
    """A visitor with methods for every class of nodes with code, that notes what it is given."""
    seen: list[tuple[str, str, int]] = []

    def noting(kind: str, name: str):
        def method(self, node):
            seen.append((kind, name, id(node)))
            return False if name in skipping and kind == "visit" else None

        return method

    names = [
        name
        for name in vars(cst)
        if isinstance(getattr(cst, name), type)
        and issubclass(getattr(cst, name), cst.CSTNode)
        and hasattr(cst.CSTVisitor, f"visit_{name}")
        and not issubclass(
            getattr(cst, name),
            (
                cst.BaseParenthesizableWhitespace,
                cst.EmptyLine,
                cst.TrailingWhitespace,
                cst.Newline,
                cst.Comment,
                cst.Comma,
                cst.Semicolon,
                cst.Dot,
                cst.Colon,
                cst.AssignEqual,
                cst.LeftParen,
                cst.RightParen,
                cst.LeftSquareBracket,
                cst.RightSquareBracket,
                cst.LeftCurlyBrace,
                cst.RightCurlyBrace,
            ),
        )
    ]
    methods = {
        f"{kind}_{name}": noting(kind, name) for kind in ("visit", "leave") for name in names
    }
    return type("Recorder", (base,), methods)(), seen


@pytest.mark.parametrize(
    "skipping",
    [
        frozenset({"FunctionDef", "Call", "Attribute"}),
        pytest.param(frozenset(), marks=pytest.mark.slow),
    ],
)
def test_the_same_nodes_in_the_same_order(skipping: frozenset[str]) -> None:
    files = FILES[:3] if skipping else FILES
    for text in [ODD, *(path.read_text() for path in files)]:
        module = cst.parse_module(text)
        plain, expected = recorder(cst.CSTVisitor, skipping)
        looking, seen = recorder(Looking, skipping)
        module.visit(plain)
        module.visit(looking)
        assert seen == expected
        for part in module.body[:3]:  # below the module, where there is no index
            seen.clear()
            expected.clear()
            part.visit(plain)
            part.visit(looking)
            assert seen == expected


def test_every_visitor_of_the_codemods_only_looks() -> None:
    """But those that are told of every node, and libcst's own order of fields."""
    for path in (ROOT / "codemods").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and "CSTVisitor" in map(_last, node.bases):
                methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                assert "on_visit" in methods, f"{path}: {node.name} should derive from Looking"


def _last(base: ast.expr) -> str:
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")


def calls_of(work) -> int:
    count = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.collect()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.slow
def test_a_plan_with_its_proof_costs_few_checks() -> None:
    files = [(str(path), path.read_bytes()) for path in FILES if path.parent.name == "legacy"]
    assert len(files) == 15
    settings = Settings()

    def check() -> None:
        for name, raw in files:
            check_source(name, raw, settings, edits=False)

    def plan() -> None:
        for name, raw in files:
            assert migrate_source(name, raw, settings).changed

    check()  # what is loaded and remembered once
    plan()
    assert calls_of(plan) < MOST_CALLS * calls_of(check)
