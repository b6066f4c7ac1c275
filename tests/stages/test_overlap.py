"""CG503: the same key, the same text, nearly the same text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from stages.containment import containing
from stages.training.config import HoldoutConfig
from stages.training.errors import TrainTestOverlapError
from stages.training.overlap import jaccard, refuse_overlap, shingles

ROWS = [
    {"group": "opp:slow", "instruction": "What is the opposite of slow?", "prompt": "Q: slow?"},
    {"group": "add:0:8", "instruction": "Add 0 and 8.", "prompt": "Q: 0+8"},
]


def compared(tmp_path: Path, *items: dict[str, Any], **settings: Any) -> dict[str, Any]:
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return refuse_overlap(ROWS, HoldoutConfig(against=(str(tmp_path / "items.jsonl"),), **settings))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"instruction": "ADD 0  and 8."}, "0 share a key and 1 a text"),
        ({"question": "Ａdd 0 and 8."}, "0 share a key and 1 a text"),
        ({"prompt": "Q: slow?"}, "0 share a key and 1 a text"),
        ({"instruction": "Add\u200b 0 and\u00ad 8."}, "0 share a key and 1 a text"),
        ({"instruction": "A\ufe0fdd 0 and 8\u2060."}, "0 share a key and 1 a text"),
        ({"prompt": "Instruction: Add 0 and 8.\nResponse:"}, "1 hold one or stand inside one"),
        ({"text": "Well then: add 0, and 8! And go on."}, "1 hold one or stand inside one"),
        ({"text": "He asked: what is the\u200b opposite of slow? Nobody knew."}, "1 hold one"),
        ({"key": "add:0:8"}, "1 share a key and 0 a text"),
        ({"cluster": "opp:slow", "text": "x"}, "1 share a key and 0 a text"),
    ],
)
def test_what_is_refused(item: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainTestOverlapError) as raised:
        compared(tmp_path, item)
    assert message in str(raised.value)
    assert raised.value.code == "CG503"


@pytest.mark.parametrize(
    "item",
    [
        {"instruction": "Add 1 and 8."},
        {"group": "add:1:8"},
        {"text": "Add 0 and 80. Add 10 and 8."},
        {"text": "slow"},
    ],
)
def test_what_is_not(item: dict[str, str], tmp_path: Path) -> None:
    found = compared(tmp_path, item)
    assert (found["items"], found["same_key"], found["same_text"]) == (1, 0, 0)


def test_near_duplicates_are_reported_or_refused(tmp_path: Path) -> None:
    pytest.importorskip("datasketch")
    items = [{"instruction": "What is the opposite of slows?"}, {"text": "Sing a song."}]
    assert compared(tmp_path, *items, similarity=0.6, near="report")["near"] == 1
    assert compared(tmp_path, *items, similarity=0.9)["near"] == 0
    assert compared(tmp_path, *items, near="off")["near"] is None
    with pytest.raises(TrainTestOverlapError, match=r"1 are nearly the same.*opposite of slow"):
        compared(tmp_path, *items, similarity=0.6)


def test_a_row_that_is_nearly_the_same_counts_once(tmp_path: Path) -> None:
    pytest.importorskip("datasketch")
    items = [{"instruction": "What is the opposite of slows?", "prompt": "Q: slows?"}]
    assert compared(tmp_path, *items, similarity=0.3, near="report")["near"] == 1
    items.append({"text": "What is the opposite of slow?"})
    with pytest.raises(TrainTestOverlapError) as caught:
        compared(tmp_path, *items, similarity=0.3)
    assert (caught.value.evidence["same_text"], caught.value.evidence["near"]) == (1, 0)


def test_an_item_inside_a_training_row_is_found() -> None:
    rows = ["read this: add 0 and 8. then rest", "add 0 and 80 now", "a b c"]
    items = ["add 0 and 8", "b c", "read this: add 0 and 8. then rest and sleep"]
    assert containing(rows, items) == {rows[0]: items[0]}
    assert containing(["add 0 and 8"], [rows[0]]) == {"add 0 and 8": rows[0]}


def test_no_evaluation_items_are_said_to_be_none(caplog: pytest.LogCaptureFixture) -> None:
    found = refuse_overlap(ROWS, HoldoutConfig())
    assert (found["against"], found["items"], found["near"]) == ((), 0, None)
    assert "holdout.against" in caplog.text


def test_items_without_anything_to_compare_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="none of the fields"):
        compared(tmp_path, {"answer": "x"})


def test_similarity() -> None:
    assert jaccard(shingles("abcdef"), shingles("abcdef")) == 1
    assert jaccard(shingles("abcdef"), shingles("abcdeg")) == pytest.approx(1 / 3)
    assert shingles("ab") == {"ab"}
