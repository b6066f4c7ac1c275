"""The edit engine, case by case: what mutation testing found that no other test looked at."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from cleanguard.editing import read as reading
from cleanguard.editing import write as writing
from cleanguard.editing.edits import Edit, OverlapError, apply
from cleanguard.editing.patch import unified
from cleanguard.editing.read import read_file
from cleanguard.editing.write import WriteError, clear_leftovers, put_file, replace_file

posix = pytest.mark.skipif(os.name != "posix", reason="modes and pipes of POSIX")


def test_edits_end_before_their_end() -> None:
    edit = Edit(2, 5, "x")
    assert [edit.covers(at) for at in (1, 2, 4, 5)] == [False, True, True, False]
    assert apply(b"0123456", [Edit(5, 5, "b"), edit]) == b"01xb56"
    with pytest.raises(OverlapError, match="byte 4"):
        apply(b"0123456", [edit, Edit(4, 6)])


def test_a_patch_has_three_lines_around_a_change() -> None:
    before = b"".join(b"%d\n" % n for n in range(20))
    patch = unified("./a.py", before, before.replace(b"10\n", b"ten\n"))
    lines = patch.split(b"\n")
    assert lines[:3] == [b"--- a/a.py", b"+++ b/a.py", b"@@ -8,7 +8,7 @@"]
    assert sum(line.startswith(b" ") for line in lines) == 6
    assert unified("a.py", before, before) == b""


@posix
@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain.py", b"a/plain.py"),
        ("naïve name.py", "a/naïve name.py".encode()),
        ('quo"te.py', b'"a/quo\\042te.py"'),
        ("tab\t.py", b'"a/tab\\011.py"'),
        ("back\\.py", b'"a/back\\134.py"'),
        ("bidi\u202e.py", b'"a/bidi\\342\\200\\256.py"'),
        ("##[x].py", b'"a/\\043\\043[x].py"'),
        ("#1.py", b"a/#1.py"),
        (os.fsdecode(b"\xff.py"), b'"a/\\377.py"'),
    ],
)
def test_names_in_patches(name: str, written: bytes, tmp_path: Path) -> None:
    patch = unified(name, b"a\n", b"b\n")
    assert patch.split(b"\n")[0] == b"--- " + written
    (tmp_path / name).write_bytes(b"a\n")
    subprocess.run(["git", "apply"], input=patch, cwd=tmp_path, check=True)
    assert (tmp_path / name).read_bytes() == b"b\n"


def test_a_file_may_be_as_large_as_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reading.LARGEST == 268_435_456
    monkeypatch.setattr(reading, "LARGEST", 10)
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read_file(tmp_path / "a") == b"0123456789"
    (tmp_path / "a").write_bytes(b"0123456789a")
    with pytest.raises(OSError, match="larger than"):
        read_file(tmp_path / "a")


@posix
def test_a_pipe_that_takes_the_files_place_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    real, opened = os.open, []

    def swapped(path: object, flags: int) -> int:
        opened.append(flags)
        return real(tmp_path / "pipe", flags)

    monkeypatch.setattr(reading.os, "open", swapped)
    with pytest.raises(OSError, match="a pipe or a device"):
        read_file(tmp_path / "a")
    assert opened[0] & os.O_NONBLOCK
    assert opened[0] & os.O_CLOEXEC
    assert not opened[0] & (os.O_WRONLY | os.O_RDWR)


@posix
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        put_file(tmp_path / "deep" / "er" / "new.json", b"{}")
        assert os.umask(0o027) == 0o027  # asking for it did not change it
    finally:
        os.umask(before)
    path = tmp_path / "deep" / "er" / "new.json"
    assert path.read_bytes() == b"{}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    put_file(path, b"[]")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"[]", 0o604)
    assert [one.name for one in path.parent.iterdir()] == ["new.json"]


@posix
def test_a_new_file_may_be_read_and_written_as_the_mask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        put_file(tmp_path / "new", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666


def test_a_write_that_fails_in_the_middle_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        put_file(tmp_path / "a", b"new")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a", b"old")]


@posix
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    # A pipe of its own and no device of the system: a fault in the engine would put a file in its place.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        put_file(pipe, b"x")
        assert os.read(reader, 9) == b"x"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_the_system_refuses_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(WriteError, match=r"new.json: (Not a directory|File exists)"):
        put_file(tmp_path / "file" / "new.json", b"y")

    def refuse(*_: object, **__: object) -> None:
        raise OSError("odd")

    monkeypatch.setattr(writing.tempfile, "mkstemp", refuse)
    with pytest.raises(WriteError, match="file: odd"):
        put_file(tmp_path / "file", b"y")
    with pytest.raises(WriteError, match="file: odd"):
        replace_file(tmp_path / "file", b"x", b"y", (tmp_path,))
    assert (tmp_path / "file").read_bytes() == b"x"


def test_the_file_and_its_folder_are_synced_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, closed = [], []
    fsync, close = os.fsync, os.close
    monkeypatch.setattr(
        writing.os,
        "fsync",
        lambda handle: (synced.append(stat.S_ISDIR(os.fstat(handle).st_mode)), fsync(handle)),
    )
    monkeypatch.setattr(writing.os, "close", lambda handle: (closed.append(handle), close(handle)))
    sizes = []
    replace = Path.replace

    def seen(path: Path, target: Path) -> Path:
        sizes.append(path.stat().st_size)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", seen)
    put_file(tmp_path / "a", b"content")
    assert synced == [False, True]
    assert len(closed) == 1
    assert sizes == [7]  # all was in it when it took the file's place


def test_an_interruption_goes_on_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put_file(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


@posix
def test_only_what_nobody_writes_any_more_is_cleared(tmp_path: Path) -> None:
    host, gone = writing._host(), 2**22 - 1  # a number that no process has here
    assert host != "0"
    names = {
        f".a.py.{os.getpid()}@{host}.x.cleanguard-tmp": True,  # this process lives
        f".a.py.{gone}@{host}.x.cleanguard-tmp": False,
        f".a.py.{gone}@fff.x.cleanguard-tmp": True,  # another machine's
        f".a.py.{2**70}@{host}.x.cleanguard-tmp": True,  # no process number
        f".a.py.1@{host}.x.cleanguard-tmp": True,
        ".a.py.x.cleanguard-tmp": True,
    }
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    clear_leftovers(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {name for name, stays in names.items() if stays}
    for name in left:
        os.utime(tmp_path / name, (time.time() - 60,) * 2)
    clear_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_the_longest_name_is_replaced(tmp_path: Path) -> None:
    for name in ("k" * 252 + ".py", "é" * 126 + ".p"):
        path = tmp_path / name
        path.write_bytes(b"x")
        replace_file(path, b"x", b"y", (tmp_path,))
        assert path.read_bytes() == b"y"
    assert len(list(tmp_path.iterdir())) == 2


@posix
def test_a_file_without_a_bit_to_write_is_read_only_to_root_too(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x")
    path.chmod(0o444)
    with pytest.raises(WriteError, match="read-only"):
        replace_file(path, b"x", b"y", (tmp_path,))
    assert path.read_bytes() == b"x"


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
def test_a_rewritten_file_stays_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x")
    os.chown(path, 1234, 4321)
    replace_file(path, b"x", b"y", (tmp_path,))
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)
