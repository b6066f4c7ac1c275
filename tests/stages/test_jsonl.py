"""JSON lines of people and other stages: what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.errors import JobError
from stages.jsonl import read_lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}\n" + "[" * 100_000, r"mine\.jsonl:2: not JSON \(nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", r"mine\.jsonl:1: not JSON"),
    ],
)
def test_lines_that_no_reader_takes_are_named(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(JobError, match=message):
        read_lines(tmp_path / "mine.jsonl", {})


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"a": "x"}\r\n\r\n{"a": "y"}')
    assert read_lines(file, {"a": str}) == [{"a": "x"}, {"a": "y"}]
    file.write_bytes(b"\xef\xbb\xbf{}\n{}\n\xff")
    with pytest.raises(JobError, match=r"mine\.jsonl:3: not UTF-8"):
        read_lines(file, {})
