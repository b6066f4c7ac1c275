"""The variable of generated ids becomes one of text: its new name, and whether its other uses bear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.generation.chain import decoded_span
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span


def new_name(script: Script, name: str, *, single: bool) -> str:
    """What the variable of ids is called as a variable of text: `text`, `texts`; as before if taken."""
    wanted = "text" if single else "texts"
    others = {
        assigned_name(call.place.line)
        for call in script.flow.events(Generate)
        if call.place.line is not None
    }
    if len(others) > 1:
        wanted = f"{name}_{wanted}"
    for candidate in (wanted, f"generated_{wanted}"):
        if not script.is_taken(candidate):
            return candidate
    return name


@dataclass(frozen=True, slots=True)
class Direct:
    """A line that does nothing but give the decoded text its name."""

    name: str
    line: cst.SimpleStatementLine


def direct_target(
    script: Script,
    calls: Sequence[tuple[Encode, Generate]],
    decodes: Sequence[Decode],
    *,
    single: bool,
) -> Direct | None:
    """The line `text = tokenizer.decode(…)` whose name the generation can take at once.

    It decodes the only generation, under no condition that the generation is not under, and nothing
    else assigns the name or reads it before.
    """
    if len(calls) != 1 or len(decodes) != 1:
        return None
    generate, decode = calls[0][1], decodes[0]
    line = decode.place.line
    name = None if line is None else assigned_name(line)
    if line is None or name is None:
        return None
    only = line.body[0]
    whole = whole_comprehension(script, decode)
    if whole is None and not single and decode.method != "batch_decode":
        return None
    span = whole or decoded_span(script, decode)
    if not isinstance(only, cst.Assign) or script.span(only.value) != span:
        return None
    if not set(decode.place.parents) <= set(generate.place.parents):
        return None
    if len(script.stores_of(name, generate.place.function)) != 1:
        return None
    start = script.span(generate.node).start
    earlier = (use for use in script.uses(name, generate.place.function) if use.offset < start)
    return None if any(earlier) else Direct(name, line)


def whole_comprehension(script: Script, decode: Decode) -> Span | None:
    """`[tokenizer.decode(row) for row in rows]`, which is the list of texts itself."""
    visitor = _Comprehensions(decode.node)
    script.module.visit(visitor)
    return None if visitor.found is None else script.span(visitor.found)


class _Comprehensions(Looking):
    def __init__(self, element: cst.CSTNode) -> None:
        self.element = element
        self.found: cst.ListComp | None = None

    def visit_ListComp(self, node: cst.ListComp) -> None:
        plain = not node.for_in.ifs and node.for_in.inner_for_in is None
        if node.elt is self.element and plain and isinstance(node.for_in.target, cst.Name):
            self.found = node


def renames(
    script: Script,
    name: str,
    text: str,
    function: cst.FunctionDef | None,
    consumed: Sequence[Span],
) -> list[Edit]:
    """The remaining uses of the variable that a text answers as well: `is None`, `len`, `del`.

    Raises:
        CannotRewrite: Any other use.
    """
    if text != name and script.is_taken_elsewhere(name, function):
        raise CannotRewrite(f"another file takes `{name}` from this one")
    allowed = _harmless_uses(script, name, function)
    edits: list[Edit] = []
    for use in script.uses(name, function):
        if any(span.start <= use.offset < span.end for span in consumed):
            continue
        if use.offset not in allowed:
            raise CannotRewrite("what generate returns is used for more than its text")
        if text != name:
            edits.append(Edit(use.offset, use.offset + len(name.encode()), text))
    return edits


def _harmless_uses(script: Script, name: str, function: cst.FunctionDef | None) -> set[int]:
    visitor = _Harmless(name)
    (script.module if function is None else function).visit(visitor)
    return {script.span(node).start for node in visitor.found}


class _Harmless(Looking):
    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[cst.CSTNode] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        value = node.value
        called = dotted(value.func) if isinstance(value, cst.Call) else None
        generates = called is not None and called.endswith(".generate")
        if generates or (isinstance(value, cst.Name) and value.value == "None"):
            self._keep(*(target.target for target in node.targets))

    def visit_Comparison(self, node: cst.Comparison) -> None:
        last = node.comparisons[-1].comparator
        if isinstance(last, cst.Name) and last.value == "None":
            self._keep(node.left)

    def visit_Del(self, node: cst.Del) -> None:
        targets = node.target.elements if isinstance(node.target, cst.Tuple) else ()
        self._keep(node.target, *(element.value for element in targets))

    def _keep(self, *nodes: cst.CSTNode) -> None:
        self.found += [
            node for node in nodes if isinstance(node, cst.Name) and node.value == self.name
        ]
