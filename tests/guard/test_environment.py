from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import guard
from guard.provenance import environment
from guard.provenance.environment import measure_environment
from guard.provenance.git_state import git_state


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", str(directory), "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "work")
    (tmp_path / "a.py").write_text("1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def fresh_state(directory: Path) -> environment.GitState:
    from guard.provenance import git_state as module

    module._measure.cache_clear()
    found = git_state(directory)
    assert found is not None
    return found


def test_git_state_is_none_outside_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert measure_environment().git is None


def test_git_state_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path / "nowhere") is None


def test_clean_and_dirty_repositories(repository: Path) -> None:
    clean = fresh_state(repository)
    assert (clean.dirty, clean.diff_sha256, clean.untracked) == (False, None, 0)
    assert clean.branch == "work"
    assert clean.commit
    assert len(clean.commit) == 40
    assert clean.remote is None
    (repository / "new file.txt").write_text("x")
    assert (fresh_state(repository).dirty, fresh_state(repository).untracked) == (True, 1)
    assert fresh_state(repository).diff_sha256 is None
    (repository / "a.py").write_text("2\n")
    first = fresh_state(repository).diff_sha256
    (repository / "a.py").write_text("3\n")
    assert first
    assert fresh_state(repository).diff_sha256 not in {first, None}


def test_a_repository_before_its_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("x")
    found = fresh_state(tmp_path)
    assert (found.commit, found.dirty, found.untracked) == (None, True, 1)


def test_password_of_a_remote_is_hidden(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:pa55word@host/me/x.git")
    assert fresh_state(repository).remote == "https://[redacted]@host/me/x.git"


def test_git_is_asked_once_a_process(repository: Path) -> None:
    before = fresh_state(repository)
    (repository / "a.py").write_text("changed\n")
    assert git_state(repository) is before


def test_absent_package_has_no_version() -> None:
    assert environment.installed("no-such-package-here") is None
    assert environment.installed("torch")


def test_only_listed_variables_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("HF_ENDPOINT", "https://me:pa55word@host")
    monkeypatch.setenv("SOMETHING_ELSE", "private")
    found = measure_environment().variables
    assert found["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert found["HF_ENDPOINT"] == "https://[redacted]@host"
    assert "SOMETHING_ELSE" not in found


def test_no_gpu_is_null_and_not_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    found = measure_environment()
    assert (found.gpus, found.cuda, found.cudnn) == ((), None, None)
    assert found.torch is not None
    assert found.torch.threads == torch.get_num_threads()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar\nGCC: 12",
            "550.54.15",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",
            "580.95.05",
        ),
        ("something else", None),
    ],
)
def test_driver_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, version: str | None
) -> None:
    (tmp_path / "version").write_text(text)
    monkeypatch.setattr(environment, "_DRIVER_FILE", tmp_path / "version")
    environment._driver.cache_clear()
    assert environment._driver() == version
    environment._driver.cache_clear()


def test_measures_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from guard.provenance.environment import measure_environment\n"
        "found = measure_environment()\n"
        "assert found.torch is None and found.cuda is None and found.gpus == ()\n"
        "assert 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_change_of_any_file_of_the_guard_changes_the_digest_of_its_sources(
    tmp_path: Path,
) -> None:
    package = Path(guard.__file__).parent
    copy = tmp_path / "guard"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    whole = environment._sources_sha256(copy)
    assert environment.loader_source_sha256() == whole
    files = sorted(path for path in copy.rglob("*.py"))
    assert len(files) == len(list(package.rglob("*.py"))) > 60
    for path in files:
        before = path.read_bytes()
        path.write_bytes(before + b"#")
        assert environment._sources_sha256(copy) != whole, path
        path.write_bytes(before)
    files[-1].rename(files[-1].with_name("renamed.py"))
    assert environment._sources_sha256(copy) != whole
