"""The statements between a prompt's tokenisation and its decoded text, and how they fold into one."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from codemods._edits import Edit
from codemods._script import Script
from codemods._sites import CannotRewrite
from lint_rules._flow.events import Decode, Encode, Generate, Place
from lint_rules._positions import Span

_PURE_CALLS = ("len", "list", "zip", "to", "cuda", "cpu", "size", "items", "tolist", "unsqueeze")


@dataclass(frozen=True, slots=True)
class Chain:
    """A foldable chain.

    Attributes:
        script: The script.
        encode: The tokenizer call.
        decode: The decoded expression that the guarded call replaces.
        host: The statement that the guarded call goes into: the decoding one.
        anchor: The statement in whose place the result is written; `host`, or the generating one where
            something of the program's own stands between the two.
        removed: Statements that fold away.
        keeps_encoding: The encoding is used elsewhere, so its statement stays, guarded.
    """

    script: Script
    encode: Encode
    decode: Span
    host: cst.SimpleStatementLine
    anchor: cst.BaseStatement
    removed: tuple[cst.BaseStatement, ...]
    keeps_encoding: bool

    @property
    def indent(self) -> str:
        """Indentation of the statement that will hold the guarded call."""
        return self.script.indent_of(self.anchor)

    @property
    def room(self) -> int:
        """Width that the rest of the host statement takes on its line."""
        span = self.script.span(self.host)
        return (span.end - span.start) - (self.decode.end - self.decode.start)

    def edits(self, call: str) -> tuple[Edit, ...]:
        """The edits that put the guarded call in and fold the rest away."""
        script = self.script
        host = script.span(self.host)
        before = script.utf8[host.start : self.decode.start].decode()
        after = script.utf8[self.decode.end : host.end].decode()
        new = f"{before}{call}{after}"
        comments = [
            text for node in self._consumed() for text in script.comments_in(script.lines_of(node))
        ]
        edits: list[Edit] = []
        for node in self._consumed():
            span = script.lines_of(node)
            if node is not self.anchor:
                edits.append(Edit(span.start, span.end))
                continue
            lines = "".join(f"{self.indent}{line}{script.newline}" for line in (*comments, new))
            if not script.utf8[span.start : span.end].endswith((b"\n", b"\r")):
                lines = lines.removesuffix(script.newline)
            edits.append(Edit(span.start, span.end, lines))
        if self.keeps_encoding:
            edits.append(encoding_edit(script, self.encode))
        return tuple(edits)

    def _consumed(self) -> list[cst.BaseStatement]:
        nodes = {self.anchor, self.host, *self.removed}
        return sorted(nodes, key=lambda node: self.script.span(node).start)


def chain_of(script: Script, encode: Encode, generate: Generate, decode: Decode) -> Chain:
    """The chain of three calls.

    Raises:
        CannotRewrite: They are not in one function, or something else depends on what lies between.
    """
    if not encode.place.function is generate.place.function is decode.place.function:
        raise CannotRewrite("tokenising, generating and decoding stand in different functions")
    encoding = script.statement(encode.place)
    generating = script.statement(generate.place)
    host = script.statement(decode.place)
    block, start = encode.place.block, encode.place.index
    middle = _index_in(block, generating)
    end = _index_in(block, host)
    if not start <= middle <= end:
        raise CannotRewrite("the calls do not stand one after the other in one block")
    members = _members(script, block[start : end + 1], generating, host)
    foldable = _foldable(script, members, encoding, generating, host, encode.place)
    keeps = encoding not in foldable
    decoded = _decoded_span(script, decode)
    removed = [node for node in foldable if node is not host]
    wholes = _whole_statements(script, block[start : end + 1], removed, host)
    own = [
        node
        for node in members
        if node not in foldable and node is not host and node is not encoding
    ]
    after = script.span(generating).end
    late = [node for node in own if script.span(node).start >= after]
    anchor: cst.BaseStatement = host
    if late and generating is not host:
        anchor = next((node for node in wholes if _contains(script, node, generating)), generating)
        _refuse_reordering(script, late, host)
    prompt = encode.args.get("text", 0)
    if prompt is not None and prompt.expression is not None:
        _refuse_changed_prompt(script, prompt.expression, encoding, anchor)
    return Chain(script, encode, decoded, host, anchor, tuple(wholes), keeps)


def encoding_edit(script: Script, encode: Encode) -> Edit:
    """Puts `CleanModelLoader.encode` in the place of a tokenizer call on a prompt.

    Raises:
        CannotRewrite: The call does not give PyTorch tensors, or takes what the loader has no place for.
    """
    text = encode.args.get("text", 0)
    if (
        text is None
        or text.expression is None
        or encode.args.spread
        or len(encode.args.positional) > 1
    ):
        raise CannotRewrite("the prompt is not written out")
    if encode.args.literal("return_tensors") != "pt":
        raise CannotRewrite("the prompt is not encoded to PyTorch tensors")
    if encode.args.keywords.keys() - {"text", "return_tensors", "add_special_tokens", "padding"}:
        raise CannotRewrite("the tokenizer call says more than the loader's encode can")
    function = encode.node.func
    by_method = isinstance(function, cst.Attribute) and function.attr.value == encode.method
    receiver = function.value if by_method and isinstance(function, cst.Attribute) else function
    suffix = '["input_ids"]' if encode.method == "encode" else ""
    span = script.span(encode.node)
    call = (
        f"CleanModelLoader.encode({script.code(receiver)}, {script.code(text.expression)}){suffix}"
    )
    return Edit(span.start, span.end, call)


def _members(
    script: Script,
    statements: tuple[cst.BaseStatement | cst.BaseSmallStatement, ...],
    generating: cst.SimpleStatementLine,
    host: cst.SimpleStatementLine,
) -> list[cst.BaseStatement]:
    """The statements of the stretch, those inside a `with` around the call among them."""
    found: list[cst.BaseStatement] = []
    for statement in statements:
        if isinstance(statement, cst.With) and (
            _contains(script, statement, generating) or _contains(script, statement, host)
        ):
            found += _members(script, tuple(statement.body.body), generating, host)
        elif isinstance(statement, cst.BaseStatement):
            found.append(statement)
    return found


def _foldable(
    script: Script,
    members: list[cst.BaseStatement],
    encoding: cst.SimpleStatementLine,
    generating: cst.SimpleStatementLine,
    host: cst.SimpleStatementLine,
    place: Place,
) -> list[cst.BaseStatement]:
    """The statements whose results nothing outside the chain uses, the largest such set."""
    essential = {generating, host}
    candidates = [
        node for node in members if node in (encoding, generating, host) or _is_pure(node)
    ]
    changed = True
    while changed:
        changed = False
        spans = [script.span(node) for node in candidates]
        for node in list(candidates):
            if node is host or not _used_outside(script, node, spans, place.function):
                continue
            if node in essential:
                raise CannotRewrite("what generate returns is used for more than its text")
            candidates.remove(node)
            changed = True
    related = _related(script, candidates, essential)
    return [node for node in candidates if node in related]


def _related(
    script: Script, candidates: list[cst.BaseStatement], essential: set[cst.SimpleStatementLine]
) -> set[cst.BaseStatement]:
    """Of the candidates, those that the generation itself depends on."""
    related: set[cst.BaseStatement] = set(essential)
    for node in reversed(candidates):
        stored = script.stored_in(script.span(node))
        if any(
            stored & script.names_in(script.span(other)) for other in related if other is not node
        ):
            related.add(node)
    return related


def _used_outside(
    script: Script, node: cst.BaseStatement, spans: list[Span], function: cst.FunctionDef | None
) -> bool:
    for name in script.stored_in(script.span(node)):
        for use in script.uses(name, function):
            if not any(span.start <= use.offset < span.end for span in spans):
                return True
    return False


def _is_pure(node: cst.BaseStatement) -> bool:
    """`name = expression` that only reads: slices, lengths, moves to a device."""
    if not isinstance(node, cst.SimpleStatementLine) or len(node.body) != 1:
        return False
    statement = node.body[0]
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return False
    if not isinstance(statement.targets[0].target, cst.Name):
        return False
    visitor = _Calls()
    statement.value.visit(visitor)
    return visitor.pure


class _Calls(cst.CSTVisitor):
    def __init__(self) -> None:
        self.pure = True

    def visit_Call(self, node: cst.Call) -> None:
        function = node.func
        name = function.attr.value if isinstance(function, cst.Attribute) else None
        name = function.value if isinstance(function, cst.Name) else name
        self.pure = self.pure and name in _PURE_CALLS

    def visit_Await(self, node: cst.Await) -> None:  # noqa: ARG002
        self.pure = False

    def visit_Yield(self, node: cst.Yield) -> None:  # noqa: ARG002
        self.pure = False


def _whole_statements(
    script: Script,
    stretch: tuple[cst.BaseStatement | cst.BaseSmallStatement, ...],
    removed: list[cst.BaseStatement],
    host: cst.SimpleStatementLine,
) -> list[cst.BaseStatement]:
    """The removed statements, with a `with torch.no_grad():` that would be left empty taken whole."""
    wholes: list[cst.BaseStatement] = []
    for statement in stretch:
        if isinstance(statement, cst.With):
            inner = list(statement.body.body)
            if all(node in removed or node is host for node in inner) and host not in inner:
                wholes.append(statement)
                continue
            inside = [node for node in removed if _contains(script, statement, node)]
            if len(inside) == len(inner):
                raise CannotRewrite("the `with` block would be left empty")
            wholes += inside
        elif statement in removed and isinstance(statement, cst.BaseStatement):
            wholes.append(statement)
    return wholes


def _decoded_span(script: Script, decode: Decode) -> Span:
    span = script.span(decode.node)
    if decode.method == "batch_decode" and script.utf8[span.end : span.end + 3] == b"[0]":
        return Span(span.start, span.end + 3)
    return span


def _refuse_reordering(
    script: Script, late: list[cst.BaseStatement], host: cst.SimpleStatementLine
) -> None:
    """The decoding moves up past `late`: allowed only for an assignment that they do not touch."""
    if not isinstance(host.body[0], cst.Assign):
        raise CannotRewrite("other statements stand between generating and decoding")
    names = script.stored_in(script.span(host))
    reads = script.names_in(script.span(host))
    for statement in late:
        span = script.span(statement)
        if names & script.names_in(span) or reads & script.stored_in(span):
            raise CannotRewrite("other statements stand between generating and decoding")


def _refuse_changed_prompt(
    script: Script,
    prompt: cst.BaseExpression,
    encoding: cst.BaseStatement,
    anchor: cst.BaseStatement,
) -> None:
    names = script.names_in(script.span(prompt))
    between = Span(script.span(encoding).end, script.span(anchor).start)
    if between.end > between.start and names & script.stored_in(between):
        raise CannotRewrite("the prompt changes between tokenising and generating")


def _index_in(
    block: tuple[cst.BaseStatement | cst.BaseSmallStatement, ...],
    statement: cst.SimpleStatementLine,
) -> int:
    """The position of the statement of a block that is, or holds in a `with`, another statement."""
    for index, candidate in enumerate(block):
        if candidate is statement:
            return index
        if isinstance(candidate, cst.With) and statement in candidate.body.body:
            return index
    raise CannotRewrite("tokenising, generating and decoding stand in different blocks")


def _contains(script: Script, outer: cst.CSTNode, inner: cst.CSTNode) -> bool:
    a, b = script.span(outer), script.span(inner)
    return a.start <= b.start and b.end <= a.end
