"""Whether a prompt is still the same where a guarded call makes its ids: later than the script did."""

from __future__ import annotations

import re

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.closures import closure_text, imports_of
from codemods.script.definitions import Classes
from codemods.script.looking import Looking
from codemods.script.model_uses import Calls
from codemods.script.purity import is_pure
from codemods.script.script import Script
from codemods.texts.plain_ways import refuse_other_ways
from lint_rules._flow.values.events import Decode, Encode, Forward, Generate
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span
from lint_rules._questions.reach import nodes_in

_MOVED = "line {row} may change what is tokenised in line {line}, before the call"
_ANEW = "what is tokenised in line {line} may be another text when it is read again"
_CAUGHT = "the tokenisation of line {line} stands in a `try`, the call outside of it"
# What reads and binds names by their texts.
_READERS = re.compile(r"(?<![.\w])(eval|exec|globals|locals|vars|setattr)\(")
_RUNS = re.compile(r"(?<![.\w])(eval|exec)\(")
# What gives pairs where it is not taken apart.
_ZIPS = re.compile(r"^(list\(|tuple\(|sorted\()?(zip\(|enumerate\(|[\w.]+\.items\(\))")
_CONSUMES = frozenset(
    "str repr format list tuple set frozenset sum max min sorted next any all dict".split()  # noqa: SIM905
)
_LAZY = frozenset(
    "iter map filter zip open reversed enumerate reader DictReader islice chain cycle".split()  # noqa: SIM905
)
# Methods that run when an object is asked for a part, and code that gives another answer each time.
_ASKED = re.compile(
    r"@(\w+\.)?(cached_)?property|def __(?!init__|post_init__|enter__|exit__|call__|new__|repr__)\w+__"
)
_STEPS_ON = re.compile(r"\+=|-=|\.pop\(|\bnext\(|\.append\(|random|sample\(|choice\(|shuffle\(")
_TELLS = frozenset("print info debug warning error log write flush".split())  # noqa: SIM905
# Modules whose functions change nothing that a script holds, and methods that change no text.
_APART = frozenset(
    "torch time np numpy os sys gc random logging logger math tqdm set_seed seed_everything datetime".split()  # noqa: SIM905
)
_METHODS = frozenset(
    "to cuda cpu eval half float train size dim numel item tolist format strip lstrip rstrip replace join lower".split()  # noqa: SIM905
    + "upper split startswith endswith unsqueeze squeeze view long clone detach manual_seed decode".split()  # noqa: SIM905
    + "batch_decode keys values items get".split()  # noqa: SIM905
)


def refuse_moved(script: Script, call: Generate, encode: Encode) -> None:
    """Look whether a prompt may be made where it is generated from, and not where it was tokenised.

    Raises:
        CannotRewrite: Something between the two may change it, or catch what it raises; or the call may not run.
    """
    refuse_other_ways(script, call, encode)
    _refuse_pairs(script, encode)
    line, row = script.line_of(encode.node), script.line_of(call.node)
    if script.once(_runs_texts):
        raise CannotRewrite(
            "the script runs code out of texts, which may use what the call is given"
        )
    at, asked = script.span(encode.node).start, script.span(call.node).start
    if encode.place.function is not call.place.function or not at < asked:
        return
    for one in encode.place.parents:
        if isinstance(one, cst.Try) and one.handlers:
            body = script.span(one.body)
            if body.start <= at < body.end and not body.start <= asked < body.end:
                raise CannotRewrite(_CAUGHT.format(line=line))
    text = encode.args.get("text", 0)
    if text is None or text.expression is None or encode.place.line is call.place.line:
        return
    node = text.expression
    if may_differ(script, node, encode.place.function):
        raise CannotRewrite(_ANEW.format(line=line))
    firm = _is_firm(node)
    caught = any(isinstance(one, cst.Try) and one.handlers for one in encode.place.parents)
    many = not isinstance(node, (cst.SimpleString, cst.FormattedString)) and _may_be_many(
        script, encode
    )
    if caught and many:  # what cannot become one tensor raises there
        raise CannotRewrite(_CAUGHT.format(line=line))
    names = script.names_in(script.span(node))
    given = [argument.value for argument in call.node.args]
    if (many or not firm) and not all(_is_harmless(script, one, names) for one in given):
        raise CannotRewrite(_MOVED.format(row=row, line=line))
    end = script.span(encode.node).end
    for between in script.lines_between(encode.place.function, Span(end, asked)):
        if script.span(between).start < end or between is call.place.line:
            continue
        code = script.code(between)
        changes = not _is_harmless(script, between, names)
        if (
            _READERS.search(code)
            or (changes and (many or not firm))
            or (not firm and _tells(between))
        ):
            raise CannotRewrite(_MOVED.format(row=script.line_of(between), line=line))


def _refuse_pairs(script: Script, encode: Encode) -> None:
    """Texts in pairs are tokenised together; the guard takes each for a prompt."""
    text = encode.args.get("text", 0)
    node = None if text is None else text.expression
    values = [] if node is None else [node]
    if isinstance(node, cst.Name):
        scope = script.home_of(node.value, encode.place.function)
        values += script.assigned_values(node.value, scope)
    for value in values:
        elements = value.elements if isinstance(value, (cst.List, cst.Tuple)) else ()
        inner = [one.value for one in elements]
        inner += [value.elt] if isinstance(value, cst.ListComp) else []
        zips = isinstance(value, cst.Call) and _ZIPS.search(script.code(value)) is not None
        if zips or any(isinstance(one, (cst.List, cst.Tuple)) for one in inner):
            raise CannotRewrite(f"line {script.line_of(encode.node)} tokenises texts in pairs")


