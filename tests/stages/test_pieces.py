"""How work is cut and put together; what several processes make of it stands in test_processes.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from guard import JsonlWriter, Loaded
from guard.records.verification import verify_file
from stages.processes.pieces import Piece, spread

PIECES = [Piece((f"{name}1", f"{name}2"), name) for name in "abcd"]


def work(done: list[str], stop_before: str = "") -> Any:
    def write(names: Sequence[str], files: Sequence[JsonlWriter]) -> None:
        for name in names:
            if name == stop_before:
                raise KeyboardInterrupt
            done.append(name)
            for number in "12":
                if name + number not in files[0]:
                    files[0].write(name + number, {"of": name})
            files[0].flush()

    return write


def keys(path: Path) -> list[str]:
    assert verify_file(path).problems == ()
    return [json.loads(line)["key"] for line in path.read_text().splitlines()]


def test_what_is_done_is_not_done_again_and_the_order_is_that_of_the_pieces(
    tiny: Loaded, tmp_path: Path
) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        spread(tmp_path, ["out.jsonl"], tiny.model, {}, PIECES[2:], work(done, "d"))
    spread(tmp_path, ["out.jsonl"], tiny.model, {}, PIECES, work(done))
    assert done == ["c", "a", "b", "d"]
    assert keys(tmp_path / "out.jsonl") == [key for piece in PIECES for key in piece.keys]


def test_what_a_killed_process_left_is_taken_over(tiny: Loaded, tmp_path: Path) -> None:
    (tmp_path / "shards" / "3").mkdir(parents=True)
    left = JsonlWriter(tmp_path / "shards" / "3" / "out.jsonl", tiny.model, params={})
    for key in ("b1", "b2", "d1"):
        left.write(key, {"of": key[0]})
    left.close("stopped by SIGKILL")
    done: list[str] = []
    spread(tmp_path, ["out.jsonl"], tiny.model, {}, PIECES, work(done))
    assert done == ["a", "c", "d"]  # d has a record missing: it is done again as a whole
    assert keys(tmp_path / "out.jsonl") == [key for piece in PIECES for key in piece.keys]
    assert not (tmp_path / "shards").exists()


def test_records_that_never_came_are_told(tiny: Loaded, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="8 of 8 records are not here"):
        spread(tmp_path, ["out.jsonl"], tiny.model, {}, PIECES, lambda names, files: None)
