"""Records of several processes put into one file: order, doubles, kills at any moment, bad parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import guard.records.merging
from guard import Loaded
from guard.errors import RecordsBusyError, RecordsError
from guard.records.merging import merge_records
from guard.records.statement import read_statement, statement_path
from guard.records.verification import verify_file
from guard.records.writer import JsonlWriter

ORDER = list("abcdef")


@pytest.fixture
def files(tiny: Loaded, tmp_path: Path) -> tuple[Path, list[Path]]:
    """A file and two parts; `c` stands in two of them."""
    names = [tmp_path / "all.jsonl", tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for path, keys in zip(names, ["bc", "acf", "ed"], strict=True):
        with JsonlWriter(path, tiny.model, params={"seed": 1}) as out:
            for key in keys:
                out.write(key, {"from": path.stem})
    return names[0], names[1:]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_order_runs_and_loads_are_kept(files: tuple[Path, list[Path]]) -> None:
    target, parts = files
    runs = {read_statement(path).runs[0]["id"]: path.stem for path in (target, *parts)}
    merge_records(target, parts, ORDER)
    found = lines(target)
    assert [one["key"] for one in found] == ORDER
    assert [runs[one["provenance"]["run"]] for one in found] == [one["from"] for one in found]
    assert found[2]["from"] == "all"  # of a double the file's own stays
    verdict = verify_file(target)
    assert (verdict.problems, verdict.records, verdict.runs) == ((), 6, 3)
    assert not any(path.exists() or statement_path(path).exists() for path in parts)


def test_a_merged_file_is_gone_on_with(files: tuple[Path, list[Path]], tiny: Loaded) -> None:
    target, parts = files
    merge_records(target, parts, ORDER)
    before = target.read_bytes()
    merge_records(target, parts, ORDER)
    assert target.read_bytes() == before
    with JsonlWriter(target, tiny.model, params={"seed": 1}) as out:
        assert out.keys == set(ORDER)
        out.write("g", {"from": "later"})
    assert verify_file(target).problems == ()
    merge_records(target, [], ["g", *ORDER])
    assert [one["key"] for one in lines(target)] == ["g", *ORDER]
    assert verify_file(target).problems == ()


def test_parts_alone_are_enough(files: tuple[Path, list[Path]], tmp_path: Path) -> None:
    merge_records(tmp_path / "new.jsonl", [*files[1], tmp_path / "absent.jsonl"], ORDER)
    assert [one["key"] for one in lines(tmp_path / "new.jsonl")] == list("acdef")
    assert verify_file(tmp_path / "new.jsonl").problems == ()


@pytest.mark.parametrize("moment", range(16))
def test_a_merge_killed_at_any_moment_is_finished_by_the_next(
    moment: int, files: tuple[Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, parts = files
    calls = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment + 1:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        return call

    for where, name in (
        (guard.records.merging, "write_statement"), (guard.records.merging, "one_line"), (Path, "replace"),
        (Path, "unlink"),
    ):  # fmt: skip
        monkeypatch.setattr(where, name, dying(getattr(where, name)))
    with pytest.raises(KeyboardInterrupt):
        merge_records(target, parts, ORDER)
    monkeypatch.undo()
    merge_records(target, parts, ORDER)
    assert [one["key"] for one in lines(target)] == ORDER
    assert verify_file(target).problems == ()
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "all.jsonl",
        "all.jsonl.intoto.json",
    ]


def test_a_torn_end_is_cut_and_the_run_is_told_killed(
    files: tuple[Path, list[Path]], tiny: Loaded
) -> None:
    target, parts = files
    with parts[0].open("a") as file:
        file.write('{"key": "half')
    merge_records(target, parts, ORDER)
    assert [one["key"] for one in lines(target)] == ORDER


def test_an_edited_part_is_refused_and_nothing_is_lost(files: tuple[Path, list[Path]]) -> None:
    target, parts = files
    before = target.read_bytes()
    parts[1].write_text(parts[1].read_text().replace('"two"', '"too"', 1))
    with pytest.raises(RecordsError, match=r"two\.jsonl is not what its statement says"):
        merge_records(target, parts, ORDER)
    assert target.read_bytes() == before
    assert parts[0].exists()


def test_other_params_are_refused(
    files: tuple[Path, list[Path]], tiny: Loaded, tmp_path: Path
) -> None:
    with JsonlWriter(tmp_path / "other.jsonl", tiny.model, params={"seed": 2}) as out:
        out.write("x", {})
    with pytest.raises(RecordsError, match="different params"):
        merge_records(files[0], [*files[1], tmp_path / "other.jsonl"], ORDER)


def test_a_part_that_is_still_written_is_refused(
    files: tuple[Path, list[Path]], tiny: Loaded
) -> None:
    target, parts = files
    with JsonlWriter(parts[0], tiny.model, params={"seed": 1}), pytest.raises(RecordsBusyError):
        merge_records(target, parts, ORDER)
