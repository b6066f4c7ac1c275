"""A stranger in the place of one of our packages stops the command before it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cleanguard import packages
from cleanguard.cli import shadowing
from cleanguard.errors import JobError

HOME = Path(shadowing.__file__).parents[2]


def run(strangers: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(strangers), str(HOME)])}
    command = [sys.executable, "-c", "from cleanguard.cli import main; main()", *args]
    return subprocess.run(
        command, cwd=strangers, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("stranger", ["guard.py", "stages/__init__.py"])
def test_a_users_own_module_is_named(tmp_path: Path, stranger: str) -> None:
    path = tmp_path / stranger
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit('a stranger ran')\n", encoding="utf-8")
    ran = run(tmp_path, "check", str(tmp_path))
    assert ran.returncode == 2
    assert str(path) in ran.stderr
    assert "CG603 shadowed-guard" in ran.stderr
    assert "a stranger ran" not in ran.stderr


def test_help_and_version_still_answer(tmp_path: Path) -> None:
    (tmp_path / "guard.py").write_text("", encoding="utf-8")
    assert run(tmp_path, "--version").returncode == 0


def test_our_own_packages_pass() -> None:
    shadowing.refuse_strangers()


def test_a_folder_without_init_does_not_hide_ours(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    assert run(tmp_path, "explain", "CG101").returncode == 0


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(JobError, match=r"`guard` is missing from .*; install cleanguard again"):
        shadowing.refuse_strangers()


def test_a_namespace_package_in_its_place_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from importlib.machinery import ModuleSpec

    spec = ModuleSpec("guard", None, is_package=True)
    assert spec.submodule_search_locations is not None
    spec.submodule_search_locations.append(str(tmp_path))
    monkeypatch.setattr(packages, "find_spec", lambda name: spec)
    with pytest.raises(JobError, match=str(tmp_path)):
        shadowing.refuse_strangers()
