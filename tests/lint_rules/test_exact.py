"""Exact trees are libcst's: the same nodes in the same order, each at the place that libcst gives it."""

from __future__ import annotations

import ast
import asyncio.base_events
import statistics
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libcst as cst
import pytest

from lint_rules._light import light_module, tree
from lint_rules._light.exact import ORDER, ExactPositions, InexactError, exact_module
from lint_rules._light.positions import Positions
from lint_rules._questions.reach import nodes_in

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    *sorted((ROOT / "cleanguard" / "legacy").glob("*.py")),
    *sorted((ROOT / "tests" / "codemods" / "wild").glob("*.py")),
    *sorted((ROOT / "codemods").rglob("*.py")),
    *(Path(module.__file__ or "") for module in (statistics, typing, asyncio.base_events)),
]
# Libcst's fields that hold no code, or what no rewrite asks for.
_SPACE = ("whitespace", "lpar", "rpar", "comma", "semicolon", "line", "indent", "header", "footer", "equal", "dot", "brace",
          "bracket", "colon", "posonly_ind", "asynchronous", "separator", "type_parameters", "relative")  # fmt: skip
_VALUES = {"Name": ("value",), "SimpleString": ("value", "evaluated_value"), "Integer": ("value", "evaluated_value"),
           "Float": ("value", "evaluated_value"), "FormattedStringText": ("value",), "Arg": ("star",),
           "Param": ("star",), "FormattedStringExpression": ("conversion",)}  # fmt: skip
SHAPES = r'''
#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""Text."""
import a, b.c as d; from . import e
from .. f import (g, h as i,)
x = (1, (2), 3,); y = (a), (b); z = ((a, b)); w = a,
t = "a" "b" f"{c}" r"\d", b"x" b'y', """a
b""", "é" 'ß', ("a"
  # between
  "b")
u = f"{a} {b.c!r:>{width}} {{no}} {d['k']} {f(x, (1))} {'in' + 'n'} \n \N{EM DASH} {e:,}" f'{g}'
v = f"{h if i == 'j' else k}{f'{l} {m!s}'}{[n for n in o]}{p != q}{r >= s}"
del a, (b); del (c)
(a).b = ((c))[0](d)(*e, f=(g), **h)[1:2, ..., i:, ::j, (k)]
if (a) and (b) or not (c): pass
elif d: e; f;
else:
    if g: h
    elif i:
        pass
for (a, b) in c: break
else:
    # why
    d
while (a := b): continue
try:
    raise A from (b)
except (A, B) as c: pass
except D:
    e
else: f
finally:
    g
with a as b, (c): d
async def f(a, /, b: int = (1), *c: str, d, e=2, **g) -> (h):
    async with a as b:
        await c
    async for d in e: yield (f)
    return [g async for g in h if (i) if j], {k: v for k, v in l}, {**m, n: (o)}, {p, *q}
@a.b(c)
class C(A, B, metaclass=M):
    x: int
    y: "int" = 1
    def m(self): nonlocal_ = lambda a, *b, c=(1), **d: (a); global p, q
a = b if (c) else d; e = -f ** ~g @ h; i += (j) - 1; k = l < m <= n is not o not in p
print((yield)); assert (a), b; "a"; ...; 0x1F; 1e3; None is True
a = \
    b
'''.strip("\n")


