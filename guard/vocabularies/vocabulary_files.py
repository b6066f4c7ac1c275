"""Compares the tokenizer files of one folder: transformers reads one of them, and others read another."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SAMPLE = 4000  # tokens, evenly taken; a file of another model differs in nearly all


def sibling_vocabularies(
    directory: Path, names: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, int]]]:
    """The other vocabulary files beside a tokenizer.json, each as some thousand tokens with their ids.

    What cannot be read says nothing here: transformers does not read it either.
    """
    for name in names:
        read = _READERS.get(name) or (_tiktoken if name.endswith(".tiktoken") else None)
        if name.startswith("tokenizer.model"):
            read = _model
        if read is None:
            continue
        try:
            found = read((directory / name).read_bytes())
        except (
            ValueError,
            RecursionError,
            KeyError,
            TypeError,
            IndexError,
            AttributeError,
            struct.error,
        ):
            continue
        if found:
            yield name, found


def differing(known: dict[str, int], sample: dict[str, int]) -> list[str]:
    """The tokens of a sample that have another id, or none."""
    return [token for token, index in sample.items() if known.get(token) != index]


@cache
def byte_names() -> Callable[[bytes], str]:
    """How byte-level vocabularies write bytes: printable ones as they are, the others moved up."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(shown)]
    letters = {byte: chr(byte) for byte in shown}
    letters |= {byte: chr(256 + at) for at, byte in enumerate(hidden)}
    return lambda token: "".join(map(letters.__getitem__, token))


def _sampled(pairs: list[tuple[str, int]]) -> dict[str, int]:
    step = max(1, len(pairs) // _SAMPLE)
    return dict(pairs[::step])


def _vocab_json(content: bytes) -> dict[str, int]:
    return _sampled([(str(token), int(index)) for token, index in json.loads(content).items()])


def _tekken(content: bytes) -> dict[str, int]:
    read = json.loads(content)
    special = int(read["config"]["default_num_special_tokens"])
    size = int(read["config"]["default_vocab_size"]) - special
    spelt = byte_names()
    tokens = read["vocab"][:size]
    step = max(1, len(tokens) // _SAMPLE)
    return {
        spelt(base64.b64decode(token["token_bytes"])): int(token["rank"]) + special
        for token in tokens[::step]
    }


def _tiktoken(content: bytes) -> dict[str, int]:
    spelt = byte_names()
    lines = content.split(b"\n")
    step = max(1, len(lines) // _SAMPLE)
    found = {}
    for line in lines[::step]:
        token, _, rank = line.strip().partition(b" ")
        if rank:
            found[spelt(base64.b64decode(token, validate=True))] = int(rank)
    return found


def _model(content: bytes) -> dict[str, int]:
    """A `tokenizer.model`: sentencepiece's, or tiktoken's lines under the same name."""
    try:
        return _tiktoken(content)
    except (ValueError, binascii.Error):
        ordinary = [(piece.text, at) for at, piece in enumerate(pieces(content)) if piece.kind == 1]
        return _sampled(ordinary)


def is_tiktoken(content: bytes) -> bool:
    """Whether a file holds tiktoken's lines: a token in base64 and its rank."""
    try:
        return bool(_tiktoken(content))
    except (ValueError, binascii.Error):
        return False


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a sentencepiece model: its text, its score, and its kind (1 ordinary, 3 control)."""

    text: str
    score: float
    kind: int


def pieces(content: bytes) -> Iterator[Piece]:
    """The pieces of a sentencepiece model in the order of their ids (field 1 of its ModelProto).

    Raises:
        ValueError, IndexError: It is none, or a torn one.
    """
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        length, at = _varint(content, at)
        if tag & 7 != 2:
            raise ValueError("no sentencepiece model")
        if tag >> 3 == 1:
            yield _piece(content[at : at + length])
        at += length


def _piece(content: bytes) -> Piece:
    at, text, score, kind = 0, "", 0.0, 1
    while at < len(content):
        tag, at = _varint(content, at)
        if tag & 7 == 2:
            length, at = _varint(content, at)
            text = content[at : at + length].decode() if tag >> 3 == 1 else text
            at += length
        elif tag & 7 == 5:
            score = struct.unpack("<f", content[at : at + 4])[0] if tag >> 3 == 2 else score
            at += 4
        elif tag & 7 == 0:
            value, at = _varint(content, at)
            kind = value if tag >> 3 == 3 else kind
        else:
            raise ValueError("no sentencepiece model")
    return Piece(text, score, kind)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


_READERS: dict[str, Callable[[bytes], dict[str, int]]] = {
    "vocab.json": _vocab_json,
    "tekken.json": _tekken,
}
