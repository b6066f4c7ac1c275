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
import os, pathlib, shutil, sqlite3, subprocess, sys
from codemods.proof.landlock import lock
from codemods.proof.no_harm import confine, report_writers
copy, original = map(pathlib.Path, sys.argv[1:3])
os.chdir(copy)
{before}
confine(copy, original) if {told} else lock([str(copy), "/dev"])
{action}
"""
_MEASURES = {"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}  # it writes at the end, elsewhere


def confined(folder: Path, copy: Path, action: str, *, told: bool = True, before: str = "") -> str:
    """What a process that may write into `copy` only says about an action; empty if it may.

    It is kept from it by what Python tells of itself, or else by the system alone.
    """
    mirror(folder, copy)
    script = _CONFINED.format(action=action, told=told, before=before)
    kept = {name: value for name, value in os.environ.items() if name not in _MEASURES}
    done = subprocess.run(
        [sys.executable, "-c", script, str(copy), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=kept | {"HOME": str(copy.parent), "TMPDIR": str(copy)},
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
        pytest.param("os.link(original / 'script.py', 'a'); open('a', 'w')", id="a second name"),
        pytest.param("os.symlink(original, 'a'); open('a/script.py', 'w')", id="a link out"),
        pytest.param("os.symlink(copy, original / 'a')", id="a link there"),
        pytest.param("(original / 'a/b').mkdir(parents=True)", id="a new folder"),
        pytest.param("os.chmod(original / 'script.py', 0)", id="mode"),
        pytest.param("os.utime(original / 'script.py', (0, 0))", id="times"),
        pytest.param("shutil.copy('script.py', original / 'a.py')", id="copy"),
        pytest.param("shutil.move('script.py', original / 'a.py')", id="move"),
        pytest.param("sqlite3.connect(original / 'script.py')", id="database"),
        pytest.param("os.chdir(original); open('script.py', 'w')", id="from there"),
        pytest.param(
            "os.remove('script.py', dir_fd=os.open(original, os.O_RDONLY))", id="by descriptor"
        ),
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
        pytest.param("os.symlink(original, 'a'); os.remove('a')", id="a link of its own"),
        pytest.param("os.makedirs(original / 'data', exist_ok=True)", id="a folder that is there"),
        pytest.param("sqlite3.connect('a.db').execute('create table t (x)')", id="database"),
        pytest.param(
            "sqlite3.connect(f'file:{original}/script.py?mode=ro', uri=True)", id="to be read"
        ),
    ],
)
def test_the_rest_is_allowed(action, folder, tmp_path):
    assert confined(folder, tmp_path / "copy", action) == ""


@pytest.mark.parametrize("name", ["other.json", ".config/x.json", ".cache/answers.json"])
def test_temporary_and_hidden_folders_of_others_are_out_of_bounds(name, folder, tmp_path):
    other = tmp_path / "elsewhere" / name
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    assert "must not touch" in confined(folder, tmp_path / "copy", f"open({str(other)!r}, 'w')")
    assert other.read_text() == "mine"


def test_a_writer_that_is_no_python_code_is_out_of_bounds(folder, tmp_path):
    pytest.importorskip("torch")
    action = "import torch; torch.save({}, original / 'script.py')"
    before = "import torch; report_writers()"
    assert "must not touch" in confined(folder, tmp_path / "copy", action, before=before)
    assert (folder / "script.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("open(original / 'script.py', 'w')", id="open"),
        pytest.param("os.replace('script.py', original / 'script.py')", id="replace"),
        pytest.param("os.remove(original / 'script.py')", id="remove"),
        pytest.param("os.truncate(original / 'script.py', 0)", id="truncate"),
        pytest.param("(original / 'a').mkdir()", id="a new folder"),
        pytest.param(
            "open('a', 'w'); subprocess.run(['cp', 'a', original / 'script.py'], check=True)",
            id="another program",
        ),
    ],
)
def test_linux_keeps_programs_from_it_as_well(action, folder, tmp_path):
    if not lock_works():
        pytest.skip("this system has no Landlock")
    said = confined(folder, tmp_path / "copy", action, told=False)
    assert "denied" in said or "non-zero exit status" in said
    assert tree(folder) == {"data", "data/items.json", "script.py"}
    assert (folder / "script.py").read_text() == "x = 1\n"


def test_linux_lets_the_copy_be_changed(folder, tmp_path):
    action = "os.makedirs('a/b'); os.replace('script.py', 'a/b/c.py'); shutil.rmtree('a')"
    assert confined(folder, tmp_path / "copy", action, told=False) == ""
    assert confined(folder, tmp_path / "again", "open('/dev/null', 'w')", told=False) == ""


def lock_works() -> bool:
    """Whether this system can do it, asked of a process that may be locked."""
    code = "import sys; from codemods.proof.landlock import lock; sys.exit(not lock(['/dev']))"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
