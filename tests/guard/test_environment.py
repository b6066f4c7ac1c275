from __future__ import annotations

from pathlib import Path

import pytest

from guard import environment
from guard.environment import measure_environment, redact


@pytest.mark.parametrize(
    ("argv", "secret"),
    [
        (["x", "--hf-token", "abc123"], "abc123"),
        (["x", "--token=abc123"], "abc123"),
        (["x", "--api_key", "abc123"], "abc123"),
        (["x", "hf_abcdefghijkl"], "hf_abcdefghijkl"),
        (["x", "--header=sk-abcdefghijkl"], "sk-abcdefghijkl"),
        (["x", "https://user:abc123@host/x"], "abc123"),
    ],
)
def test_secrets_are_hidden(argv: list[str], secret: str) -> None:
    assert secret not in " ".join(redact(argv))


def test_ordinary_arguments_stay() -> None:
    argv = ["run.py", "--limit", "5", "--max-new", "3", "https://host/x"]
    assert list(redact(argv)) == argv


def test_git_state_is_none_outside_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert measure_environment().git is None


def test_absent_package_has_no_version() -> None:
    assert environment.installed("no-such-package-here") is None
    assert environment.installed("torch")
