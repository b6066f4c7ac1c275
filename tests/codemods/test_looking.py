"""The visitor that only looks sees what libcst's own walk sees, in its order; and what a plan costs."""

from __future__ import annotations

import ast
import gc
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import libcst as cst
import pytest

from cleanguard.files import discover
from cleanguard.settings.config import Settings
from codemods.migration import migrate_source
from codemods.plan.options import EVERYTHING
from codemods.planning import Planner
from codemods.script import closures
from codemods.script import looking as _tree_module
from codemods.script import text as text_module
from codemods.script.looking import Looking
from lint_rules._engine.checking import check_source
from lint_rules._flow import analysis
from lint_rules._light.exact import InexactError, exact_module

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    *sorted((ROOT / "cleanguard" / "legacy").glob("*.py")),
    *sorted((ROOT / "tests" / "codemods" / "wild").glob("*.py")),
    *sorted((ROOT / "codemods").rglob("*.py")),
]
# Counted calls of a plan, with its proof, for one call of a check that gives no edits. First run: 6.0; on exact trees 4.1.
MOST_CALLS = 5.0
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
        with suppress(
            InexactError
        ):  # the same of another tree, in which no `/` of parameters stands
            exact_looking, also_seen = recorder(Looking, skipping)
            exact_module(ast.parse(text), text).visit(exact_looking)
            named = [entry[:2] for entry in expected if entry[1] != "ParamSlash"]
            assert [entry[:2] for entry in also_seen] == named
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


def test_nobody_asks_for_what_only_libcst_has() -> None:
    """Whitespace, or the very class of a node: an exact tree would be left for a full one, or taken for another kind."""
    spaces = {
        "leading_lines",
        "trailing_whitespace",
        "comma",
        "rpar",
        "lbracket",
        "lbrace",
        "semicolon",
        "footer",
    }
    for path in (ROOT / "codemods").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                place = f"{path}:{node.lineno}"
                assert node.attr not in spaces, place
                assert not node.attr.startswith("whitespace_"), place
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "type":
                assert path.stem == "looking", f"{path}:{node.lineno}: ask with isinstance"


def test_each_text_is_read_and_followed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script and the rewritten one: two texts, however many sites there are."""
    done: Counter[str] = Counter()

    def counted(place: Any, name: str) -> None:
        real = getattr(place, name)

        def counting(*args: Any, **options: Any) -> Any:
            done[name] += 1
            return real(*args, **options)

        monkeypatch.setattr(place, name, counting)

    counted(analysis, "run")
    counted(text_module, "exact_module")
    counted(cst, "parse_module")
    counted(_tree_module, "_Tree")
    parse = ast.parse

    def parsing(source: Any, *args: Any, **options: Any) -> Any:
        done["parses of a whole text"] += len(source) > 1000
        return parse(source, *args, **options)

    monkeypatch.setattr(ast, "parse", parsing)
    paths = [path for path in FILES if path.parent.name == "legacy"]
    for path in paths:
        assert migrate_source(str(path), path.read_bytes(), Settings()).changed
    both = 2 * len(paths)
    assert done == {
        "run": both,
        "exact_module": both,
        "_Tree": both,
        "parses of a whole text": both,
    }


def test_modules_of_the_run_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names are followed through them."""
    (tmp_path / "big.py").write_text(
        "import torch\n\n" + "".join(f"def f{n}(model, x):\n    return f{n + 1}(model, x)\n\n\n" for n in range(50))
        + "def f50(model, x):\n    return model(x).logits\n"
    )  # fmt: skip
    script_file = tmp_path / "main.py"
    names = ", ".join(f"f{n}" for n in range(50))
    script_file.write_text(
        f"from big import {names}\nfrom transformers import AutoModelForCausalLM\n\n"
        "model = AutoModelForCausalLM.from_pretrained('gpt2')\n"
        + "".join(f"f{n}(model, [1])\n" for n in range(50))
    )
    read: list[str] = []
    outline = closures._Outline

    class Outline(outline):
        def __init__(self, module: ast.Module) -> None:
            read.append(ast.unparse(module)[:12])
            super().__init__(module)

    monkeypatch.setattr(closures, "_Outline", Outline)
    files = discover([str(tmp_path)])
    planner = Planner(files, Settings())
    planner._plan(EVERYTHING, next(file for file in files if file.path.name == "main.py"))
    assert read == ["import torch"]


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
