"""The prompt of a tokenizer call as the guard takes it: plain text, to which the guard puts BOS itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from cleanguard.catalogue.families import family_of
from codemods.facts.unseen_ids import may_have_bos
from codemods.plan.sites import CannotRewrite, Note
from codemods.script.script import Script
from codemods.texts.decoded_bos import refuse_decoded
from lint_rules._flow.values.events import Encode
from lint_rules._questions.hand_made_text import bos_reach, chat_reach

_MAY_NAME_BOS = re.compile(
    r"bos_token|special_tokens|all_special|<s>|<bos>|begin_of_text|begin▁of▁sentence"
)
# Families whose tokenizers mark the first word of a text, and not one that follows a special token.
_MARKS_BEGINNINGS = ("llama2", "mistral")
_BLANK = re.compile(rb"""[rRuUfF]*(?P<q>'{1,3}|"{1,3})\s""")
_TWICE = Note(
    "changed", "BOS stood twice before the prompt; it stands there once now", amends="one bos"
)


def prompt_code(script: Script, encode: Encode, node: cst.BaseExpression) -> tuple[str, list[Note]]:
    """An expression for a prompt, or for several, as text without the BOS that code puts before it.

    Raises:
        CannotRewrite: BOS or a chat format may be in the text, where it cannot be taken out for certain.
    """
    line = script.line_of(node)
    chat = script.flow.once(chat_reach)
    if chat.touches(node):
        raise CannotRewrite(
            f"the prompt of line {line} may hold a chat format, which the guard refuses"
        )
    code = script.argument(node)
    model = encode.tokenizer.model
    if not may_have_bos(model):  # text with it gives the same ids as before
        return code, []
    refuse_decoded(script, node)
    if not _MAY_NAME_BOS.search(script.source.text):
        return code, []
    bos = script.flow.once(bos_reach)
    if not bos.touches(node):
        return code, []
    family = family_of(model.text or "")
    parts = list(_leading(node))
    known = family is not None and model.fixed and family.bos == "one"
    if not known or not parts or any(bos.touches(rest) for rest in _behind(node)):
        raise CannotRewrite(
            f"code puts BOS before the prompt of line {line}, and the guard puts it there: take it "
            "out of the text, and migrate again"
        )
    span = script.span(node)
    raw = script.utf8[span.start : span.end]
    for first, after in reversed(parts):
        start, end = script.span(first).start, script.span(first).end
        if after is not None:
            end = script.span(after).start
        raw = raw[: start - span.start] + raw[end - span.start :]
    if family is not None and family.name in _MARKS_BEGINNINGS and not _BLANK.match(raw):
        raise CannotRewrite(
            f"behind a BOS in the text of line {line} the first word is other tokens than where a prompt "
            "begins: take it out of the text, and migrate again"
        )
    twice = encode.args.written("add_special_tokens") is not False
    return raw.decode(), [_TWICE] if twice else []


def _leading(node: cst.BaseExpression) -> Iterator[tuple[cst.CSTNode, cst.CSTNode | None]]:
    """Where `tokenizer.bos_token` stands before a text, with what stands behind a `+`."""
    if isinstance(node, cst.ListComp):
        yield from _leading(node.elt)
    elif isinstance(node, cst.List):
        for element in node.elements:
            yield from _leading(element.value)
    elif isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add):
        if _is_bos(node.left) and not node.lpar:
            yield node.left, node.right
        elif not node.left.lpar:
            yield from _leading(node.left)
    elif isinstance(node, cst.FormattedString) and node.parts:
        first = node.parts[0]
        if (
            isinstance(first, cst.FormattedStringExpression)
            and first.format_spec is None
            and first.conversion is None
            and _is_bos(first.expression)
        ):
            yield first, None


def _behind(node: cst.BaseExpression) -> Iterator[cst.CSTNode]:
    """Everything in an expression but the BOS that `_leading` finds."""
    if isinstance(node, cst.ListComp):
        yield from _behind(node.elt)
        yield node.for_in
    elif isinstance(node, cst.List):
        for element in node.elements:
            yield from _behind(element.value)
    elif isinstance(node, cst.BinaryOperation):
        yield node.right
        if not _is_bos(node.left):
            yield from _behind(node.left)
    elif isinstance(node, cst.FormattedString) and any(True for _ in _leading(node)):
        yield from node.parts[1:]
    else:
        yield node


def _is_bos(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value == "bos_token"