def may_differ(script: Script, node: cst.CSTNode, function: cst.FunctionDef | None) -> bool:
    """Whether an expression may give another text when it is read again: it uses up what it goes through, or asks an
    object of the run whose properties or items are made when they are asked for.
    """
    names = [name for part in nodes_in(node) for name in _gone_through(part)]
    if any(_is_used_up(script, name, function) for name in names):
        return True
    return any(_is_made(script, name, function) for name in script.names_in(script.span(node)))


def _gone_through(node: cst.CSTNode) -> list[str]:
    """The names that a call, a test or a comprehension goes through, or asks for their text."""
    found: list[cst.BaseExpression] = []
    if isinstance(node, cst.CompFor):
        found = [node.iter]
    elif isinstance(node, cst.StarredElement):
        found = [node.value]
    elif isinstance(node, cst.ComparisonTarget):
        found = [node.comparator] if isinstance(node.operator, (cst.In, cst.NotIn)) else []
    elif isinstance(node, cst.Call):
        name = (dotted(node.func) or "").rpartition(".")[2]
        joins = isinstance(node.func, cst.Attribute) and node.func.attr.value in ("join", "format")
        found = [arg.value for arg in node.args] if joins or name in _CONSUMES else []
    return [one.value for one in found if isinstance(one, cst.Name)]


def _is_used_up(script: Script, name: str, function: cst.FunctionDef | None) -> bool:
    """Whether a name may hold something that can be gone through once."""
    return any(
        isinstance(value, cst.GeneratorExp)
        or (isinstance(value, cst.Call) and (dotted(value.func) or "").rpartition(".")[2] in _LAZY)
        for value in script.assigned_values(name, script.home_of(name, function))
    )


def _is_made(script: Script, name: str, function: cst.FunctionDef | None) -> bool:
    """Whether a name holds an object of a class of the run that makes what it is asked for, anew each time."""
    if name == "self":
        return False
    members = imports_of(script).by_name
    own = {one.name.value: one for one in script.look(Classes).every}
    for value in script.assigned_values(name, script.home_of(name, function)):
        called = dotted(value.func) if isinstance(value, cst.Call) else None
        if called in own:
            text: str | None = script.code(own[called])
        elif called in members:
            text = closure_text(script.others, script.path, *members[called])
        else:
            continue
        if text is not None and _ASKED.search(text) and _STEPS_ON.search(text):
            return True
    return False


def _runs_texts(script: Script) -> bool:
    return _RUNS.search(script.source.text) is not None


def _may_be_many(script: Script, encode: Encode) -> bool:
    return "padding" in encode.args.keywords or script.has_attribute("batch_decode(")


def _is_firm(node: cst.BaseExpression) -> bool:
    """Whether a text is made of literals and names alone: nothing that another object holds, or that may raise."""
    if isinstance(node, (cst.Name, cst.SimpleString)):
        return True
    if isinstance(node, cst.ConcatenatedString):
        return _is_firm(node.left) and _is_firm(node.right)
    if isinstance(node, cst.FormattedString):
        held = [part for part in node.parts if isinstance(part, cst.FormattedStringExpression)]
        return all(_is_firm(part.expression) for part in held)
    if isinstance(node, cst.BinaryOperation):
        return isinstance(node.operator, cst.Add) and _is_firm(node.left) and _is_firm(node.right)
    if isinstance(node, (cst.List, cst.Tuple)):
        return all(_is_firm(element.value) for element in node.elements)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        plain = node.func.attr.value in ("format", "strip", "replace")
        return plain and _is_firm(node.func.value) and all(_is_firm(arg.value) for arg in node.args)
    return isinstance(node, cst.Attribute) and node.attr.value.endswith("_token")


def _is_harmless(script: Script, node: cst.CSTNode, names: set[str]) -> bool:
    """Whether code changes no object that a text, which reads some names, may come out of."""
    visitor = _Changes(script, names)
    node.visit(visitor)
    return not visitor.found


def _tells(node: cst.CSTNode) -> bool:
    visitor = Calls(None)
    node.visit(visitor)
    return any((dotted(one.func) or "").rpartition(".")[2] in _TELLS for one in visitor.found)


class _Changes(Looking):
    """Stores into objects, and calls that may change one."""

    def __init__(self, script: Script, names: set[str]) -> None:
        self._script = script
        self._names = names
        self.found = False

    def visit_Call(self, node: cst.Call) -> None:
        name = dotted(node.func) or ""
        flow = self._script.flow
        known = any(flow.event_at(node, kind) for kind in (Encode, Decode, Forward, Generate))
        apart = name.partition(".")[0] in _APART
        method = isinstance(node.func, cst.Attribute) and node.func.attr.value in _METHODS
        told = name.rpartition(".")[2] in _TELLS
        self.found = self.found or not (known or apart or method or told or is_pure(node))

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._store(node.target)

    def visit_Yield(self, node: cst.Yield) -> None:  # noqa: ARG002
        self.found = True  # who asks for the next value may do anything before

    def visit_Await(self, node: cst.Await) -> None:  # noqa: ARG002
        self.found = True

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        named = isinstance(node.target, cst.Name) and node.target.value not in self._names
        self.found = self.found or not named  # `prompts += more` changes a list in place

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._store(node.target)

    def visit_Del(self, node: cst.Del) -> None:
        self._store(node.target)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._store(node.target)

    def _store(self, target: cst.CSTNode) -> None:
        if isinstance(target, (cst.Tuple, cst.List)):
            for element in target.elements:
                self._store(element.value)
        self.found = self.found or isinstance(target, (cst.Subscript, cst.Attribute))