def _kids(node: Any, fields: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for field in fields:
        value = getattr(node, field)
        if isinstance(value, (list, tuple)):
            yield from ((field, one) for one in value)
        elif isinstance(value, tree.CSTNode):
            yield field, value


def _plain(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(field for field in fields if not any(word in field for word in _SPACE))


_ORDER: dict[type, tuple[str, ...]] = {}


class _Fields(cst.CSTVisitor):
    """Notes the fields of the first node in the order of libcst's own walk."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._depth = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        self._depth += 1
        return self._depth == 1

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._depth -= 1

    def on_visit_attribute(self, node: cst.CSTNode, attribute: str) -> None:
        self.found.append(attribute)


def _full_fields(node: cst.CSTNode) -> tuple[str, ...]:
    if type(node) not in _ORDER:
        seen = _Fields()
        node.visit(seen)
        more = [] if "format_spec" not in dir(node) else ["format_spec"]
        _ORDER[type(node)] = _plain(tuple(dict.fromkeys([*seen.found, *more])))
    return _ORDER[type(node)]


def _bases(node: Any) -> list[str]:
    return [base for base in tree.BELOW if isinstance(node, getattr(tree, base))]


def compare(text: str) -> tuple[int, int]:
    """Compares a text's two trees; how many nodes they have, and of how many an exact tree knows the place."""
    exact, full = exact_module(ast.parse(text), text), cst.parse_module(text)
    assert (exact.default_newline, exact.default_indent) == (
        full.default_newline,
        full.default_indent,
    )
    places, truth = ExactPositions(exact, text), Positions(full, text)
    count = placed = 0
    waiting: list[tuple[Any, Any]] = [(exact, full)]
    while waiting:
        one, other = waiting.pop()
        name = type(other).__name__
        assert type(one).__name__ == name
        assert isinstance(one, getattr(cst, name))
        assert _bases(one) == _bases(other)
        count += 1
        for field in _VALUES.get(name, ()):
            assert (getattr(one, field) or "") == (getattr(other, field) or ""), name
        if one is not exact:
            try:
                span = places.span(one)
            except InexactError:
                pass  # whoever asks goes on with a full tree
            else:
                placed += 1
                assert span == truth.span(other), (name, text[span.start : span.end])
            if isinstance(other, cst.BaseExpression) and one.begin >= 0:
                try:
                    assert len(one.lpar) == len(other.lpar), (name, text[span.start : span.end])
                except InexactError:
                    assert one.begin > 0  # in an f-string
        below, expected = (
            list(_kids(one, _plain(ORDER[type(one)]))),
            list(_kids(other, _full_fields(other))),
        )
        assert [field for field, _ in below] == [field for field, _ in expected], name
        waiting += [(a, b) for (_, a), (_, b) in zip(below, expected, strict=True)]
    return count, placed


def test_shapes() -> None:
    count, placed = compare(SHAPES + "\n")
    assert placed > 0.7 * count > 300


def test_line_ends_and_widths() -> None:
    for text in (
        SHAPES.replace("\n", "\r\n"),
        SHAPES.replace("\n", "\r"),
        SHAPES.replace("\n    ", "\n\t"),
        SHAPES + "\n# end",
    ):
        compare(text)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize(
    "inner", ["a if b else c", "lambda: 0", "a, b", "a := b", "not a", "x for x in y", '"s"']
)
def test_parentheses(inner: str) -> None:
    """In every place where an expression may stand."""
    done = 0
    for form in ("assert ({})", "return ({})", "del ({})", "x = a in ({})", "x = ({}) and b", "x = [({}) for a in b]",
                 "if ({}): pass", "for a in ({}): pass", "f(({}), k=({}))", "f({})", "f(\n        {}\n    )", "x[({})]",
                 "x[({}):]", "x = ({}) + 1", "def g(a=({})): pass", "class A(({})): pass", "x = {{({}): ({})}}",
                 "x = [({}), *({})]", "x = (({}), )", "@({})\n    def g(): pass", "({}); ({})", "(({}))",
                 "try: pass\n    except ({}) as e: pass", "f'{{({})}}'"):  # fmt: skip
        text = "def f():\n    " + form.format(*[inner] * 2) + "\n"
        try:
            compile(text, "<text>", "exec")
        except SyntaxError:
            continue
        try:
            compare(text)
        except InexactError:
            continue
        done += 1
    assert done > 10


@pytest.mark.parametrize("text", ["assert(a if b else c)", "x = a in(lambda: 0)", "x = (a if b else c)if d else e",
                                  "(y): int = 1", "(a.b): int = 1", "if(a if b else c): pass"])  # fmt: skip
def test_what_libcst_refuses_is_left_to_it(text: str) -> None:
    compile(text, "<text>", "exec")
    with pytest.raises(InexactError):
        exact_module(ast.parse(text), text)


@pytest.mark.parametrize(
    "text",
    [
        "\fx = 1",
        "x = 1j",
        "match x:\n    case 1: pass",
        'f"{a=}"',
        "ﬁ = 1",
        "def f():\n    # ends so \\\n    a",
    ],
)
def test_what_is_shown_in_another_way_takes_a_full_tree(text: str) -> None:
    with pytest.raises(InexactError):
        compare(text + "\n")


def test_what_only_a_full_tree_has_is_told() -> None:
    (line,) = exact_module(ast.parse("a(b)"), "a(b)").body
    assert isinstance(line, cst.SimpleStatementLine)
    with pytest.raises(InexactError):
        _ = line.leading_lines
    with pytest.raises(AttributeError):
        _ = line.invented  # type: ignore[attr-defined]
    assert getattr(line, "invented", None) is None


def test_loads_have_the_same_numbers_in_a_light_tree() -> None:
    """By which other files of a run name them."""
    for text in [SHAPES, *(path.read_text() for path in FILES[:20])]:
        parsed = ast.parse(text)
        light, exact = (
            [part.func for part in nodes_in(module) if isinstance(part, cst.Call)]
            for module in (light_module(parsed), exact_module(parsed, text))
        )
        names = [
            [getattr(getattr(func, "attr", func), "value", "") for func in found]
            for found in (light, exact)
        ]
        assert [one for one in names[0] if isinstance(one, str)] == [
            one for one in names[1] if isinstance(one, str)
        ]
        assert len(light) == len(exact) > 0 or "(" not in text


def test_legacy_scripts() -> None:
    for path in FILES[:4]:
        compare(path.read_text())


@pytest.mark.slow
def test_files() -> None:
    inexact = 0
    for path in FILES:
        try:
            compare(path.read_text())
        except InexactError:
            inexact += 1
    assert inexact < 0.05 * len(FILES)
