"""Where the sources of cells stand in a notebook's text, character by character, and what takes their place."""

from __future__ import annotations

import json

import pytest

from cleanguard.editing.json_sources import characters, find_sources, rewritten

WANTED = ("cells", 1, "source")


def document(source: str) -> str:
    return (
        '{"meta": {"a": [1, {"b": "}"}]}, "cells": [{"source": "no"}, {"source": ' + source + "}]}"
    )


@pytest.mark.parametrize(
    ("source", "edits", "expected"),
    [
        ('"a\\nb"', [(0, 1, "x")], '"x\\nb"'),
        ('"a\\u00e4\\n"', [(2, 3, "ö")], '"a\\u00e4\\u00f6"'),
        ('"aä"', [(1, 2, "ö")], '"aö"'),
        ('"\\ud83d\\ude00b"', [(1, 2, "c")], '"\\ud83d\\ude00c"'),
        ('["a\\n", "b"]', [(2, 3, "c")], '["a\\n", "c"]'),
        ('["a\\n",\n  "b\\n", "c"]', [(2, 3, "x\ny")], '["a\\n",\n  "x\\n",\n  "y\\n", "c"]'),
        ('["a"]', [(1, 1, "\nb")], '["a\\n", "b"]'),
        ('[\n "a"\n]', [(1, 1, "\nb")], '[\n "a\\n",\n "b"\n]'),
        ('["a\\n", "b\\n", "c"]', [(0, 4, "")], '["c"]'),
        ('["a\\n", "b"]', [(1, 3, "")], '["a"]'),
        ('["a"]', [(0, 1, "")], "[]"),
        ("[]", [(0, 0, "a\nb")], '[\n    "a\\n",\n    "b"\n   ]'),
    ],
)
def test_only_what_is_edited_changes(source: str, edits: list[tuple[int, int, str]], expected: str) -> None:  # fmt: skip
    text = document(source)
    span = find_sources(text, [WANTED])[WANTED]
    assert text[span.start : span.end] == source
    assert rewritten(text, span, edits) == expected
    value = json.loads(source)
    before = value if isinstance(value, str) else "".join(value)
    after = json.loads(expected)
    (first, last, put) = edits[0]
    assert "".join(after) == before[:first] + put + before[last:]


def test_each_character_has_its_place() -> None:
    text = '  "a\\n\\u00e4\\ud83d\\ude00"  '
    assert list(characters(text, 2, len(text) - 2)) == [(3, "a"), (4, "\n"), (6, "ä"), (12, "😀")]
    assert list(characters('""', 0, 2)) == []


def test_a_document_that_ends_in_the_middle_is_told() -> None:
    with pytest.raises(ValueError, match="ends in the middle"):
        find_sources('{"a": [1, {"b": 2}', [WANTED])
