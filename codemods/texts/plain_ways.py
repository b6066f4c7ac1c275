"""Whether what a tokeniser gives comes to `generate`, and what that gives to the decoding, in the plain way."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import partial

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from codemods.texts.decoded_ids import generated_in
from lint_rules._flow.values.events import Decode, Encode, Generate
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span

# Methods and functions that leave ids as they are, or tell their number.
_SAME = frozenset(
    "to cuda cpu long int tolist detach numpy squeeze size dim numel item clone contiguous pop get".split()  # noqa: SIM905
)
_TELL = frozenset(["len", "int", "zip", "enumerate", "range", "list", "min", "max"])
_OF_BACKEND = (
    r"\.(tokens|word_ids|words|char_to_token|token_to_chars|token_to_word|encodings|sequence_ids|is_fast)\b"
    r"|\[\d|\[\w+\]\.(ids|tokens|offsets|type_ids|n_sequences|overflowing|special_tokens_mask)\b"
)
_BACKEND = re.compile(r"\.(backend_tokenizer|_tokenizer)\b")
_CHOICE = "line {row} takes one of several by a condition"
_HELPER = "line {row} may cut or change the ids in `{name}`"
_AGAIN = "line {row} sets `{name}` between the tokenisation and the decoding"


def refuse_other_ways(script: Script, call: Generate, encode: Encode) -> None:
    """Look whether ids take a way that this tool does not see through.

    Raises:
        CannotRewrite: By a condition, through a function, or by a name that is set anew.
    """
    if "add_special_tokens" in encode.args.keywords and not isinstance(
        encode.args.written("add_special_tokens"), bool
    ):
        raise CannotRewrite("whether special tokens go in front is decided when it runs")
    decodes = script.once(_decodes).get(call.node, [])
    nodes = [encode.node, call.node, *(one.node for one in decodes)]
    _refuse_choices(script, nodes)
    if script.once(_reaches_backend):
        raise CannotRewrite("the script reaches into the tokenizer's backend")
    spans = [script.span(one) for one in nodes]
    region = Span(min(one.start for one in spans), max(one.end for one in spans))
    for around in _around(script, call) if decodes else ():
        if any(around is one.node for one in decodes):
            break
        if _alters(script, around, call.node):
            raise CannotRewrite(
                _HELPER.format(row=script.line_of(around), name=script.code(around.func))
            )
    names: set[str] = set()
    for decode in decodes:
        ids = decode.node.args[0].value if decode.node.args else None
        if ids is None:
            continue
        names |= _refuse_helpers(script, ids, call, region)
    given = [argument.value for argument in call.node.args]
    line = encode.place.line
    stored = set() if line is None else script.stored_in(script.span(line))
    for node in given:
        names |= script.names_in(script.span(node)) & stored
        values = [
            value
            for name in script.names_in(script.span(node))
            for value in script.assigned_values(name, call.place.function)
        ]
        if any(
            _holds_choice(one) and script.names_in(script.span(one)) & stored
            for one in (node, *values)
        ):
            raise CannotRewrite(_CHOICE.format(row=script.line_of(node)))
    _refuse_set_again(script, names, region, call)
    _refuse_backend(script, encode)


def _decodes(script: Script) -> dict[cst.CSTNode, list[Decode]]:
    """The decodings, by the calls that made what they decode."""
    found: dict[cst.CSTNode, list[Decode]] = {}
    for decode in script.flow.events(Decode):
        generated = generated_in(decode)
        if generated is not None and generated.origin is not None:
            found.setdefault(generated.origin, []).append(decode)
    return found


def _reaches_backend(script: Script) -> bool:
    return _BACKEND.search(script.source.text) is not None


def _placed(script: Script) -> tuple[list[int], list[tuple[cst.Call, Span]]]:
    """Where the calls of the script begin, and the calls, in the order of the text."""
    found = [(one, script.span(one)) for one in script.look(Calls, None).found]
    found.sort(key=lambda pair: pair[1].start)
    return [span.start for _, span in found], found


def _calls_in(script: Script, outer: Span) -> list[tuple[cst.Call, Span]]:
    starts, found = script.once(_placed)
    inside = found[bisect_left(starts, outer.start) : bisect_left(starts, outer.end)]
    return [(one, span) for one, span in inside if _is_within(span, outer)]


def _around(script: Script, call: Generate) -> list[cst.Call]:
    """The calls that a generation is given to, from the inside out."""
    at, line = script.span(call.node), call.place.line
    outer = script.span(script.module if line is None else line)
    found = [
        (one, span)
        for one, span in _calls_in(script, outer)
        if one is not call.node and _is_within(at, span)
    ]
    return [one for one, _ in sorted(found, key=lambda pair: pair[1].end - pair[1].start)]


def _alters(script: Script, around: cst.Call, inner: cst.CSTNode) -> bool:
    """Whether a call that gets ids, or is called on them, may give others."""
    func = around.func
    if isinstance(func, cst.Attribute) and _is_within(script.span(inner), script.span(func)):
        return func.attr.value not in _SAME  # a method of them
    return (dotted(around.func) or "") not in _TELL


def _refuse_helpers(
    script: Script, ids: cst.BaseExpression, call: Generate, region: Span
) -> set[str]:
    """The names that decoded ids come by; raises if a function makes them."""
    names: set[str] = set()
    waiting: list[cst.BaseExpression] = [ids]
    flow = script.flow
    made = [span for one, span in _calls_in(script, region) if flow.event_at(one, Generate)]
    while waiting:
        node = waiting.pop()
        span = script.span(node)
        for one, at in _calls_in(script, span):
            if any(_is_within(at, own) for own in made):
                continue
            if flow.event_at(one, Encode) or flow.event_at(one, Decode):
                continue
            func = one.func
            name = func.attr.value if isinstance(func, cst.Attribute) else dotted(func) or ""
            if name not in (_SAME | _TELL):
                raise CannotRewrite(
                    _HELPER.format(row=script.line_of(one), name=script.code(one.func))
                )
        inner = [own for own in made if _is_within(own, span)]
        said = {use for own in inner for use in script.names_in(own)}
        for name in script.names_in(span) - names - said:
            names.add(name)
            waiting += [
                value
                for value in script.assigned_values(name, call.place.function)
                if region.start <= script.span(value).start < region.end
                and flow.event_at(value, Encode) is None
                and not any(_is_within(own, script.span(value)) for own in made)
            ]
    return names


def _is_within(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _refuse_set_again(script: Script, names: set[str], region: Span, call: Generate) -> None:
    function = call.place.function
    for name in sorted(names & script.stored_in(region)):
        values = {script.span(value).start for value in script.assigned_values(name, function)}
        stores = [
            use.offset
            for use in script.stores_of(name, function)
            if region.start <= use.offset < region.end
        ]
        plain = [at for at in values if region.start <= at < region.end]
        if len(stores) > max(1, len(plain)) or name in script.shared_names:
            raise CannotRewrite(
                _AGAIN.format(row=script.row_at(stores[-1] if stores else region.start), name=name)
            )


def _refuse_choices(script: Script, nodes: list[cst.Call]) -> None:
    """One of the calls may not run though another does, or run more often."""
    for choice in script.look(_Choices).found:
        span = script.span(choice)
        inside = [span.start <= script.span(one).start < span.end for one in nodes]
        if any(inside) and not all(inside):
            raise CannotRewrite(_CHOICE.format(row=script.line_of(choice)))


def _holds_choice(node: cst.BaseExpression) -> bool:
    visitor = _Choices()
    node.visit(visitor)
    return bool(visitor.found)


def _refuse_backend(script: Script, encode: Encode) -> None:
    """What only the tokenizer's own encoding has, the guard's has not."""
    line = encode.place.line
    for name in () if line is None else script.stored_in(script.span(line)):
        read = script.kept(("of the backend", name), partial(_read_of, script, name))
        if read is not None:
            raise CannotRewrite(f"`{read}` is read, which the loader's encoding has not")


def _read_of(script: Script, name: str) -> str | None:
    found = re.search(rf"\b{re.escape(name)}({_OF_BACKEND})", script.source.text)
    return None if found is None else found[0]


class _Choices(Looking):
    """Expressions of which a part may not be evaluated."""

    def __init__(self) -> None:
        self.found: list[cst.CSTNode] = []

    def visit_IfExp(self, node: cst.IfExp) -> None:
        self.found.append(node)

    def visit_BooleanOperation(self, node: cst.BooleanOperation) -> None:
        self.found.append(node)

    def visit_Lambda(self, node: cst.Lambda) -> None:
        self.found.append(node)
