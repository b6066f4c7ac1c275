from __future__ import annotations

import copy
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard import CleanModelLoader, JsonlWriter, Loaded, Provenance, attest, item_key, unguarded
from guard.base.canonical import digest
from guard.errors import RecordsBusyError, RecordsError, UnguardedModelError
from guard.records.statement import read_statement, statement_path
from guard.records.verification import verify_file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, made_with: Any, keys: Any, **options: Any) -> None:
    with JsonlWriter(path, made_with, **options) as writer:
        for key in keys:
            if str(key) not in writer:
                writer.write(str(key), {"text": f"answer {key}"})


def test_records_carry_compact_provenance_and_the_statement_all(tiny: Loaded, out: Path) -> None:
    write(out, tiny.model, range(3), params={"max_new_tokens": 8})
    first, second, _ = records(out)
    assert list(first) == ["key", "text", "provenance"]
    about = first["provenance"]
    statement = read_statement(out)
    [run] = statement.runs
    load = about["loads"]["model"]
    assert about["run"] == run["id"]
    assert second["provenance"]["prev"] == about["sha256"]
    assert load["weights"] == tiny.provenance.model.weights.digest  # type: ignore[union-attr]
    assert load["tokenizer"] == tiny.provenance.tokenizer.digest
    assert statement.loads[load["load"]]["model_id"] == tiny.provenance.model_id
    assert (run["records"], run["outcome"]) == (3, "complete")
    assert run["params"] == {"max_new_tokens": 8}
    plain = json.loads(out.with_name("out.jsonl.intoto.json").read_text())
    assert plain["_type"] == "https://in-toto.io/Statement/v1"
    assert plain["predicateType"] == "urn:cleanguard:records:v1"
    [subject] = plain["subject"]
    import hashlib

    assert subject == {
        "name": "out.jsonl",
        "digest": {"sha256": hashlib.sha256(out.read_bytes()).hexdigest()},
    }
    assert verify_file(out).problems == ()


def test_a_dataclass_is_a_record(tiny: Loaded, out: Path) -> None:
    [found] = CleanModelLoader.complete(tiny.model, tiny.tokenizer, ["A dog"], max_new_tokens=3)
    with JsonlWriter(out, tiny.model) as writer:
        writer.write("a", found)
    [record] = records(out)
    assert record["text"] == found.text
    assert tuple(record["ids"]) == found.ids


def test_what_is_done_is_not_done_again(tiny: Loaded, out: Path) -> None:
    write(out, tiny.provenance, range(5))
    write(out, tiny.provenance, range(8))
    assert [record["key"] for record in records(out)] == [str(n) for n in range(8)]
    assert [run["records"] for run in read_statement(out).runs] == [5, 3]
    verdict = verify_file(out)
    assert (verdict.ok, verdict.records, verdict.runs) == (True, 8, 2)


def test_a_torn_last_line_is_cut_off(tiny: Loaded, out: Path) -> None:
    write(out, tiny.provenance, range(3))
    with out.open("ab") as file:
        file.write(b'{"key": "3", "text": "half a')
    write(out, tiny.provenance, range(5))
    assert [record["key"] for record in records(out)] == list("01234")
    assert read_statement(out).runs[1]["repaired_bytes"] == 28
    verdict = verify_file(out)
    assert verdict.ok
    assert any("28 bytes" in note for note in verdict.notes)


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"{}", b"\n\n", b"\xff\xfe\n", b"[" * 5000])
def test_rubbish_at_the_end_is_cut_off(tiny: Loaded, out: Path, tail: bytes) -> None:
    write(out, tiny.provenance, range(2))
    with out.open("ab") as file:
        file.write(tail)
    write(out, tiny.provenance, range(3))
    assert verify_file(out).problems == ()
    assert len(records(out)) == 3


def test_a_file_that_was_edited_is_not_written_on(tiny: Loaded, out: Path) -> None:
    write(out, tiny.provenance, range(3))
    before = out.read_bytes()
    for edited in (
        before.replace(b"answer 1", b"answer 9"),
        before[: before.rindex(b"{", 0, -400)],
        b"".join(before.splitlines(keepends=True)[::-1]),
        before.splitlines(keepends=True)[0],
        before[:-5],
    ):
        out.write_bytes(edited)
        with pytest.raises(RecordsError, match=r"edited|damaged"):
            JsonlWriter(out, tiny.provenance)
        assert out.read_bytes() == edited


