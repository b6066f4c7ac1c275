"""Labels that leave out pad tokens: `labels[ids == tokenizer.pad_token_id] = -100` and its kin."""

from __future__ import annotations

from typing import Protocol

from lint_rules._flow.state.program import Cursor, Program
from lint_rules._flow.values.events import PadMask
from lint_rules._flow.values.joins import Constant, Method, Tokenizer, Value, first, options
from lint_rules._flow.values.scopes import Env
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import tree as cst

# What the losses of torch leave out.
IGNORED = Constant(-100)
MASKING_CALLS = frozenset({"where", "masked_fill", "masked_fill_", "full_like"})
_PAD = "pad_token_id"


class Evaluates(Protocol):
    """What a search for masks needs of the evaluator."""

    program: Program
    cursor: Cursor

    def evaluate(self, node: cst.BaseExpression, env: Env) -> Value:
        """The value of an expression in a scope."""
        ...


def note_mask(evaluator: Evaluates, node: cst.CSTNode, test: cst.BaseExpression, env: Env) -> None:
    """Records a mask if a test compares with a pad token."""
    while isinstance(test, cst.UnaryOperation):
        test = test.expression
    if not isinstance(test, cst.Comparison):
        return
    for side in (test.left, *(part.comparator for part in test.comparisons)):
        value = evaluator.evaluate(side, env)
        pad = next(
            (one for one in options(value) if isinstance(one, Method) and one.name == _PAD), None
        )
        if pad is not None or (dotted(side) or "").rsplit(".", 1)[-1] in (_PAD, "pad_id"):
            owner = None if pad is None else first(pad.receiver, Tokenizer)
            evaluator.cursor.state = env.state
            evaluator.program.record(PadMask(node, evaluator.cursor.place(), owner))
            return


def note_mask_in_call(evaluator: Evaluates, node: cst.Call, values: list[Value], env: Env) -> None:
    """`torch.where(ids == pad, -100, ids)` and `ids.masked_fill(ids == pad, -100)`."""
    if IGNORED in values:
        for argument in node.args:
            if isinstance(argument.value, (cst.Comparison, cst.UnaryOperation)):
                note_mask(evaluator, node, argument.value, env)
