from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guard.base.checks import CheckList
from guard.provenance import digests
from guard.provenance.digests import file_record, git_blob_id, remembered, sha256_of
from guard.provenance.measure import check_hub_files


class Forgetful(dict[object, object]):
    """Forgets at once, as another process has."""

    def __setitem__(self, key: object, value: object) -> None:
        pass


BIG = digests._WORTH_KEEPING


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "_SETTLED_NS", 0)
    monkeypatch.setattr(digests, "_in_process", Forgetful())
    return tmp_path / "cache" / "digests"


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.safetensors"
    path.write_bytes(b"a" * BIG)
    time.sleep(0.01)
    return path


def test_a_big_file_is_read_once(big: Path) -> None:
    first, second = file_record(big), file_record(big)
    assert first.sha256 == second.sha256 == hashlib.sha256(b"a" * BIG).hexdigest()
    assert (first.source, second.source) == ("content", "digest-cache")
    assert (first.size, first.intact) == (BIG, None)


def put_back_times(path: Path, change: Callable[[Path], object]) -> None:
    found = path.stat()
    change(path)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"b")


def replace_it(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"c" * BIG)
    other.replace(path)


@pytest.mark.parametrize("change", [overwrite, replace_it])
def test_a_changed_file_is_read_again_even_with_its_old_time(
    big: Path, change: Callable[[Path], object]
) -> None:
    file_record(big)
    put_back_times(big, change)
    again = file_record(big)
    assert (again.source, again.sha256) == ("content", sha256_of(big))


def test_a_file_that_just_changed_is_not_remembered(
    big: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_SETTLED_NS", 3_600_000_000_000)
    file_record(big)
    assert not cache.exists()


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"file": 1}', b"\xff\xfe"])
def test_a_broken_entry_is_measured_again(big: Path, cache: Path, rubbish: bytes) -> None:
    file_record(big)
    [entry] = cache.iterdir()
    entry.write_bytes(rubbish)
    assert file_record(big).source == "content"
    assert file_record(big).source == "digest-cache"


def test_without_a_writable_cache_everything_still_works(
    big: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(tmp_path / "file"))
    assert file_record(big).source == file_record(big).source == "content"


def test_small_files_leave_no_entries(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert file_record(tmp_path / "config.json").sha256 == hashlib.sha256(b"{}").hexdigest()
    assert not cache.exists()


def test_within_a_process_small_files_are_remembered_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_in_process", {})
    path = tmp_path / "config.json"
    path.write_text("{}")
    time.sleep(0.01)
    assert [file_record(path).source for _ in range(2)] == ["content", "digest-cache"]
    put_back_times(path, lambda file: file.write_text("[]"))
    again = file_record(path)
    assert (again.source, again.sha256) == ("content", hashlib.sha256(b"[]").hexdigest())


def test_findings_of_two_kinds_are_kept_apart(big: Path) -> None:
    assert remembered(big, "one", lambda: 1) == (1, False)
    assert remembered(big, "two", lambda: 2) == (2, False)
    assert remembered(big, "one", lambda: 3) == (1, True)


@pytest.fixture
def hub(tmp_path: Path) -> Callable[[str, str, bytes], Path]:
    """Puts a file into a hub cache, under the name that the hub gives its blob."""

    def put(name: str, blob: str, content: bytes) -> Path:
        root = tmp_path / "models--a--b"
        (root / "blobs").mkdir(parents=True, exist_ok=True)
        (root / "snapshots/abc").mkdir(parents=True, exist_ok=True)
        (root / "blobs" / blob).write_bytes(content)
        link = root / "snapshots/abc" / name
        link.symlink_to(f"../../blobs/{blob}")
        return link

    return put


def test_large_hub_files_are_named_by_their_sha256(hub: Callable[..., Path]) -> None:
    path = hub("model.safetensors", "ab" * 32, b"not read")
    record = file_record(path)
    assert (record.name, record.sha256) == ("model.safetensors", "ab" * 32)
    assert (record.source, record.intact) == ("hub-cache-name", None)


def test_small_hub_files_are_compared_with_their_git_id(hub: Callable[..., Path]) -> None:
    # The id is what `git hash-object` prints for these two bytes.
    path = hub("config.json", "9e26dfeeb6e641a33dae4961196235bdb965b21b", b"{}")
    assert git_blob_id(path) == path.resolve().name
    whole = file_record(path)
    assert (whole.sha256, whole.intact) == (hashlib.sha256(b"{}").hexdigest(), True)
    path.resolve().write_bytes(b'{"eos_token_id": 1}')
    edited = file_record(path)
    assert edited.intact is False
    checks = CheckList()
    check_hub_files([whole], checks)
    check_hub_files([whole, edited], checks)
    assert [check.verdict for check in checks.done()] == ["pass", "recorded"]
    assert "config.json" in checks.done()[1].detail
