"""The names that the guarded call goes on reading: what they stand for must not be folded away."""

from __future__ import annotations

from codemods.script.script import Script
from lint_rules._flow.values.events import Decode, Generate
from lint_rules._flow.values.joins import Encoded, first

_LEFT_BEHIND = (
    "input_ids",
    "inputs",
    "attention_mask",
    "token_type_ids",
    "pad_token_id",
    "tokenizer",
)


def carried_names(script: Script, generate: Generate, decodes: tuple[Decode, ...]) -> set[str]:
    """The names in the arguments that the guarded call takes over from `generate` and `decode`."""
    keywords = [
        argument
        for name, argument in generate.args.keywords.items()
        if name not in _LEFT_BEHIND and argument.node is not None
    ]
    keywords += [a for a in generate.args.spread if first(a.value, Encoded) is None]
    for decode in decodes:
        keywords += [
            argument
            for name, argument in decode.args.keywords.items()
            if name not in ("token_ids", "sequences") and argument.node is not None
        ]
    return {
        name
        for argument in keywords
        if argument.expression is not None
        for name in script.names_in(script.span(argument.expression))
    }
