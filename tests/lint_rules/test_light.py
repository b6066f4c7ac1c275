"""Light trees say what libcst's own trees say, whitespace aside."""

from __future__ import annotations

import ast
import asyncio.base_events
import dataclasses
import enum
import inspect
import re
import statistics
import typing
from pathlib import Path
from types import ModuleType
from typing import Any

import libcst as cst
import pytest

import lint_rules._light.full  # noqa: F401 - joins the two kinds of nodes
from cleanguard.settings.config import Settings
from lint_rules._engine import checking
from lint_rules._engine.checking import check_source
from lint_rules._light import light_module, tree
from lint_rules._light.by_kind import ByKind
from lint_rules._light.nodes import FIELDS

# Fields that hold no code; an operator's only ones.
_SPACE = ("whitespace", "lpar", "rpar", "comma", "semicolon", "_lines", "indent", "header", "footer",
          "equal", "dot", "brace", "bracket", "colon", "posonly_ind", "encoding", "newline", "start",
          "end", "asynchronous", "separator", "lines_after", "type_parameters")  # fmt: skip
# What no rule looks at, so that a light tree does not have it.
_UNSET = {("Raise", "cause"), ("NotEqual", "value"), ("ExceptHandler", "name"), ("MatchCase", "pattern"),
          ("FormattedStringExpression", "conversion"), ("FormattedStringExpression", "format_spec"),
          ("With", "asynchronous"), ("For", "asynchronous")}  # fmt: skip


def _said(node: Any) -> Any:
    """A node as nested tuples of what both kinds of trees can tell."""
    if isinstance(node, (cst.SimpleString, cst.Integer, cst.Float)):
        return ("literal", node.evaluated_value)
    if isinstance(node, (cst.ConcatenatedString, cst.FormattedString)):
        return _text(node)
    if isinstance(node, (cst.Imaginary, cst.Ellipsis)):
        return "..."
    if isinstance(node, (cst.IndentedBlock, cst.SimpleStatementSuite)):
        return ("suite", _statements(node.body))
    if isinstance(node, cst.Else):
        inner = _statements(node.body.body)
        return inner[0] if len(inner) == 1 and inner[0][0] == "If" else ("Else", inner)
    if isinstance(node, cst.Module):
        return _statements(node.body)
    if isinstance(node, cst.CSTNode):
        name = type(node).__name__
        fields = [field.name for field in dataclasses.fields(getattr(cst, name))]
        return (
            name,
            *(
                (field, _said(getattr(node, field)))
                for field in fields
                if not any(part in field for part in _SPACE) and (name, field) not in _UNSET
            ),
        )
    if isinstance(node, cst.MaybeSentinel):
        return None
    return tuple(map(_said, node)) if isinstance(node, (list, tuple)) else node or None


def _statements(body: Any) -> list[Any]:
    """Statements one by one; `pass` and what is on its line with others are no difference."""
    flat = [
        small
        for each in body
        for small in (each.body if isinstance(each, cst.SimpleStatementLine) else (each,))
    ]
    return [_said(each) for each in flat if not isinstance(each, cst.EmptyLine)]


def _text(node: Any) -> Any:
    """The expressions in a formatted or concatenated text, and its literal text if it has none."""
    if isinstance(node, cst.ConcatenatedString):
        left, right = _said(node.left), _said(node.right)
        if left[0] == right[0] == "literal":
            return ("literal", left[1] + right[1])
        return ("text", *(part for side in (left, right) if side[0] == "text" for part in side[1:]))
    return (
        "text",
        *(_said(p.expression) for p in node.parts if isinstance(p, cst.FormattedStringExpression)),
    )


def _both(source: str) -> tuple[Any, Any]:
    return _said(light_module(ast.parse(source))), _said(cst.parse_module(source))


@pytest.mark.parametrize(
    "module",
    [asyncio.base_events, enum, inspect, statistics, typing, dataclasses, ast],
    ids=lambda module: module.__name__,
)
def test_modules_of_the_standard_library_read_the_same(module: ModuleType) -> None:
    source = Path(inspect.getsourcefile(module) or "").read_text(encoding="utf-8")
    light, full = _both(source)
    assert light == full


