"""What a script does with the ids of one generation, and what of a completion takes its place."""

from __future__ import annotations

from typing import Literal

import libcst as cst

from codemods.plan.edits import Edit
from codemods.script.purity import assigned_name, is_pure_assignment
from codemods.script.script import Script
from codemods.texts.prompt_cut import is_length, prompt_names
from lint_rules._flow.values.events import Decode, Encode, Generate

# All rows with the prompt, all without, the one row with it, the one without.
_Kind = Literal["rows", "answers", "row", "answer"]
_SAME = ("to", "cpu", "cuda", "detach", "clone")


class CompletionUses(cst.CSTVisitor):
    """Finds what is done with the generated ids, outermost first.

    Attributes:
        edits: What replaces it.
        decodes: The decode calls among it.
        names: The names that hold the ids or a row of them.
    """

    def __init__(
        self, script: Script, encode: Encode, generate: Generate, name: str, new: str
    ) -> None:
        self.edits: list[Edit] = []
        self.decodes: list[Decode] = []
        self.names = {name}
        self._script = script
        self._generate = generate
        self._function = generate.place.function
        self._new = new
        self._kinds: dict[str, _Kind | None] = {name: "rows"}
        self._prompt = prompt_names(script, encode, self._function)
        self._calls = {decode.node: decode for decode in script.flow.events(Decode)}

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Takes an expression whole where it has a substitute, else looks into it."""
        if isinstance(node, cst.BaseExpression):
            text = self._replaced(node)
            if text is not None:
                span = self._script.span(node)
                self.edits.append(Edit(span.start, span.end, text))
                return False
        asks = isinstance(node, cst.ComparisonTarget) and isinstance(
            node.operator, (cst.In, cst.NotIn)
        )
        if (
            asks
            and isinstance(node, cst.ComparisonTarget)
            and self._kind(node.comparator) == "answer"
        ):
            span = self._script.span(node.comparator)
            self.edits.append(Edit(span.start, span.end, f"{self._new}.ids"))
            return False
        return True

    # --- what an expression holds

    def _kind(self, node: cst.BaseExpression) -> _Kind | None:
        if isinstance(node, cst.Name):
            return self._named(node.value)
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            return self._kind(node.func.value) if node.func.attr.value in _SAME else None
        if not isinstance(node, cst.Subscript):
            return None
        inner = self._kind(node.value)
        parts = [element.slice for element in node.slice]
        first = parts[0]
        zero = isinstance(first, cst.Index) and self._script.code(first.value) == "0"
        if inner in ("rows", "answers"):
            if len(parts) == 1 and zero:
                return "row" if inner == "rows" else "answer"
            if len(parts) == 2 and inner == "rows" and self._cuts_prompt(parts[1]):
                if zero:
                    return "answer"
                return "answers" if self._is_whole(first) else None
            return None
        if inner == "row" and len(parts) == 1 and self._cuts_prompt(first):
            return "answer"
        return None

    def _named(self, name: str) -> _Kind | None:
        if name in self._kinds:
            return self._kinds[name]
        self._kinds[name] = None  # while it is looked at
        values = self._script.assigned_values(name, self._function)
        stores = self._script.stores_of(name, self._function)
        if len(values) == len(stores) == 1 and self._is_pure_line(name):
            self._kinds[name] = self._kind(values[0])
        if self._kinds[name] is not None:
            self.names.add(name)
        return self._kinds[name]

    def _is_pure_line(self, name: str) -> bool:
        script = self._script
        scope = script.span(self._function or script.module)
        lines = script.lines_between(self._function, scope)
        return any(assigned_name(line) == name and is_pure_assignment(line) for line in lines)

    def _cuts_prompt(self, part: cst.BaseSlice) -> bool:
        return (
            isinstance(part, cst.Slice)
            and part.upper is None
            and part.step is None
            and part.lower is not None
            and self._is_prompt_length(part.lower)
        )

    def _is_whole(self, part: cst.BaseSlice) -> bool:
        return isinstance(part, cst.Slice) and part.lower is part.upper is part.step is None

    def _is_prompt_length(self, node: cst.BaseExpression) -> bool:
        return is_length(self._script, node, self._prompt, self._function, 4)

    # --- what takes its place

    def _replaced(self, node: cst.BaseExpression) -> str | None:
        new = self._new
        if isinstance(node, cst.Subscript) and isinstance(node.value, cst.Call):
            decode = self._calls.get(node.value)
            if decode is not None and decode.method == "batch_decode":
                index = node.slice[0].slice
                zero = isinstance(index, cst.Index) and self._script.code(index.value) == "0"
                return self._decoded(decode, ("rows", "answers")) if zero else None
        if isinstance(node, cst.Call):
            decode = self._calls.get(node)
            if decode is not None and decode.method == "decode":
                return self._decoded(decode, ("row", "answer"))
            if decode is not None:
                text = self._decoded(decode, ("rows", "answers"))
                return None if text is None else f"[{text}]"
            if (
                isinstance(node.func, cst.Attribute)
                and node.func.attr.value == "tolist"
                and self._kind(node.func.value) == "answer"
            ):
                return f"list({new}.ids)"
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Subtract):
            whole = self._count(node.left) == "whole"
            if whole and self._is_prompt_length(node.right):
                return f"len({new}.ids)"
        count = self._count(node)
        if count is not None:
            whole_ = f"({new}.prompt_tokens + len({new}.ids))"
            return f"len({new}.ids)" if count == "answer" else whole_
        return self._last(node)

    def _decoded(self, decode: Decode, kinds: tuple[str, ...]) -> str | None:
        given = decode.args.get("token_ids", 0) or decode.args.get("sequences")
        if given is None or given.expression is None or self._kind(given.expression) not in kinds:
            return None
        self.decodes.append(decode)
        return f"{self._new}.text"

    def _count(self, node: cst.BaseExpression) -> Literal["answer", "whole"] | None:
        """What an expression counts the tokens of: the answer, or the prompt with it."""
        of: cst.BaseExpression
        if isinstance(node, cst.Call):
            if isinstance(node.func, cst.Name) and node.func.value == "len" and len(node.args) == 1:
                kind, index = self._kind(node.args[0].value), "0"
                return _counted(kind, index)
            if isinstance(node.func, cst.Attribute):
                kind = self._kind(node.func.value)
                given = [self._script.code(arg.value) for arg in node.args]
                if node.func.attr.value == "size" and len(given) == 1:
                    return _counted(kind, given[0])
                if node.func.attr.value == "numel" and not given:
                    return _counted(kind, "-1")
            return None
        if isinstance(node, cst.Subscript) and len(node.slice) == 1:
            of = node.value
            if isinstance(of, cst.Attribute) and of.attr.value == "shape":
                return _counted(self._kind(of.value), self._script.code(node.slice[0]))
        return None

    def _last(self, node: cst.BaseExpression) -> str | None:
        """`answer[-1]`, also with `.item()`."""
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if node.func.attr.value == "item" and not node.args:
                return self._last(node.func.value)
            return None
        last = isinstance(node, cst.Subscript) and self._script.code(node.slice[0]) == "-1"
        if last and isinstance(node, cst.Subscript) and len(node.slice) == 1:
            held = self._kind(node.value) in ("answer", "row")
            return f"{self._new}.ids[-1]" if held else None
        return None


def _counted(kind: _Kind | None, index: str) -> Literal["answer", "whole"] | None:
    if kind in ("answer", "row") and index in ("0", "-1"):
        return "answer" if kind == "answer" else "whole"
    if kind in ("answers", "rows") and index in ("1", "-1"):
        return "answer" if kind == "answers" else "whole"
    return None
