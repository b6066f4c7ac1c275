"""What is known about text: its literal pieces, and whether a chat template rendered it."""

from __future__ import annotations

import re

from lint_rules._flow.values.joins import (
    MAX_PIECES,
    UNKNOWN,
    ChatText,
    Choice,
    Constant,
    Formatted,
    Items,
    Mapping,
    Method,
    Sequence,
    Symbol,
    Value,
    element_of,
    options,
)

# Stands for a tokenizer's own BOS among the pieces of a text. A text that begins with something unknown
# has an empty first piece.
BOS = "\0bos"
# Stands for rendered text whose beginning is not its template's, or not known.
_CUT = "\0cut"
_PERCENT = re.compile(r"%(?:\((\w+)\))?[-#0 +]*\d*(?:\.\d+)?[a-zA-Z]|%%")
_BRACES = re.compile(r"\{\{|\}\}|\{(\w*)[^{}]*\}")
# Names of files that transformers and peft keep as constants.
_FILE_NAMES = {
    "WEIGHTS_NAME": ("pytorch_model.bin",),
    "SAFE_WEIGHTS_NAME": ("model.safetensors",),
    "ADAPTER_WEIGHTS_NAME": ("adapter_model.bin",),
}
BOS_TEXTS = (BOS, "<|begin_of_text|>", "<bos>", "<s>", "<｜begin▁of▁sentence｜>")


def is_chat(value: Value) -> bool:
    """Whether any alternative is text that a chat template rendered."""
    return any(
        isinstance(option, ChatText)
        or (isinstance(option, Formatted) and option.rendered_chat)
        or (isinstance(option, (Items, Sequence)) and is_chat(element_of(option)))
        for option in options(value)
    )


def keeps_bos(value: Value) -> bool:
    """Whether rendered text still begins as the template wrote it."""
    for option in options(value):
        if isinstance(option, ChatText) and option.cut:
            return False
        if isinstance(option, Formatted) and _CUT in option.pieces:
            return False
        if isinstance(option, (Items, Sequence)) and not keeps_bos(element_of(option)):
            return False
    return True


def add_text(left: Value, right: Value) -> Value:
    """`left + right` for text: the literal pieces survive, and so does having been rendered."""
    chat = is_chat(left) or is_chat(right)
    if isinstance(left, Constant) and isinstance(right, Constant):
        if isinstance(left.value, str) and isinstance(right.value, str):
            return Constant(left.value + right.value, left.fixed and right.fixed)
        return UNKNOWN
    found = (*(_pieces(left) or ("",)), *_pieces(right))
    pieces = tuple(dict.fromkeys(found))[:MAX_PIECES] if any(found) else ()
    return Formatted(pieces, chat) if pieces or chat else UNKNOWN


def filled(parts: list[str | Value]) -> Value:
    """A text of literal parts and values, in their order: an f-string, a format, `%`."""
    if all(isinstance(part, str) or _is_plain(part) for part in parts):
        values = [part for part in parts if isinstance(part, Constant)]
        whole = "".join(str(part.value if isinstance(part, Constant) else part) for part in parts)
        return Constant(whole, all(value.fixed for value in values))
    pieces: list[str] = []
    chat = False
    for part in parts:
        if isinstance(part, str):
            pieces.extend([part] if part else [])
        else:
            pieces.extend(piece_of(part) or ([] if pieces else [""]))
            chat = is_chat(part) or chat
    return Formatted(tuple(dict.fromkeys(pieces))[:MAX_PIECES], chat)


def percent_filled(template: str, given: Value) -> Value:
    """`template % given`."""
    at, index = 0, 0
    parts: list[str | Value] = []
    for match in _PERCENT.finditer(template):
        parts.append(template[at : match.start()])
        at = match.end()
        if match[0] == "%%":
            parts.append("%")
        elif match[1] is not None:
            parts.append(_member(given, match[1]))
        else:
            parts.append(_member(given, index))
            index += 1
    return filled([*parts, template[at:]])


def brace_filled(template: str, positional: list[Value], named: dict[str, Value]) -> Value:
    """`template.format(…)`."""
    at, index = 0, 0
    parts: list[str | Value] = []
    for match in _BRACES.finditer(template):
        parts.append(template[at : match.start()])
        at = match.end()
        field = match[1]
        if field is None:
            parts.append(match[0][0])
            continue
        name = field if field else str(index)
        index += not field
        if name.isdigit():
            parts.append(positional[int(name)] if int(name) < len(positional) else UNKNOWN)
        else:
            parts.append(named.get(name, UNKNOWN))
    return filled([*parts, template[at:]])


def _member(given: Value, key: int | str) -> Value:
    if isinstance(key, str):
        found = given.get(key) if isinstance(given, Mapping) else None
        return UNKNOWN if found is None else found
    if isinstance(given, Sequence) and given.kind == "tuple":
        return given.items[key] if key < len(given.items) else UNKNOWN
    return given if key == 0 else UNKNOWN


def _is_plain(value: Value) -> bool:
    return isinstance(value, Constant) and type(value.value) in (str, int)


def joined_text(separator: Value, parts: Value) -> Value:
    """`separator.join(parts)`."""
    result: Value = UNKNOWN
    for option in options(parts):
        members = option.items if isinstance(option, Sequence) else (element_of(option),)
        for member in members:
            result = member if result == UNKNOWN else add_text(add_text(result, separator), member)
    return result


def leads_with(text: Value, starts: tuple[str, ...]) -> bool:
    """Whether any alternative begins with one of the texts; for a list, any member."""
    for option in options(text):
        if isinstance(option, (Items, Sequence)):
            if leads_with(element_of(option), starts):
                return True
        elif isinstance(option, (Constant, Formatted, Method)):
            pieces = _pieces(option)
            if pieces and pieces[0].startswith(starts):
                return True
    return False


def piece_of(value: Value) -> tuple[str, ...]:
    """The literal pieces of a text."""
    return tuple(piece for option in options(value) for piece in _pieces(option))


def _pieces(value: Value) -> tuple[str, ...]:
    if isinstance(value, Formatted):
        return value.pieces
    if isinstance(value, Constant) and isinstance(value.value, str):
        return (value.value,)
    if isinstance(value, ChatText) and value.cut:
        return (_CUT,)
    if isinstance(value, Symbol):
        return _FILE_NAMES.get(value.name.rsplit(".", 1)[-1], ())
    if isinstance(value, Method) and value.name == "bos_token":
        return (BOS,)
    if isinstance(value, Choice):  # `(tokenizer.bos_token or "") + prompt`
        return tuple(piece for option in value.options for piece in _pieces(option) if piece)
    return ()
