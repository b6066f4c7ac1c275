"""What is known about text: its literal pieces, and whether a chat template rendered it."""

from __future__ import annotations

from lint_rules._flow.values import (
    MAX_PIECES,
    UNKNOWN,
    ChatText,
    Constant,
    Formatted,
    Items,
    Sequence,
    Value,
    element_of,
    options,
)


def is_chat(value: Value) -> bool:
    """Whether any alternative is text that a chat template rendered."""
    return any(
        isinstance(option, ChatText)
        or (isinstance(option, Formatted) and option.rendered_chat)
        or (isinstance(option, (Items, Sequence)) and is_chat(element_of(option)))
        for option in options(value)
    )


def add_text(left: Value, right: Value) -> Value:
    """`left + right` for text: the literal pieces survive, and so does having been rendered."""
    chat = is_chat(left) or is_chat(right)
    if isinstance(left, Constant) and isinstance(right, Constant):
        if isinstance(left.value, str) and isinstance(right.value, str):
            return Constant(left.value + right.value, left.fixed and right.fixed)
        return UNKNOWN
    pieces = tuple(dict.fromkeys((*_pieces(left), *_pieces(right))))[:MAX_PIECES]
    return Formatted(pieces, chat) if pieces or chat else UNKNOWN


def joined_text(separator: Value, parts: Value) -> Value:
    """`separator.join(parts)`."""
    result: Value = UNKNOWN
    for option in options(parts):
        members = option.items if isinstance(option, Sequence) else (element_of(option),)
        for member in members:
            result = member if result == UNKNOWN else add_text(add_text(result, separator), member)
    return result


def piece_of(value: Value) -> tuple[str, ...]:
    """The literal pieces of a text."""
    return tuple(piece for option in options(value) for piece in _pieces(option))


def _pieces(value: Value) -> tuple[str, ...]:
    if isinstance(value, Formatted):
        return value.pieces
    if isinstance(value, Constant) and isinstance(value.value, str):
        return (value.value,)
    return ()