def test_another_model_or_other_params_are_refused(tiny: Loaded, out: Path) -> None:
    write(out, tiny.provenance, range(2), params={"temperature": 0})
    other: Provenance = replace(tiny.provenance, dtype="bfloat16")
    with pytest.raises(RecordsError, match="dtype differ"):
        JsonlWriter(out, other, params={"temperature": 0})
    with pytest.raises(RecordsError, match="other params: temperature"):
        JsonlWriter(out, tiny.provenance, params={"temperature": 1})
    with pytest.raises(RecordsError, match="role"):
        JsonlWriter(out, {"judge": tiny.provenance}, params={"temperature": 0})
    write(out, replace(tiny.provenance, created="later"), range(3), params={"temperature": 0})
    assert verify_file(out).problems == ()


def test_foreign_files_are_refused(tiny: Loaded, out: Path, tmp_path: Path) -> None:
    out.write_text('{"mine": 1}\n')
    with pytest.raises(RecordsError, match="no statement"):
        JsonlWriter(out, tiny.provenance)
    assert out.read_text() == '{"mine": 1}\n'
    with pytest.raises(RecordsError, match="cannot be opened"):
        JsonlWriter(tmp_path / "no" / "folder.jsonl", tiny.provenance)
    with pytest.raises(RecordsError, match="no source"):
        JsonlWriter(tmp_path / "a.jsonl", {})


def test_an_unguarded_model_is_refused(raw: tuple[Any, Any], out: Path) -> None:
    with pytest.raises(UnguardedModelError):
        JsonlWriter(out, raw[0])


def test_two_runs_cannot_write_one_file(tiny: Loaded, out: Path) -> None:
    with JsonlWriter(out, tiny.provenance) as writer:
        writer.write("a", {})
        with pytest.raises(RecordsBusyError, match="another run"):
            JsonlWriter(out, tiny.provenance)
    write(out, tiny.provenance, ["b"])
    assert verify_file(out).records == 2


@pytest.mark.parametrize(
    ("key", "record", "message"),
    [
        ("", {}, "no text"),
        (3, {}, "no text"),
        ("a", {"key": 1}, "'key'"),
        ("a", {"provenance": 1}, "'provenance'"),
        ("a", {"x": float("nan")}, "JSON"),
        pytest.param("a", {"x": object()}, "JSON", id="a-an object-JSON"),
        ("a", {1: 2}, "JSON"),
        ("a", ["x"], "JSON"),
        ("first", {}, "already"),
    ],
    ids=str,
)
def test_bad_records_are_refused_and_the_others_stay(
    tiny: Loaded, out: Path, key: Any, record: Any, message: str
) -> None:
    with JsonlWriter(out, tiny.provenance) as writer:
        writer.write("first", {})
        with pytest.raises(RecordsError, match=message):
            writer.write(key, record)
        writer.write("last", {})
    assert [record["key"] for record in records(out)] == ["first", "last"]
    with pytest.raises(RecordsError, match="closed"):
        writer.write("more", {})


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [200, 700, 3000])
def test_a_record_that_is_nested_too_deep_is_refused(tiny: Loaded, out: Path, depth: int) -> None:
    with JsonlWriter(out, tiny.provenance) as writer:
        with pytest.raises(RecordsError, match="nested"):
            writer.write("a", {"x": nested(depth)})
        writer.write("b", {"x": nested(190), "many": [[n] for n in range(300)]})
    with pytest.raises(RecordsError, match="nested"):
        JsonlWriter(out, tiny.provenance, params={"x": nested(depth)})
    assert verify_file(out).problems == ()


@pytest.mark.parametrize(
    "options",
    [{"batch": 0}, {"batch": "x"}, {"batch": True}, {"batch": 2.0}, {"seconds": "x"},
     {"seconds": float("nan")}, {"seconds": -1}],
    ids=str,
)  # fmt: skip
def test_a_writer_refuses_what_it_cannot_be_told(
    tiny: Loaded, out: Path, options: dict[str, Any]
) -> None:
    [name] = options
    with pytest.raises(RecordsError, match=f"{name}="):
        JsonlWriter(out, tiny.provenance, **options)
    assert not out.exists()


@pytest.mark.parametrize("roles", [["nope"], ["model", "nope"], "model", [["model"]], 5], ids=str)
def test_roles_that_there_are_not_are_refused(tiny: Loaded, out: Path, roles: Any) -> None:
    with JsonlWriter(out, tiny.provenance) as writer:
        with pytest.raises(RecordsError, match="roles="):
            writer.write("a", {}, roles=roles)
        writer.write("a", {})
    assert verify_file(out).records == 1


