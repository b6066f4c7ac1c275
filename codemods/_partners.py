"""Which tokenizer load belongs to which model load."""

from __future__ import annotations

import libcst as cst

from codemods._script import Script
from codemods._targets import Target, target_of
from codemods._traits import trains
from codemods.templates import is_template_line
from lint_rules._flow.arguments import Arguments
from lint_rules._flow.events import ModelLoad, TokenizerLoad


def partner_of(
    script: Script, model: ModelLoad, tokenizers: list[TokenizerLoad]
) -> TokenizerLoad | None:
    """The tokenizer load that one `loader.load()` can serve together with the model load.

    It stands before the model in the same block, names the same model, and its tokenizer is not used
    in between except by lines that the migration removes.
    """
    for tokenizer in tokenizers:
        if tokenizer.place.block is not model.place.block:
            continue
        if _model_text(script, tokenizer.args) != _model_text(script, model.args):
            continue
        target = target_of(script, tokenizer)
        if target is None or tokenizer.place.index >= model.place.index:
            continue
        if target_of(script, model) is not None and not _used_between(
            script, tokenizer, target, model
        ):
            return tokenizer
    return None


def _used_between(
    script: Script, tokenizer: TokenizerLoad, target: Target, model: ModelLoad
) -> bool:
    between = model.place.block[tokenizer.place.index + 1 : model.place.index]
    for statement in between:
        dropped = is_template_line(script, statement, tokenizer.node, trains=trains(script))
        if not dropped and mentions(script, statement, target.text):
            return True
    return False


def mentions(script: Script, node: cst.CSTNode, text: str) -> bool:
    if text.isidentifier():
        return bool(script.uses(text, node))
    return text in script.code(node)


def _model_text(script: Script, args: Arguments) -> str | None:
    """The model as written, whatever its quotes."""
    argument = args.get("pretrained_model_name_or_path", 0)
    if argument is None or argument.expression is None:
        return None
    if isinstance(argument.expression, cst.SimpleString):
        return repr(argument.expression.evaluated_value)
    return script.code(argument.expression)