@pytest.mark.parametrize(
    "source",
    [
        "f(a, *b, k=1, **c)\nf(k=1, *b)\nclass A(B, *C, metaclass=M, **k):\n    pass\n",
        "def f(a, /, b: int = 1, *c, d, e=2, **g) -> str: return a\nlambda x, *, y=1: x\n",
        "async def f():\n    async with a as b, c:\n        async for x in y:\n            await x\n",
        "try:\n    a\nexcept (A, B) as e:\n    b\nelse:\n    c\nfinally:\n    d\n",
        "if a:\n    b\nelif c:\n    d\nelse:\n    e\n",
        "x[1:2, ::3, a]\nx[a] = y[b][c] = 1\nx: list[int] = []\ny: int\nz += 1\n",
        "import a.b.c as d, e\nfrom ..f import (g as h, i)\nfrom . import j\nfrom k import *\n",
        "a if b else c\nnot a\n-b\na < b <= c in d\na and b and c or d\n(w := 1)\n",
        "{**a, 'b': c}\n{1, *d}\n[*e, f]\n(g,)\n{h: i for h, i in j if k for l in m}\n",
        "match a:\n    case [b, *c] if d:\n        e\n    case _:\n        f\n",
        "def g():\n    yield\n    yield a\n    yield from b\n    global c\n    raise d from e\n",
        "x = 'a' \"b\" if c else b'd' b'e'\nf'{a!r:>{b}} {c}' 'd'\n1_000; 1e3; 2j; ...\n",
        "while a: b; break\nelse: c\ndel d\nassert e, f\nprint(x for x in y)\n",
        "@a.b(c)\n@d\nclass E: f = 1\n",
    ],
)
def test_every_kind_of_node_reads_the_same(source: str) -> None:
    light, full = _both(source)
    assert light == full


def test_a_file_without_findings_is_never_parsed_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(source: str) -> cst.Module:
        raise AssertionError(source)

    monkeypatch.setattr(cst, "parse_module", parse)
    clean = b"from transformers import AutoModel\nmodel = AutoModel.from_pretrained('x/y')\n"
    assert checking.check_source("clean.py", clean, Settings()) == ()
    with pytest.raises(AssertionError):
        checking.check_source(
            "raw.py", clean.replace(b"AutoModel", b"AutoModelForCausalLM"), Settings()
        )


_LOAD = "M.from_pretrained('gpt2')"
_HOLDERS = {
    "beside another": f"x = 1; m = {_LOAD}; y = 2\n",
    "over lines": f"x = (1,\n 2); m = {_LOAD}\n",
    "elif": f"if a:\n    pass\nelif b:\n    pass\nelif c:\n    m = {_LOAD}\n",
    "test of elif": f"if a:\n    pass\nelif {_LOAD}:\n    pass\n",
    "else with an if": f"if a:\n    pass\nelse:\n    if b:\n        m = {_LOAD}\n",
    "else of a loop": f"for i in a:\n    pass\nelse:\n    m = {_LOAD}\n",
    "while": f"while a:\n    m = {_LOAD}\nelse:\n    n = {_LOAD}\n",
    "with": f"with a as b, {_LOAD} as c:\n    m = {_LOAD}\n",
    "try": f"try:\n    m = {_LOAD}\nexcept E:\n    n = {_LOAD}\nelse:\n    o = {_LOAD}\nfinally:\n    p = {_LOAD}\n",
    "finally alone": f"try:\n    pass\nfinally:\n    m = {_LOAD}\n",
    "match": f"match a:\n    case 1:\n        m = {_LOAD}\n    case _ if {_LOAD}:\n        pass\n",
    "class and function": f"class A:\n    m = {_LOAD}\n    def f(self):\n        def g():\n            return {_LOAD}\n        return g\n",
    "default": f"def f(m={_LOAD}):\n    pass\nf()\n",
    "decorator": f"@d({_LOAD})\ndef f():\n    pass\n",
    "lambda": f"f = lambda: {_LOAD}\nf()\n",
    "called before its turn": f"def f():\n    return {_LOAD}\nfor i in a:\n    m = f()\n",
}


