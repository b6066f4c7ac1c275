"""A trial run gets a copy of the folder and may write nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.proof import scratch
from codemods.proof.scratch import ScratchError, mirror


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "project"
    (found / "data").mkdir(parents=True)
    (found / "data/items.json").write_text("[1]")
    (found / "script.py").write_text("x = 1\n")
    return found


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_files_are_copied_and_the_originals_stay(folder, tmp_path):
    mirror(folder, tmp_path / "copy")
    (tmp_path / "copy/data/items.json").write_text("[]")
    assert (folder / "data/items.json").read_text() == "[1]"
    assert tree(folder) == tree(tmp_path / "copy")


@pytest.mark.parametrize("name", [".git", ".cache", "venv", "node_modules", "__pycache__"])
def test_what_no_script_reads_stays_behind(name, folder, tmp_path):
    (folder / name).mkdir()
    mirror(folder, tmp_path / "copy")
    assert name not in tree(tmp_path / "copy")


def test_an_environment_is_known_by_its_file(folder, tmp_path):
    (folder / "env311").mkdir()
    (folder / "env311/pyvenv.cfg").touch()
    mirror(folder, tmp_path / "copy")
    assert "env311" not in tree(tmp_path / "copy")


def test_large_files_and_links_are_links_to_the_originals(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_LARGE", 2)
    (folder / "models").symlink_to(tmp_path)
    mirror(folder, tmp_path / "copy")
    assert (tmp_path / "copy/data/items.json").resolve() == folder / "data/items.json"
    assert (tmp_path / "copy/models").resolve() == tmp_path


def test_too_many_files_say_what_to_do(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_MOST_FILES", 1)
    with pytest.raises(ScratchError, match="smaller folder"):
        mirror(folder, tmp_path / "copy")


_CONFINED = """
import os, pathlib, shutil, sys
from codemods.proof.no_harm import confine
copy, original = map(pathlib.Path, sys.argv[1:3])
os.chdir(copy)
confine(copy, original)
{action}
"""


def confined(folder: Path, copy: Path, action: str) -> str:
    """What a process that may write into `copy` only says about an action; empty if it may."""
    mirror(folder, copy)
    done = subprocess.run(
        [sys.executable, "-c", _CONFINED.format(action=action), str(copy), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HOME": str(copy.parent)},
    )
    return done.stderr


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("open(original / 'data/items.json', 'w')", id="open"),
        pytest.param("(original / 'new.json').write_text('x')", id="a new file"),
        pytest.param("open(original / 'data/items.json', 'r+')", id="update"),
        pytest.param("os.open(original / 'script.py', os.O_WRONLY | os.O_TRUNC)", id="descriptor"),
        pytest.param("os.remove(original / 'script.py')", id="remove"),
        pytest.param("os.replace('script.py', original / 'script.py')", id="replace"),
        pytest.param("shutil.rmtree(original / 'data')", id="whole folder"),
        pytest.param("os.truncate(original / 'script.py', 0)", id="truncate"),
    ],
)
def test_the_original_is_out_of_bounds(action, folder, tmp_path):
    assert "must not touch" in confined(folder, tmp_path / "copy", action)
    assert tree(folder) == {"data", "data/items.json", "script.py"}
    assert (folder / "data/items.json").read_text() == "[1]"
    assert (folder / "script.py").read_text() == "x = 1\n"


def test_a_link_in_the_copy_leads_nowhere_either(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "_LARGE", 2)
    assert "must not touch" in confined(folder, tmp_path / "copy", "open('data/items.json', 'w')")
    assert (folder / "data/items.json").read_text() == "[1]"


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("open('data/items.json', 'w')", id="in the copy"),
        pytest.param("open(original / 'data/items.json').read()", id="reading the original"),
        pytest.param("os.mkdir('results'); open('results/a', 'w')", id="a new folder"),
        pytest.param("import tempfile; tempfile.NamedTemporaryFile()", id="temporary files"),
        pytest.param("open('/dev/null', 'w')", id="the null device"),
    ],
)
def test_the_rest_is_allowed(action, folder, tmp_path):
    assert confined(folder, tmp_path / "copy", action) == ""
