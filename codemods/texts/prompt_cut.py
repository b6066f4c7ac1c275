"""Whether what a decode call cuts off the generated ids is the prompt, and nothing else."""

from __future__ import annotations

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.script import Script
from codemods.texts.rows import rows_of
from codemods.texts.statements_between import pure_lines
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._light.positions import Span


def refuse_other_cuts(script: Script, encode: Encode, generate: Generate, decode: Decode) -> None:
    """Raise unless every slice on the way from the ids to the text starts where the prompt ends.

    Raises:
        CannotRewrite: Something else is cut off: a fixed number of tokens, the end.
    """
    function = generate.place.function
    scope = script.module if function is None else function
    given = decode.args.get("token_ids", 0) or decode.args.get("sequences")
    if given is None or given.expression is None:
        return
    prompt = prompt_names(script, encode, function)
    pairs = _Pairs()
    scope.visit(pairs)
    seen: set[str] = set()
    waiting: list[cst.BaseExpression] = [given.expression]
    while waiting:
        node = waiting.pop()
        if isinstance(node, cst.Subscript):
            for element in node.slice:
                if isinstance(element.slice, cst.Slice):
                    _refuse_slice(script, element.slice, prompt, function)
        if isinstance(node, (cst.Subscript, cst.Attribute)):
            waiting.append(node.value)
        elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            waiting += [] if node is generate.node else [node.func.value]
        elif isinstance(node, cst.ListComp):
            waiting.append(node.elt)
        elif isinstance(node, cst.Name) and node.value not in seen:
            seen.add(node.value)
            waiting += script.assigned_values(node.value, function)
            sources = (rows_of(target, source, node.value) for target, source in pairs.found)
            waiting += [source for source in sources if source is not None]


def _refuse_slice(
    script: Script, node: cst.Slice, prompt: set[str], function: cst.FunctionDef | None
) -> None:
    if node.upper is not None or node.step is not None:
        raise CannotRewrite("the end of what is generated is cut off before it is decoded")
    if node.lower is not None and not is_length(script, node.lower, prompt, function, 4):
        raise CannotRewrite("it cannot be told that what is cut off is just the prompt")


def prompt_names(script: Script, encode: Encode, function: cst.FunctionDef | None) -> set[str]:
    """The names that hold the encoded prompt, or rows and parts of it."""
    line = encode.place.line
    found = set() if line is None else script.stored_in(script.span(line))
    scope = script.module if function is None else function
    grown = True
    while grown:
        size = len(found)
        for other in pure_lines(script, function, Span(0, len(script.utf8))):
            if script.names_in(script.span(other)) & found:
                found |= script.stored_in(script.span(other))
        pairs = _Pairs()
        scope.visit(pairs)
        for target, source in pairs.found:
            if script.names_in(script.span(source)) & found:
                found |= script.names_in(script.span(target))
        grown = len(found) > size
    return found


def is_length(
    script: Script,
    node: cst.BaseExpression,
    prompt: set[str],
    function: cst.FunctionDef | None,
    depth: int,
) -> bool:
    """Whether an expression is the number of tokens of the encoded prompt."""
    if isinstance(node, cst.Name):
        values = script.assigned_values(node.value, function)
        if not values:
            return _is_unpacked(script, node.value, prompt, function)
        return depth > 0 and all(
            is_length(script, value, prompt, function, depth - 1) for value in values
        )
    if not script.names_in(script.span(node)) & prompt:
        return False
    if isinstance(node, cst.Subscript):
        return _is_last_of_shape(script, node) and _is_whole(script, node.value, function, depth)
    if not isinstance(node, cst.Call):
        return False
    if isinstance(node.func, cst.Name) and node.func.value == "len" and len(node.args) == 1:
        given = node.args[0].value
        return not _is_batch(script, given) and _is_whole(script, given, function, depth)
    if isinstance(node.func, cst.Attribute):
        method, sizes = node.func.attr.value, [script.code(arg.value) for arg in node.args]
        told = method == "numel" or (method == "size" and sizes in (["1"], ["-1"]))
        return told and _is_whole(script, node.func.value, function, depth)
    return False


def _is_whole(
    script: Script, node: cst.BaseExpression, function: cst.FunctionDef | None, depth: int
) -> bool:
    """Whether what is measured is no part of what it comes from: no slice, and nothing that is picked out."""
    if isinstance(node, cst.Subscript):
        bounds = [one.slice for one in node.slice if isinstance(one.slice, cst.Slice)]
        if any(one.lower or one.upper or one.step for one in bounds):
            return False
        return _is_whole(script, node.value, function, depth)
    if isinstance(node, cst.Attribute):
        return _is_whole(script, node.value, function, depth)
    if isinstance(node, cst.Call):
        parts = [arg.value for arg in node.args]
        parts += [node.func.value] if isinstance(node.func, cst.Attribute) else []
        return all(_is_whole(script, one, function, depth) for one in parts)
    if isinstance(node, cst.Name) and depth > 0:
        values = script.assigned_values(node.value, function)
        return all(_is_whole(script, one, function, depth - 1) for one in values)
    comprehended = (cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.BinaryOperation)
    return not isinstance(node, comprehended)


def _is_unpacked(
    script: Script, name: str, prompt: set[str], function: cst.FunctionDef | None
) -> bool:
    """Whether a name is the last of `rows, length = inputs.input_ids.shape`, and nothing else."""
    visitor = _Unpacked(name)
    (script.module if function is None else function).visit(visitor)
    if len(visitor.found) != 1 or len(script.stores_of(name, function)) != 1:
        return False
    of = _measured(visitor.found[0])
    if of is None or not _is_batch(script, of) or not _is_whole(script, of, function, 4):
        return False
    return bool(script.names_in(script.span(of)) & prompt)


def _measured(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """What `ids.shape` and `ids.size()` tell the sizes of; None for any other expression."""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and not node.args:
        return node.func.value if node.func.attr.value == "size" else None
    if isinstance(node, cst.Attribute):
        return node.value if node.attr.value == "shape" else None
    return None


class _Unpacked(Looking):
    """What is unpacked into two names of which a given one is the second."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[cst.BaseExpression] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        target = node.targets[0].target
        if len(node.targets) == 1 and isinstance(target, (cst.Tuple, cst.List)):
            second = target.elements[1].value if len(target.elements) == 2 else None
            if isinstance(second, cst.Name) and second.value == self.name:
                self.found.append(node.value)


def _is_last_of_shape(script: Script, node: cst.Subscript) -> bool:
    """`ids.shape[-1]`, `ids.shape[1]`, `ids[0].shape[0]`, `ids.size()[1]`."""
    index = script.code(node.slice[0]) if len(node.slice) == 1 else ""
    of = _measured(node.value)
    return of is not None and (index in ("1", "-1") or (index == "0" and not _is_batch(script, of)))


def _is_batch(script: Script, node: cst.BaseExpression) -> bool:
    """Whether an expression may be all rows: `inputs.input_ids`, not `inputs.input_ids[0]`."""
    if isinstance(node, cst.Subscript):
        return script.code(node.slice[0])[:1] in "\"'"
    return isinstance(node, cst.Attribute)


class _Pairs(Looking):
    """The targets of loops with what they go over."""

    def __init__(self) -> None:
        self.found: list[tuple[cst.BaseExpression, cst.BaseExpression]] = []

    def visit_For(self, node: cst.For) -> None:
        self.found.append((node.target, node.iter))

    def visit_CompFor(self, node: cst.CompFor) -> None:
        self.found.append((node.target, node.iter))
