"""Generations of which more than the text is used: `loader.complete` gives text, ids and their number.

`out = model.generate(…)` becomes `completion = loader.complete(…)[0]` where it stands; a decoded row becomes
`completion.text`, the number of its tokens `len(completion.ids)`, its ids `completion.ids`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import libcst as cst

from codemods.generation.carried_names import carried_names
from codemods.generation.decoded_ids import generated_in, has_prompt
from codemods.generation.encoding import encoding_edit
from codemods.generation.guarded_call import arguments_of, many_prompts, one_or_many
from codemods.generation.in_place import inside, refuse_changed_prompt
from codemods.generation.prompt_cut import is_length, prompt_names
from codemods.generation.statements_between import foldable, pure_lines
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.purity import assigned_name, is_pure_assignment
from codemods.script.receiver import loader_at
from codemods.script.script import Script
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._light.positions import Span

# All rows with the prompt, all without, the one row with it, the one without.
_Kind = Literal["rows", "answers", "row", "answer"]
_SAME = ("to", "cpu", "cuda", "detach", "clone")
_MORE = CannotRewrite("what generate returns is used for more than its text, ids and their number")
_NOTE = Note("carried", "the text, the ids and their number: `complete` gives them together")


@dataclass(slots=True)
class _Found:
    """Replaced expressions, and what they are used for."""

    edits: list[Edit] = field(default_factory=list)
    decodes: list[Decode] = field(default_factory=list)


def rewrite_completion(
    script: Script, encode: Encode, generate: Generate, unmigrated: frozenset[cst.CSTNode]
) -> tuple[list[Edit], list[Note]]:
    """Turns one generation from one prompt, assigned to a name, into a completion.

    Raises:
        CannotRewrite: Something is used that a completion does not have.
    """
    line = script.statement(generate.place)
    name = assigned_name(line)
    function = generate.place.function
    if name is None or len(script.stores_of(name, function)) != 1 or _is_decorated(generate):
        raise _MORE
    if one_or_many(encode) != "one" or "num_return_sequences" in generate.args.keywords:
        raise CannotRewrite("several texts are generated, and more than their text is used")
    if script.is_taken_elsewhere(name, function):
        raise CannotRewrite(f"another file takes `{name}` from this one")
    new = next(
        (n for n in ("completion", f"{name}_completion") if not script.is_taken(n)), f"{name}_done"
    )
    uses = _Uses(script, encode, generate, name, new)
    (script.module if function is None else function.body).visit(uses)
    found = uses.found
    if not found.decodes:
        raise CannotRewrite("what it generates is not decoded in this function")
    forms = {has_prompt(generated) for d in found.decodes if (generated := generated_in(d))}
    said = {script.code(decode.node).partition(",")[2].strip(" )") for decode in found.decodes}
    if len(forms) != 1 or len(said) != 1:
        raise CannotRewrite("it is decoded in several ways")
    consumed = [Span(edit.start, edit.end) for edit in found.edits] + [script.span(generate.node)]
    removed = _removed(script, encode, generate, found.decodes, consumed)
    spans = [*consumed, *map(script.span, removed)]
    for variable in uses.names:
        for use in script.uses(variable, function):
            made = use.stores and variable == name
            if not made and not any(span.start <= use.offset < span.end for span in spans):
                raise _MORE
    refuse_changed_prompt(script, encode, generate, removed)
    prompt = many_prompts(script, encode)
    arguments, notes = arguments_of(
        script, encode, generate, found.decodes[0], full=forms == {True}, prompt=prompt
    )
    head = f"{loader_at(script, generate, unmigrated)}.complete"
    call = script.call(head, arguments, script.indent_of(line), len(f"{new} = [0]"))
    target, own = script.span(line.body[0]), script.span(generate.node)
    edits = [
        Edit(target.start, target.start + len(name.encode()), new),
        Edit(own.start, own.end, f"{call}[0]"),
        *(
            e
            for e in found.edits
            if not any(script.span(r).start <= e.start < script.span(r).end for r in removed)
        ),
        *(script.delete(statement) for statement in removed),
    ]
    kept = not inside(script, encode.node, generate.node)
    if kept and script.statement(encode.place) not in removed:
        edits.append(encoding_edit(script, encode)[0])
    return edits, [*notes, _NOTE]


def _is_decorated(generate: Generate) -> bool:
    """Whether generate is asked for something else than ids."""
    return any(
        name in generate.args.keywords
        for name in ("return_dict_in_generate", "output_scores", "output_logits")
    )


def _removed(
    script: Script,
    encode: Encode,
    generate: Generate,
    decodes: list[Decode],
    consumed: list[Span],
) -> list[cst.BaseStatement]:
    """The lines that only served what is replaced."""
    function = generate.place.function
    start = script.span(script.statement(encode.place)).start
    ends = [span.end for span in consumed]
    lines: list[cst.BaseStatement] = [*pure_lines(script, function, Span(start, max(ends)))]
    if not inside(script, encode.node, generate.node):
        encoding = script.statement(encode.place)
        lines += [encoding] if encoding not in lines and assigned_name(encoding) else []
    read = carried_names(script, generate, tuple(decodes))
    lines = [
        line
        for line in lines
        if not script.stored_in(script.span(line)) & read
        and not any(
            script.span(line) == script.span(decode.place.line)
            for decode in decodes
            if decode.place.line
        )
        and line is not generate.place.line
    ]
    prompt = prompt_names(script, encode, function)
    lines = [
        line
        for line in lines
        if line is script.statement(encode.place)
        or script.stored_in(script.span(line)) & prompt
        or any(
            s.start >= script.span(line).start and s.end <= script.span(line).end for s in consumed
        )
    ]
    return foldable(script, lines, consumed, function)


class _Uses(cst.CSTVisitor):
    """Finds what is done with the generated ids, outermost first.

    Attributes:
        found: What replaces it.
        names: The names that hold the ids or a row of them.
    """

    def __init__(
        self, script: Script, encode: Encode, generate: Generate, name: str, new: str
    ) -> None:
        self.found = _Found()
        self.names = {name}
        self._script = script
        self._generate = generate
        self._function = generate.place.function
        self._new = new
        self._kinds: dict[str, _Kind | None] = {name: "rows"}
        self._prompt = prompt_names(script, encode, self._function)
        self._decodes = {decode.node: decode for decode in script.flow.events(Decode)}

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.BaseExpression):
            text = self._replaced(node)
            if text is not None:
                span = self._script.span(node)
                self.found.edits.append(Edit(span.start, span.end, text))
                return False
        if isinstance(node, cst.ComparisonTarget) and isinstance(
            node.operator, (cst.In, cst.NotIn)
        ):
            if self._kind(node.comparator) == "answer":
                span = self._script.span(node.comparator)
                self.found.edits.append(Edit(span.start, span.end, f"{self._new}.ids"))
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
            decode = self._decodes.get(node.value)
            if decode is not None and decode.method == "batch_decode":
                index = node.slice[0].slice
                zero = isinstance(index, cst.Index) and self._script.code(index.value) == "0"
                return self._decoded(decode, ("rows", "answers")) if zero else None
        if isinstance(node, cst.Call):
            decode = self._decodes.get(node)
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
        self.found.decodes.append(decode)
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
        if isinstance(node, cst.Subscript) and len(node.slice) == 1:
            if (
                self._kind(node.value) in ("answer", "row")
                and self._script.code(node.slice[0]) == "-1"
            ):
                return f"{self._new}.ids[-1]"
        return None


def _counted(kind: _Kind | None, index: str) -> Literal["answer", "whole"] | None:
    if kind in ("answer", "row") and index in ("0", "-1"):
        return "answer" if kind == "answer" else "whole"
    if kind in ("answers", "rows") and index in ("1", "-1"):
        return "answer" if kind == "answers" else "whole"
    return None
