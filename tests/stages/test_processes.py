"""One stage in one, two and four processes: the records are the same, in the same order."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guard.records.verification import verify_file

MAIN = "from cleanguard.cli import main; main()"
SAMPLED = ["--samples", "3", "--temperature", "1", "--critic", "logprob", "--batch-size", "16"]


def command(processes: int, *args: str) -> list[str]:
    tool = [sys.executable, "-c", MAIN, "run", *args]
    if processes == 1:
        return tool
    launcher = [sys.executable, "-m", "torch.distributed.run", "--no-python"]
    return [*launcher, "--nproc-per-node", str(processes), *tool]


def start(processes: int, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(processes, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def finish(processes: int, *args: str, code: int = 0) -> str:
    process = start(processes, *args)
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, err
    return out


def content(path: Path) -> list[dict[str, Any]]:
    """The records in their order, without what says who wrote them when."""
    assert verify_file(path).problems == ()
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{name: one[name] for name in one if name != "provenance"} for one in records]


@pytest.mark.slow
def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    out = finish(2, "generate", "--out", str(tmp_path / "two"), *SAMPLED)
    one = finish(1, "generate", "--out", str(tmp_path / "one"), *SAMPLED)
    assert out == one.replace(str(tmp_path / "one"), str(tmp_path / "two"))
    for name in ("dataset.jsonl", "dropped.jsonl"):
        assert content(tmp_path / "two" / name) == content(tmp_path / "one" / name)
    manifests = [json.loads((tmp_path / n / "manifest.json").read_text()) for n in ("one", "two")]
    assert manifests[0]["counts"] == manifests[1]["counts"]
    assert not (tmp_path / "two" / "shards").exists()
    statement = json.loads((tmp_path / "two" / "dataset.jsonl.intoto.json").read_text())
    by_run = {run["id"]: run["records"] for run in statement["predicate"]["runs"]}
    assert len(by_run) == 2
    assert min(by_run.values()) > 20  # both did a share
    records = (tmp_path / "two" / "dataset.jsonl").read_text().splitlines()
    wrote = [json.loads(line)["provenance"]["run"] for line in records]
    assert {name: wrote.count(name) for name in by_run} == by_run


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize(
    ("stage", "args", "files", "report"),
    [
        pytest.param("generate", [*SAMPLED, "--source", "model", "--style", "format", "--count", "12"],
                     ["instructions.jsonl", "dataset.jsonl", "dropped.jsonl"], None, id="invented"),
        pytest.param("evaluate", ["--limit", "60", "--html", "false", "--batch-size", "16"],
                     ["results.jsonl"], "report.json", id="evaluate"),
        pytest.param("evaluate", ["--limit", "40", "--html", "false", "--batch-size", "16", "--samples", "2",
                                  "--temperature", "0.7"], ["results.jsonl"], "report.json", id="sampled"),
        pytest.param("differentiate", ["--adapters", "sft=SFT", "--limit", "24", "--samples", "2", "--html", "false",
                                       "--batch-size", "16", "--temperatures", "0.3,0.9"],
                     ["results.jsonl"], "report.json", id="differentiate"),
        pytest.param("equivalence", ["--limit", "48", "--batch-size", "8"], ["pairs.jsonl"],
                     "equivalence.json", id="equivalence"),
        pytest.param("preferences", ["--adapter", "none", "--judge", "logprob", "--min-margin", "0.01", "--k", "4",
                                     "--batch-size", "64", "--max-new-tokens", "40"],
                     ["samples.jsonl", "scores.jsonl", "pairs.jsonl"], None, id="preferences"),
    ],
)  # fmt: skip
def test_any_number_of_processes(
    processes: int, stage: str, args: list[str], files: list[str], report: str | None,
    sft: Path, tmp_path: Path,
) -> None:  # fmt: skip
    args = [arg.replace("SFT", str(sft)) for arg in args]
    finish(1, stage, "--out", str(tmp_path / "one"), *args)
    finish(processes, stage, "--out", str(tmp_path / "many"), *args)
    for name in files:
        found = content(tmp_path / "many" / name)
        assert found
        assert found == content(tmp_path / "one" / name)
    if report:
        one, many = (json.loads((tmp_path / n / report).read_text()) for n in ("one", "many"))
        for about in ("rates", "slices", "primary", "agreement", "verdict", "cells", "claims"):
            assert one.get(about) == many.get(about)


@pytest.mark.slow
@pytest.mark.parametrize("then", [1, 3])
def test_a_killed_process_is_told_and_what_it_did_is_kept(then: int, tmp_path: Path) -> None:
    args = ["--samples", "6", "--temperature", "1", "--batch-size", "4", "--critic", "logprob"]
    finish(1, "generate", "--out", str(tmp_path / "calm"), *args)
    process = start(2, "generate", "--out", str(tmp_path / "cut"), *args)
    shard = tmp_path / "cut" / "shards" / "1" / "dataset.jsonl"
    while process.poll() is None and (not shard.exists() or shard.stat().st_size < 5_000):
        time.sleep(0.01)
    [second] = [pid for pid in children(process.pid) if rank_of(pid) == "1"]
    os.kill(second, signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "rank" in err
    assert "Signal 9 (SIGKILL)" in err
    kept = shard.read_text().count("\n")
    assert kept > 0
    finish(then, "generate", "--out", str(tmp_path / "cut"), *args)
    for name in ("dataset.jsonl", "dropped.jsonl"):
        assert content(tmp_path / "cut" / name) == content(tmp_path / "calm" / name)
    statement = json.loads((tmp_path / "cut" / "dataset.jsonl.intoto.json").read_text())
    runs = statement["predicate"]["runs"]
    assert sum(run["outcome"] == "killed" for run in runs) >= 1
    assert len(runs) == 2 + then


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_control_c_stops_all_processes_with_one_sentence(
    number: signal.Signals, tmp_path: Path
) -> None:
    args = ["--samples", "6", "--temperature", "1", "--batch-size", "4"]
    finish(1, "generate", "--out", str(tmp_path / "calm"), *args)
    process = subprocess.Popen(
        command(2, "generate", "--out", str(tmp_path / "cut"), *args),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    shard = tmp_path / "cut" / "shards" / "1" / "dataset.jsonl"
    while process.poll() is None and (not shard.exists() or not shard.stat().st_size):
        time.sleep(0.01)
    os.killpg(process.pid, number)  # as a terminal does; torchrun sends it once more
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")  # torchrun's own, with its traceback
    ours = [line for line in err.splitlines() if "go on" in line or "goes on" in line]
    assert ours == ["stopped; the same command goes on from here"]
    assert "KeyboardInterrupt" not in err
    listed = subprocess.run(["ps", "-eo", "sid"], capture_output=True, text=True, check=True)
    assert str(process.pid) not in listed.stdout.split()
    finish(2, "generate", "--out", str(tmp_path / "cut"), *args)
    for name in ("dataset.jsonl", "dropped.jsonl"):
        assert content(tmp_path / "cut" / name) == content(tmp_path / "calm" / name)


@pytest.mark.slow
def test_a_launcher_that_lets_the_others_live_does_not_leave_them_waiting(tmp_path: Path) -> None:
    args = ["--samples", "6", "--temperature", "1", "--batch-size", "4", "--out", str(tmp_path)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    first, second = (
        subprocess.Popen(
            command(1, "generate", *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **shared, "RANK": number, "LOCAL_RANK": number, "OMP_NUM_THREADS": "1"},
        )
        for number in "01"
    )  # fmt: skip
    shard = tmp_path / "shards" / "1" / "dataset.jsonl"
    while first.poll() is None and (not shard.exists() or shard.stat().st_size < 5_000):
        time.sleep(0.01)
    second.kill()
    second.communicate()
    _, err = first.communicate(timeout=120)
    assert first.returncode == 2
    assert "another process of this run has ended" in err
    assert "with any number of processes" in err


@pytest.mark.slow
def test_processes_with_different_settings_are_refused(tmp_path: Path) -> None:
    tool = f'{sys.executable} -c "{MAIN}" run generate --out {tmp_path / "g"} --seed $RANK'
    launcher = [sys.executable, "-m", "torch.distributed.run", "--no-python"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", "sh", "-c", tool],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "process 1 has a model, settings or items other than those of process 0" in done.stderr


@pytest.mark.slow
def test_a_folder_that_is_not_shared_is_told(tmp_path: Path) -> None:
    # Each process sees another folder under one name, as on machines without a common disk.
    tool = f'cd {tmp_path} && mkdir -p at$RANK && cd at$RANK && {sys.executable} -c "{MAIN}" run generate --out g'
    launcher = [sys.executable, "-m", "torch.distributed.run", "--no-python"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", "sh", "-c", f"{tool} --batch-size 16"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode != 0
    assert re.search(r"g: \d+ of 136 records are not here; is it one folder", done.stderr)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def rank_of(pid: int) -> str | None:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return next((pair.removeprefix("RANK=") for pair in pairs if pair.startswith("RANK=")), None)
