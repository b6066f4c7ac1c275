"""Byte edits: applied in any order, refused where they overlap, blank lines tidied."""

from __future__ import annotations

import pytest

from codemods.plan.edits import Edit, OverlapError, apply, tidy


def test_edits_are_applied_in_any_order():
    assert apply(b"abcdef", [Edit(4, 6, "Z"), Edit(0, 1, "X"), Edit(2, 2, "+")]) == b"Xb+cdZ"


def test_overlapping_edits_are_refused():
    with pytest.raises(OverlapError):
        apply(b"abcdef", [Edit(0, 3), Edit(2, 4)])


def test_no_edits_change_nothing():
    assert apply(b"abc", []) == b"abc"


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        pytest.param("a\n\nX\n\nb\n", ["X\n"], "a\n\nb\n", id="one blank line stays"),
        pytest.param("a\n\nX\nY\n\nb\n", ["X\n", "Y\n"], "a\n\nb\n", id="neighbours"),
        pytest.param("def f():\n    X\n\n    b\n", ["    X\n"], "def f():\n    b\n", id="at the top of a block"),
        pytest.param("a\nX\nb\n", ["X\n"], "a\nb\n", id="no blank lines"),
        pytest.param("a\n\nX\n# c\n\nb\n", ["X\n"], "a\n\n# c\n\nb\n", id="a comment keeps its place"),
        pytest.param("X\n\nb\n", ["X\n"], "b\n", id="at the start of the file"),
        pytest.param("a\n\nX\n", ["X\n"], "a\n", id="at the end of the file"),
        pytest.param("a\n\nX\n\n\ndef f():\n", ["X\n"], "a\n\n\ndef f():\n", id="the larger gap stays"),
        pytest.param("def f():\n    X\n\n\n    Y\n\n\n\n    b\n", ["    X\n", "    Y\n"], "def f():\n    b\n", id="far neighbours"),
    ],
)  # fmt: skip
def test_deleting_lines_leaves_no_double_blank(text, gone, left):
    edits = [Edit(text.index(part), text.index(part) + len(part)) for part in gone]
    assert apply(text.encode(), tidy(text.encode(), edits)).decode() == left
