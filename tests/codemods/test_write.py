"""Files are written whole or not at all, whatever happens on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cleanguard.editing import write
from cleanguard.editing.write import WriteError, clear_leftovers, replace_file

OLD, NEW = b"old\n", b"new\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_mode_is_kept(script, tmp_path):
    script.chmod(0o751)
    replace_file(script, OLD, NEW, (tmp_path,))
    assert script.read_bytes() == NEW
    assert script.stat().st_mode & 0o777 == 0o751
    assert names(tmp_path) == ["script.py"]


def test_a_file_that_changed_meanwhile_is_left(script, tmp_path):
    script.write_bytes(b"mine\n")
    with pytest.raises(WriteError, match="changed"):
        replace_file(script, OLD, NEW, (tmp_path,))
    assert script.read_bytes() == b"mine\n"


def test_a_link_inside_the_tree_is_followed_and_stays_a_link(script, tmp_path):
    link = tmp_path / "link.py"
    link.symlink_to(script)
    replace_file(link, OLD, NEW, (tmp_path,))
    assert link.is_symlink()
    assert script.read_bytes() == NEW


def test_a_link_out_of_the_tree_is_refused(script, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    link = inside / "link.py"
    link.symlink_to(script)
    with pytest.raises(WriteError, match="out of the tree"):
        replace_file(link, OLD, NEW, (inside,))
    assert script.read_bytes() == OLD


def test_a_read_only_file_is_left(script, tmp_path, monkeypatch):
    # root may write everywhere, so the answer of the system is given here
    monkeypatch.setattr(write.os, "access", lambda *_: False)
    with pytest.raises(WriteError, match="read-only"):
        replace_file(script, OLD, NEW, (tmp_path,))
    assert script.read_bytes() == OLD


@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_what_is_read_only_is_told_as_it_was_named(read_only, script, tmp_path, monkeypatch):
    (script if read_only == "file" else tmp_path).chmod(0o555)
    if read_only == "folder":

        def refuse(**_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("tempfile.mkstemp", refuse)
        allowed = os.access
        monkeypatch.setattr(os, "access", lambda path, how: path != tmp_path and allowed(path, how))
    with pytest.raises(
        WriteError, match=r"^sub/x\.py: .*read-only; make it writable and run again"
    ):
        replace_file(script, OLD, NEW, (tmp_path,), "sub/x.py")
    assert script.read_bytes() == OLD


@pytest.mark.parametrize("fails", ["fsync", "write"])
def test_a_full_disk_leaves_the_file_and_nothing_else(fails, script, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if fails == "fsync":
        monkeypatch.setattr(write.os, "fsync", full)
    else:
        real = os.fdopen

        def fdopen(handle: int, mode: str):
            stream = real(handle, mode)
            monkeypatch.setattr(write.os, "fsync", full)
            return stream

        monkeypatch.setattr(write.os, "fdopen", fdopen)
    with pytest.raises(WriteError, match="No space left"):
        replace_file(script, OLD, NEW, (tmp_path,))
    assert script.read_bytes() == OLD
    assert names(tmp_path) == ["script.py"]


def test_a_file_that_vanished(tmp_path):
    with pytest.raises(WriteError, match="No such file"):
        replace_file(tmp_path / "gone.py", OLD, NEW, (tmp_path,))


def test_leftovers_of_a_killed_run_go_when_they_are_old(script, tmp_path):
    old, young = tmp_path / ".a.py.x.cleanguard-tmp", tmp_path / ".b.py.x.cleanguard-tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 60, time.time() - 60))
    clear_leftovers(tmp_path)
    assert names(tmp_path) == [young.name, "script.py"]


_WRITER = """
import sys
from pathlib import Path
from cleanguard.editing.write import replace_file
path = Path(sys.argv[1])
texts = [bytes([65 + n]) * 200_000 for n in range(2)]
print("ready", flush=True)
while True:
    for before, after in (texts, texts[::-1]):
        replace_file(path, before, after, (path.parent,))
"""


def kill_writers(folder: Path, times: int) -> int:
    """Kills a program that writes one file over and over, at random moments; gives what was left."""
    path, texts = folder / "script.py", [bytes([65 + n]) * 200_000 for n in range(2)]
    chance = random.Random(0)
    path.write_bytes(texts[0])
    for _ in range(times):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.random() * 0.02)
            process.send_signal(signal.SIGKILL)
        assert path.read_bytes() in texts
        path.write_bytes(texts[0])
    left = len(list(folder.glob(".*.cleanguard-tmp")))
    clear_leftovers(folder)
    assert names(folder) == ["script.py"]
    return left


def test_ten_kills(tmp_path):
    kill_writers(tmp_path, 10)


@pytest.mark.slow
def test_two_hundred_kills(tmp_path):
    assert kill_writers(tmp_path, 200)  # some kill hits between the two names


def test_a_leftover_of_a_running_process_stays(script, tmp_path):
    mine = tmp_path / f".a.py.{os.getpid()}@{write._host()}.x.cleanguard-tmp"
    mine.write_bytes(b"half")
    clear_leftovers(tmp_path)
    assert mine.exists()


CLI = "from cleanguard.cli import main; main()"
LOAD = """\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")
"""
LONG = LOAD + "\n".join(f"value_{n} = {n}" for n in range(600)) + "\n"
_FULL = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
{CLI}
"""


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX")
def test_the_system_refuses_to_write_more(tmp_path):
    """What a full disk does, done by the kernel: a write fails half-way through the new file."""
    small, large = tmp_path / "a.py", tmp_path / "b.py"
    small.write_text(LOAD)
    large.write_text(LONG)
    done = subprocess.run(
        [sys.executable, "-c", _FULL, "migrate", "--write", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "b.py: File too large" in done.stderr
    assert large.read_text() == LONG
    assert "CleanModelLoader" in small.read_text()
    assert names(tmp_path) == ["a.py", "b.py"]


@pytest.mark.slow
def test_killed_runs_of_the_command(tmp_path):
    texts: dict[str, set[str]] = {}
    for number in range(15):
        path = tmp_path / f"s{number}.py"
        path.write_text(LONG)
        texts[path.name] = {LONG}
    command = [sys.executable, "-c", CLI, "migrate", "--write", str(tmp_path)]
    chance = random.Random(0)
    for _ in range(8):
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(0.5 + chance.random() * 2)
            process.send_signal(signal.SIGKILL)
        for path in tmp_path.glob("*.py"):
            text = path.read_text()
            assert text == LONG or (text.endswith(LONG[-5000:]) and "loader.load()" in text)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert names(tmp_path) == sorted(texts)
    assert all("loader.load()" in path.read_text() for path in tmp_path.glob("*.py"))
