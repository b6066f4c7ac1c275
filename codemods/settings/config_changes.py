"""Settings that are put on a GenerationConfig after it was made."""

from __future__ import annotations

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.loader_keywords import literal_value
from codemods.script.purity import is_pure
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import Generate
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span

# Calls that only show what they are given.
_TELLS = frozenset("print str repr len type isinstance info debug warning error log".split())  # noqa: SIM905


def settings_after(script: Script, call: Generate, name: str) -> dict[str, Argument]:
    """The settings that lines `name.setting = …` put on a config between its making and a call.

    Raises:
        CannotRewrite: Something else may change it: another name for it, a function that gets it, a condition.
    """
    scope = script.home_of(name, call.place.function)
    plain = _Plain(name)
    (script.module if scope is None else scope).visit(plain)
    given = {script.span(node).start for node in plain.given}
    changes = {script.span(line).start: line for line in plain.changes}
    stores = [use.offset for use in script.stores_of(name, scope)]
    found: dict[str, Argument] = {}
    for use in script.uses(name, scope):
        if use.stores or use.offset in given:
            continue
        line = changes.get(use.offset)
        if line is None:
            row = script.row_at(use.offset)
            raise CannotRewrite(f"line {row} may change the GenerationConfig after it was made")
        _refuse_elsewhere(script, call, line, stores)
        only = line.body[0]
        assert isinstance(only, cst.Assign)
        target = only.targets[0].target
        assert isinstance(target, cst.Attribute)
        found[target.attr.value] = Argument(
            literal_value(only.value), only.value, cst.Arg(only.value)
        )
    return found


def _refuse_elsewhere(
    script: Script, call: Generate, line: cst.SimpleStatementLine, stores: list[int]
) -> None:
    """The change must lie on the only way from the making to the call."""
    only = line.body[0]
    assert isinstance(only, cst.Assign)
    at, end = script.span(line).start, script.span(call.node).start
    block = next(
        (
            block
            for block in (tuple(script.module.body), *script.blocks())
            if line in block and _stores_in(script, block, stores[0])
        ),
        None,
    )
    row = script.line_of(line)
    if block is None or not _holds(script, block, end) or not stores[0] < at < end:
        raise CannotRewrite(f"line {row} may change the GenerationConfig after it was made")
    names = script.names_in(script.span(only.value))
    if not is_pure(only.value) or names & script.stored_in(Span(script.span(line).end, end)):
        raise CannotRewrite("the GenerationConfig may change before the call")


def _stores_in(script: Script, block: tuple[cst.BaseStatement, ...], offset: int) -> bool:
    """Whether a name is stored by a line of the block itself."""
    return any(
        isinstance(line, cst.SimpleStatementLine)
        and script.span(line).start <= offset < script.span(line).end
        for line in block
    )


def _holds(script: Script, block: tuple[cst.BaseStatement, ...], offset: int) -> bool:
    return script.span(block[0]).start <= offset < script.span(block[-1]).end


class _Plain(cst.CSTVisitor):
    """The lines `name.setting = …`, and where the name is given as `generation_config`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._fine: set[cst.CSTNode] = set()
        self.changes: list[cst.SimpleStatementLine] = []
        self.given: list[cst.Name] = []

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> None:
        only = node.body[0] if len(node.body) == 1 else None
        if not isinstance(only, cst.Assign) or len(only.targets) != 1:
            return
        target = only.targets[0].target
        if isinstance(target, cst.Attribute) and isinstance(target.value, cst.Name):
            self.changes += [node] if target.value.value == self.name else []

    def visit_Call(self, node: cst.Call) -> None:
        name = dotted(node.func) or ""
        if name.rpartition(".")[2] in _TELLS:
            self._tell(node.args[0].value if node.args else None)
            for arg in node.args[1:]:
                self._tell(arg.value)
        function = node.func
        if isinstance(function, cst.Attribute):
            self._fine.add(function)
            if function.attr.value.startswith("to_"):
                self._tell(function.value)

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._fine.add(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._fine.add(node.target)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        if node not in self._fine and node.attr.value != "__dict__":  # a setting that is read
            self._tell(node.value)

    def visit_FormattedStringExpression(self, node: cst.FormattedStringExpression) -> None:
        self._tell(node.expression)

    def _tell(self, node: cst.CSTNode | None) -> None:
        if isinstance(node, cst.Name) and node.value == self.name:
            self.given.append(node)

    def visit_Arg(self, node: cst.Arg) -> None:
        keyword = None if node.keyword is None else node.keyword.value
        named = isinstance(node.value, cst.Name) and node.value.value == self.name
        if keyword == "generation_config" and named and isinstance(node.value, cst.Name):
            self.given.append(node.value)