def test_odd_text_survives(tiny: Loaded, out: Path) -> None:
    odd = ["\u2028\x85", "\ud83d", "naïve ✓ 😀", "\0\r\n\t", "a\\nb"]
    with JsonlWriter(out, tiny.provenance) as writer:
        for text in odd:
            writer.write(item_key(text), {"text": text})
    lines = out.read_bytes().split(b"\n")[:-1]
    assert [json.loads(line)["text"] for line in lines] == odd
    assert verify_file(out).problems == ()


def test_ctrl_c_keeps_what_was_finished(tiny: Loaded, out: Path) -> None:
    def run() -> None:
        with JsonlWriter(out, tiny.provenance) as writer:
            writer.write("a", {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert [record["key"] for record in records(out)] == ["a"]
    verdict = verify_file(out)
    assert verdict.ok
    assert verdict.notes[0].endswith("ended early: stopped by KeyboardInterrupt")


def test_a_pipe_is_no_file_of_records(tiny: Loaded, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordsError, match="pipe is no regular file"):
        JsonlWriter(tmp_path / "pipe", tiny.provenance)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_full_disk_keeps_whole_lines_and_goes_on_later(tiny: Loaded, out: Path) -> None:
    """A real limit of the kernel: the file may not grow beyond some bytes."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = JsonlWriter(out, tiny.provenance, batch=1000)
    told = []
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        for n in range(40):
            try:
                writer.write(str(n), {"text": "x" * 1000})
            except RecordsError as error:
                told.append(error.evidence["waiting"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = len(records(out))
    assert 0 < kept < 40
    assert told == list(range(1, 41 - kept))
    writer.flush()
    writer.close()
    assert len(records(out)) == 40
    assert verify_file(out).problems == ()


def test_run_that_died_on_a_full_disk_is_resumed(tiny: Loaded, out: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def run() -> None:
        with JsonlWriter(out, tiny.provenance, batch=4) as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
            for n in range(40):
                writer.write(str(n), {"text": "x" * 1000})

    try:
        with pytest.raises(RecordsError):
            run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert records(out)
    write(out, tiny.provenance, range(40))
    assert len(records(out)) == 40
    assert verify_file(out).problems == ()


def test_signals_at_any_moment_lose_nothing(tiny: Loaded, out: Path) -> None:
    """Ctrl-C between any two steps of the writer: the chain holds and no key is lost or doubled."""
    chance = random.Random(0)
    before = sys.gettrace()  # coverage's own, which must go on after this test
    with JsonlWriter(out, tiny.provenance, batch=3, seconds=1e9) as writer:
        steps = interrupts = 0

        def interrupt(frame: Any, _event: str, _arg: Any) -> Any:
            nonlocal steps
            if "guard" not in frame.f_code.co_filename:
                return None
            steps -= 1
            if steps == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
            return interrupt

        for n in range(300):
            while str(n) not in writer:
                steps = chance.randrange(1, 150)
                try:
                    sys.settrace(interrupt)
                    writer.write(str(n), {"n": n})
                except KeyboardInterrupt:
                    interrupts += 1
                finally:
                    sys.settrace(before)
    assert [record["n"] for record in records(out)] == list(range(300))
    assert interrupts > 50
    assert verify_file(out).problems == ()


def test_threads_share_a_writer(tiny: Loaded, out: Path) -> None:
    with JsonlWriter(out, tiny.provenance, batch=7) as writer:

        def work(first: int) -> None:
            for n in range(first, first + 50):
                writer.write(str(n), {})

        threads = [threading.Thread(target=work, args=(at * 50,)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(int(record["key"]) for record in records(out)) == list(range(200))
    assert verify_file(out).problems == ()


def test_a_forked_child_writes_nothing(tiny: Loaded, out: Path) -> None:
    writer = JsonlWriter(out, tiny.provenance)
    writer.write("a", {})
    child = os.fork()
    if child == 0:
        refused = 0
        for act in (writer.flush, lambda: writer.write("b", {})):
            try:
                act()
            except RecordsError as error:
                refused += "belongs to another process" in str(error)
        writer.close()
        os._exit(refused)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 2
    assert [record["key"] for record in records(out)] == ["a"]
    writer.close()
    assert verify_file(out).records == 1


def test_a_fork_while_a_thread_writes_does_not_wait_for_it(tiny: Loaded, out: Path) -> None:
    writer = JsonlWriter(out, tiny.provenance)
    with writer._lock:
        child = os.fork()
        if child == 0:
            # The lock is held by a thread that this process does not have.
            writer._lock = threading.Lock()  # type: ignore[assignment]
            writer._lock.acquire()
            signal.alarm(20)
            try:
                writer.write("b", {})
            except RecordsError:
                writer.close()
                os._exit(7)
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    writer.close()


@pytest.mark.parametrize("place", ["key", "run"])
def test_a_file_with_a_misshapen_record_is_not_resumed(tiny: Loaded, out: Path, place: str) -> None:
    write(out, tiny.provenance, range(3))
    first, *rest = records(out)
    (first if place == "key" else first["provenance"])[place] = ["0"]
    out.write_text("".join(json.dumps(record) + "\n" for record in (first, *rest)))
    with pytest.raises(RecordsError, match="line 1, is damaged"):
        JsonlWriter(out, tiny.provenance)


def test_a_file_whose_load_is_misshapen_is_not_resumed(tiny: Loaded, out: Path) -> None:
    write(out, tiny.provenance, range(3))
    where = statement_path(out)
    content = json.loads(where.read_text())
    [load] = content["predicate"]["loads"].values()
    del load["model"]
    where.write_text(json.dumps(content))
    with pytest.raises(RecordsError, match="misshapen"):
        JsonlWriter(out, tiny.provenance)


def test_a_record_is_in_the_file_when_write_returns(tiny: Loaded, out: Path) -> None:
    with JsonlWriter(out, tiny.provenance, batch=1000, seconds=1e9) as writer:
        for n in range(1, 4):
            writer.write(str(n), {})
            assert len(records(out)) == n


@pytest.mark.parametrize(
    ("batch", "seconds", "syncs"),
    [(1, 1e9, 6), (3, 1e9, 2), (1000, 1e9, 0), (1000, 0.0, 6)],
)
def test_records_are_made_durable_as_told(
    tiny: Loaded, out: Path, monkeypatch: pytest.MonkeyPatch, batch: int, seconds: float, syncs: int
) -> None:
    with JsonlWriter(out, tiny.provenance, batch=batch, seconds=seconds) as writer:
        happened: list[int] = []
        monkeypatch.setattr("guard.records.journal.os.fsync", happened.append)
        for n in range(6):
            writer.write(str(n), {})
        assert happened.count(writer._journal._handle) == syncs
        monkeypatch.undo()


def test_three_quick_records_outlive_a_kill(tiny: Loaded, out: Path, tmp_path: Path) -> None:
    import pickle

    (tmp_path / "provenance").write_bytes(pickle.dumps(tiny.provenance))
    code = (
        "import os, pickle, signal, sys\n"
        "from guard.records.writer import JsonlWriter\n"
        "out = JsonlWriter(sys.argv[1], pickle.loads(open(sys.argv[2], 'rb').read()))\n"
        "for n in range(3): out.write(str(n), {'n': n})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(out), str(tmp_path / "provenance")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert [record["n"] for record in records(out)] == [0, 1, 2]
    write(out, tiny.provenance, range(5))
    assert len(records(out)) == 5
    assert verify_file(out).problems == ()


@pytest.mark.parametrize("how", ["deleted", "renamed", "replaced"])
@pytest.mark.parametrize("when", ["flush", "close"])
def test_a_file_that_went_away_is_told(tiny: Loaded, out: Path, how: str, when: str) -> None:
    writer = JsonlWriter(out, tiny.provenance)
    writer.write("a", {})
    if how == "deleted":
        out.unlink()
    else:
        out.rename(out.with_name("moved.jsonl"))
    if how == "replaced":
        out.write_text("")
    happened = "was replaced by another file" if how == "replaced" else "is gone"
    with pytest.raises(RecordsError, match=f"{happened} while it was written: 1 record"):
        getattr(writer, when)()
    with suppress(RecordsError):
        writer.close()


def test_a_lifted_guard_shows_in_the_records_after_it(fresh: Loaded, out: Path) -> None:
    with JsonlWriter(out, fresh.model) as writer:
        writer.write("before", {})
        with unguarded(fresh.model, reason="to see"):
            writer.write("after", {})
    [problem] = verify_file(out).problems
    assert (problem.kind, problem.key) == ("lifted-guard", "after")
    assert "to see" in problem.reason


def test_several_models_by_role(tiny: Loaded, fresh: Loaded, out: Path) -> None:
    with JsonlWriter(out, {"base": tiny.model, "judge": fresh.model}) as writer:
        writer.write("both", {})
        writer.write("one", {}, roles=["base"])
    both, one = records(out)
    assert list(both["provenance"]["loads"]) == ["base", "judge"]
    assert list(one["provenance"]["loads"]) == ["base"]
    assert verify_file(out).problems == ()


def test_item_key_is_stable() -> None:
    assert item_key("a", 1) == item_key("a", 1) == digest(["a", 1])
    assert item_key("a", 1) != item_key("a", "1")


WORKER = """
import pickle, sys
from guard.records.writer import JsonlWriter
path, source, total = sys.argv[1], sys.argv[2], int(sys.argv[3])
provenance = pickle.loads(open(source, "rb").read())
with JsonlWriter(path, provenance, batch=5) as out:
    print("open", flush=True)
    for n in range(total):
        if str(n) not in out:
            out.write(str(n), {"text": "x" * (n % 7) * 100, "n": n})
"""


def test_kills_leave_no_gap_and_nothing_twice(tiny: Loaded, out: Path, tmp_path: Path) -> None:
    import pickle

    (tmp_path / "provenance").write_bytes(pickle.dumps(tiny.provenance))
    chance, total, kills = random.Random(1), 4000, 0
    command = [sys.executable, "-c", WORKER, str(out), str(tmp_path / "provenance"), str(total)]
    while True:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"open\n", process.stderr.read()
        time.sleep(chance.uniform(0, 0.15))
        if kills < 6:
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        process.communicate()
        if process.returncode == 0:
            break
    keys = Counter(record["n"] for record in records(out))
    assert sorted(keys) == list(range(total))
    assert set(keys.values()) == {1}
    verdict = verify_file(out)
    assert (verdict.ok, verdict.records, verdict.runs) == (True, total, kills + 1)
    assert kills >= 3


def test_adapters_that_take_part_are_in_the_record(
    fresh: Loaded, out: Path, raw: tuple[Any, Any], tmp_path: Path
) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
    peft.get_peft_model(copy.deepcopy(raw[0]), config).save_pretrained(tmp_path / "adapter")
    model = CleanModelLoader.attach_adapter(fresh.model, tmp_path / "adapter", name="sft")
    with JsonlWriter(out, {"model": model}) as writer:
        writer.write("tuned", {})
        with CleanModelLoader.adapter(model, "base"):
            writer.write("base", {})
        writer.write("again", {})
        merged = model.merge_and_unload()
    tuned, base, again = (r["provenance"]["loads"]["model"] for r in records(out))
    assert tuned == again
    assert tuned["load"] != base["load"]
    assert list(tuned["adapters"]) == ["sft"]
    assert "adapters" not in base
    assert verify_file(out).problems == ()
    other = out.with_name("other.jsonl")
    write(other, merged, ["a"])
    assert records(other)[0]["provenance"]["loads"]["model"]["adapters"] == tuned["adapters"]
    with pytest.raises(RecordsError, match="adapters"):
        JsonlWriter(other, fresh.model)


def test_an_adapter_that_nobody_recorded_is_told(fresh: Loaded, out: Path) -> None:
    """Wrapped with peft itself, which puts the adapter into the base."""
    peft = pytest.importorskip("peft")
    write(out, fresh.model, ["base"])
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
    wrapped = peft.get_peft_model(fresh.model, config)
    for model in (wrapped, fresh.model):
        with pytest.raises(RecordsError, match="adapters differ"):
            JsonlWriter(out, model)
    assert verify_file(out).problems == ()
    other = out.with_name("other.jsonl")
    with JsonlWriter(other, wrapped) as writer:
        writer.write("tuned", {})
        with wrapped.disable_adapter():
            writer.write("base", {})
    tuned, base = (record["provenance"]["loads"]["model"] for record in records(other))
    assert tuned["adapters"] == {"default": None}
    assert "adapters" not in base
    [problem] = verify_file(other).problems
    assert (problem.kind, problem.key) == ("unknown-load", "tuned")
    assert "'default'" in problem.reason


def test_a_report_of_an_adapter_that_nobody_recorded_is_told(fresh: Loaded, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
    wrapped = peft.get_peft_model(fresh.model, config)
    for name, kinds in (("report.md", ["unknown-load"]), ("adapter_model.safetensors", [])):
        (tmp_path / name).write_text("accuracy .8")
        attest(tmp_path / name, wrapped)
        assert [problem.kind for problem in verify_file(tmp_path / name).problems] == kinds
