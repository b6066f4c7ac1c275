"""The ids among the arguments of `generate` and of a forward pass."""

from __future__ import annotations

from collections.abc import Iterator

from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.joins import (
    Encoded,
    Items,
    Mapping,
    Sequence,
    element_of,
    first,
    options,
)

_KEYWORDS = ("input_ids", "inputs")
# What only models that read something else, or write behind an encoder, are given.
_OF_OTHERS = ("pixel", "image", "input_features", "input_values", "decoder_", "inputs_embeds")


def encoded_in(args: Arguments) -> Encoded | None:
    """The encoded prompt among the arguments of generate or forward; a stop string's ids are none."""
    return next(encodings_in(args), None)


def encodings_in(args: Arguments) -> Iterator[Encoded]:
    """The encodings that may be the prompt of generate or forward."""
    prompts = [argument for name in _KEYWORDS if (argument := args.get(name)) is not None]
    for argument in (*args.positional[:1], *prompts, *args.spread):
        for option in options(argument.value):
            inner = option.get("input_ids") if isinstance(option, Mapping) else option
            for value in () if inner is None else options(inner):
                if isinstance(value, Encoded):
                    yield value


def rows_in(args: Arguments) -> Encoded | None:
    """The encoding of the rows in a list that is the prompt, as engines that batch by themselves take it."""
    for argument in args.positional[:1]:
        for option in options(argument.value):
            if isinstance(option, (Items, Sequence)):
                found = first(element_of(option), Encoded)
                if found is not None:
                    return found
    return None


def takes_ids(args: Arguments) -> bool:
    """Whether a call is given ids by their name, and nothing that only other models take."""
    ids = any(name in args.keywords for name in _KEYWORDS)
    return ids and not any(name.startswith(_OF_OTHERS) for name in args.keywords)