@pytest.mark.parametrize("text", _HOLDERS.values(), ids=_HOLDERS.keys())
def test_places_by_statement_are_those_of_the_full_tree(text: str) -> None:
    raw = f"from transformers import AutoModelForCausalLM as M\n{text}".encode()
    light = check_source("a.py", raw, Settings(), edits=False)
    full = check_source("a.py", raw, Settings())
    places = [(one.code, one.location, one.end_location) for one in light]
    assert places == [(one.code, one.location, one.end_location) for one in full]
    assert text.count(_LOAD) == sum(code == "CG101" for code, _, _ in places)


_KINDS = ["CSTNode", *(name for below in tree.BELOW.values() for name in below.split())]


def test_kinds_are_below_each_other_as_libcsts_are() -> None:
    known = {name: getattr(cst, name) for name in _KINDS if hasattr(cst, name)}
    assert set(_KINDS) - set(known) <= {"LazyImport", "LazyImportFrom", "TemplatedString", "TemplatedStringText"}  # fmt: skip
    for one, full_one in known.items():
        for other, full_other in known.items():
            ours = issubclass(getattr(tree, one), getattr(tree, other))
            # Without what `full` adds: by libcst's own bases.
            assert ours == (full_other in full_one.__mro__), (one, other)


def test_both_kinds_of_nodes_are_of_each_others_classes() -> None:
    source = "@d\ndef f(a: int, *b) -> None:\n    x[1:2] = -a + 1.5 if g('t', k=[*b]) else f'{a}'\n"
    for module in (light_module(ast.parse(source)), cst.parse_module(source)):
        (function,) = module.body
        for ours in (tree, cst):
            assert isinstance(function, ours.FunctionDef)
            assert isinstance(function, ours.BaseCompoundStatement)
            assert not isinstance(function, (ours.ClassDef, ours.BaseExpression))
            (line,) = function.body.body
            (assigned,) = line.body
            assert isinstance(assigned.targets[0].target, ours.Subscript)
            assert isinstance(assigned.value.test, ours.Call)
            assert isinstance(assigned.value.test.args[0].value, ours.SimpleString)
            assert not isinstance(assigned.value.test.args[0].value, ours.Name)
            assert isinstance(assigned.value.body.operator, ours.Add)
            assert isinstance(assigned.value.orelse, ours.FormattedString)


def test_light_nodes_have_fields_of_their_kind_and_no_others() -> None:
    for light, fields in FIELDS.items():
        if issubclass(light, cst.CSTNode) and light not in vars(cst).values():
            node = light()
            assert all(hasattr(getattr(cst, light.__name__), field) for field in fields)
            with pytest.raises(AttributeError):
                node.lines_after_all = ()


def test_what_stands_under_a_kind_is_found_for_both_kinds_of_nodes() -> None:
    table: ByKind[str | None] = ByKind({tree.Name: "name", tree.BaseExpression: "expression"})
    for node, said in (("a", "name"), ("f(a)", "expression")):
        assert table[type(cst.parse_expression(node))] == said
        assert table[type(light_module(ast.parse(node)).body[0].body[0].value)] == said  # type: ignore[attr-defined,union-attr]
    assert table[cst.Pass] is None


def test_the_linter_asks_for_kinds_that_exist_and_never_by_type() -> None:
    """A kind that only libcst has would be found by no type checker, and `type(node) is` is never true."""
    root = Path(checking.__file__).parents[1]
    for path in root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "from lint_rules._light import tree as cst" in text:
            used = set(re.findall(r"\bcst\.(\w+)", text))
            assert not {name for name in used if not hasattr(tree, name)}, path
            assert not re.findall(r"\btype\([^()]*\) (?:is|is not|in|not in|==) \(?cst\.", text), (
                path
            )
