"""The statements between a prompt's tokenisation and its decoded text, and how they fold into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite
from codemods.script.looking import Looking
from codemods.script.purity import assigned_name, is_pure, is_pure_assignment, may_change
from codemods.script.script import Script
from codemods.texts.carried_names import carried_names
from codemods.texts.encoding import kept_encoding, receiver
from codemods.texts.moved_text import may_differ
from codemods.texts.statements_between import foldable
from lint_rules._flow.values.events import Decode, Encode, Generate, Place
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span

_NO_HOST = (cst.BaseComp, cst.Lambda, cst.FormattedString)
_NO_GRADIENT = ("no_grad", "inference_mode")


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
            edits.append(kept_encoding(script, self.encode))
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
    _refuse_other_targets(encoding, generating, host)
    _refuse_repetition(host, decode.node)
    block, start = encode.place.block, encode.place.index
    middle = _index_in(block, generating)
    end = _index_in(block, host)
    if not start <= middle <= end:
        raise CannotRewrite("the calls do not stand one after the other in one block")
    stretch = block[start : end + 1]
    members = _members(script, stretch, generating, host)
    decoded = decoded_span(script, decode)
    read = carried_names(script, generate, (decode,))
    folding = _folding(script, members, (encoding, generating, host), decoded, encode.place, read)
    keeps = encoding not in folding
    removed = [node for node in folding if node is not host]
    wholes = _whole_statements(script, stretch, removed)
    own = [node for node in members if node not in (*folding, host, encoding)]
    late = [node for node in own if script.span(node).start >= script.span(generating).end]
    anchor: cst.BaseStatement = host
    if late and generating is not host:
        anchor = next((node for node in wholes if _contains(script, node, generating)), generating)
        _refuse_reordering(script, late, host)
    early = [node for node in own if node not in late]
    before = [] if host is encoding else _read_before(script, host, decoded)
    _refuse_changed_prompt(script, encode, [*early, *before], keeps)
    return Chain(script, encode, decoded, host, anchor, tuple(wholes), keeps)


def _refuse_other_targets(
    encoding: cst.SimpleStatementLine,
    generating: cst.SimpleStatementLine,
    host: cst.SimpleStatementLine,
) -> None:
    """What is tokenised and generated must go to plain names: an attribute may be read anywhere."""
    for statement in (encoding, generating):
        if statement is not host and assigned_name(statement) is None:
            raise CannotRewrite("what is tokenised or generated is not assigned to a plain name")


def _refuse_repetition(host: cst.SimpleStatementLine, decode: cst.Call) -> None:
    visitor = _Repeats(decode)
    host.visit(visitor)
    if visitor.repeats:
        raise CannotRewrite("what it generates is decoded row by row, or inside an f-string")


class _Repeats(cst.CSTVisitor):
    """Whether a call stands in a comprehension, a lambda or an f-string of its statement."""

    def __init__(self, call: cst.Call) -> None:
        self.call = call
        self.depth = 0
        self.repeats = False

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.depth += isinstance(node, _NO_HOST)
        self.repeats = self.repeats or (node is self.call and self.depth > 0)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self.depth -= isinstance(original_node, _NO_HOST)


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


def _folding(
    script: Script,
    members: list[cst.BaseStatement],
    calls: tuple[cst.SimpleStatementLine, cst.SimpleStatementLine, cst.SimpleStatementLine],
    decoded: Span,
    place: Place,
    read: set[str],
) -> list[cst.BaseStatement]:
    """The statements that only serve the generation, the decoding one among them."""
    _, generating, host = calls
    candidates = [
        node
        for node in members
        if node in (generating, host)
        or ((node in calls or is_pure_assignment(node)) and not _stores(script, node) & read)
    ]
    found = foldable(
        script, [node for node in candidates if node is not host], [decoded], place.function
    )
    if generating is not host and generating not in found:
        raise CannotRewrite("what generate returns is used for more than its text")
    return [node for node in candidates if node is host or node in found]


def _stores(script: Script, node: cst.BaseStatement) -> set[str]:
    return script.stored_in(script.span(node))


def _whole_statements(
    script: Script,
    stretch: tuple[cst.BaseStatement | cst.BaseSmallStatement, ...],
    removed: list[cst.BaseStatement],
) -> list[cst.BaseStatement]:
    """The removed statements, with a `with torch.no_grad():` that would be left empty taken whole."""
    wholes: list[cst.BaseStatement] = []
    for statement in stretch:
        if isinstance(statement, cst.With):
            inner = list(statement.body.body)
            inside = [node for node in removed if _contains(script, statement, node)]
            if len(inside) < len(inner):
                wholes += inside
            elif is_needless(statement):
                wholes.append(statement)
            else:
                raise CannotRewrite("the `with` block would be left empty")
        elif statement in removed and isinstance(statement, cst.BaseStatement):
            wholes.append(statement)
    return wholes


def is_needless(statement: cst.With) -> bool:
    """`with torch.no_grad():`, which guarded generation does itself; an autocast is not."""
    return statement.asynchronous is None and all(
        item.asname is None
        and isinstance(item.item, cst.Call)
        and (dotted(item.item.func) or "").rpartition(".")[2] in _NO_GRADIENT
        for item in statement.items
    )


def decoded_span(script: Script, decode: Decode) -> Span:
    """The place of a decode call, without the `[0]` that picks a row of its texts."""
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
    script: Script, encode: Encode, between: Sequence[cst.CSTNode], keeps: bool
) -> None:
    """The prompt is read later than before, and once more where its encoding is kept."""
    prompt = encode.args.get("text", 0)
    if prompt is None or prompt.expression is None:
        return
    again = may_differ(script, prompt.expression, encode.place.function)
    pure = is_pure(prompt.expression) and not again
    if not pure and keeps:
        raise CannotRewrite("making the prompt may have effects, and it would be made twice")
    names = script.names_in(script.span(prompt.expression))
    objects = script.names_in(script.span(receiver(encode.node)))
    if any(
        not pure or may_change(script, node, names) or objects & script.stored_in(script.span(node))
        for node in between
    ):
        raise CannotRewrite("the prompt may change between tokenising and generating")


def _read_before(script: Script, host: cst.SimpleStatementLine, decoded: Span) -> list[cst.CSTNode]:
    """What a statement evaluates before the call that decodes: a prompt with effects must not follow it there."""
    visitor = _Reads()
    host.visit(visitor)
    called = {
        id(call.func)
        for call in visitor.calls
        if isinstance(call.func, cst.Name) and script.span(call).end >= decoded.end
    }
    return [
        node
        for node in (*visitor.calls, *visitor.names)
        if id(node) not in called and script.span(node).end <= decoded.start
    ]


class _Reads(Looking):
    def __init__(self) -> None:
        self.calls: list[cst.Call] = []
        self.names: list[cst.Name] = []

    def visit_Call(self, node: cst.Call) -> None:
        self.calls.append(node)

    def visit_Name(self, node: cst.Name) -> None:
        self.names.append(node)

    def visit_AssignTarget(self, node: cst.AssignTarget) -> bool:
        return not isinstance(node.target, cst.Name)


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
