"""`from cleanguard import …` gives the guard's names, or one sentence about who has taken its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cleanguard
import guard
from cleanguard import packages

HOME = Path(packages.__file__).parents[1]


def run(code: str, *before: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (*before, HOME)))
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=before[0] if before else HOME,
        env={**os.environ, "PYTHONPATH": path},
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


def test_both_packages_give_the_same_names() -> None:
    assert cleanguard.__all__ == guard.__all__
    for name in cleanguard.__all__:
        assert getattr(cleanguard, name) is getattr(guard, name)
    assert set(cleanguard.__all__) <= set(dir(cleanguard))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such"):
        _ = cleanguard.no_such


@pytest.mark.parametrize("file", ["guard.py", "guard/__init__.py"])
@pytest.mark.parametrize("name", ["CleanModelLoader", "JsonlWriter", "unguarded"])
def test_a_strangers_guard_is_named_in_one_sentence(tmp_path: Path, file: str, name: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"class {name}: ...\n")
    said = last_line(run(f"from cleanguard import {name}", tmp_path))
    assert said.startswith("ImportError: `guard` would be imported from")
    assert str(path) in said
    assert "rename it, or take its folder off PYTHONPATH" in said


@pytest.mark.parametrize("file", ["cleanguard.py", "cleanguard/__init__.py"])
def test_the_guard_names_a_strangers_cleanguard(tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("CleanModelLoader = None\n")
    said = last_line(run("from guard import CleanModelLoader", tmp_path))
    assert said.startswith("ImportError: `cleanguard` would be imported from")
    assert str(path) in said


def test_the_distribution_that_brought_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "guard.py").write_text("def guard(): ...\n")
    info = tmp_path / "guard-1.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guard\nVersion: 1.0.1\n")
    (info / "RECORD").write_text("guard.py,,\nguard-1.0.1.dist-info/METADATA,,\n")
    said = last_line(run("from cleanguard import CleanModelLoader", tmp_path))
    assert "(of the distribution guard 1.0.1)" in said
    assert "`pip uninstall guard`, or use an environment without it" in said


def test_a_stranger_that_was_imported_already_is_seen(tmp_path: Path) -> None:
    (tmp_path / "guard.py").write_text("CleanModelLoader = 1\n")
    code = "import guard, sys; sys.path.pop(0); sys.path.pop(0); from cleanguard import CleanModelLoader"
    assert "`guard` would be imported from" in last_line(run(code, tmp_path))


def test_a_module_made_by_hand_is_a_stranger() -> None:
    code = (
        "import sys, types; sys.modules['stages'] = types.ModuleType('stages')\n"
        "from cleanguard.packages import imported; imported('stages')"
    )
    assert "`stages` would be imported from somewhere unknown" in last_line(run(code))
