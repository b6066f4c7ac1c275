"""Whatever a finding rests on, a change in it is seen by the next warm run, and nothing else is checked anew."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanguard import cache
from cleanguard.files import SourceFile, discover
from cleanguard.settings.config import load_settings
from lint_rules._engine import pipeline, worker
from lint_rules._engine.outcome import CheckRun

HEAD = "from transformers import AutoModelForCausalLM\n"
LOAD = "model = AutoModelForCausalLM.from_pretrained(NAME)\n"
GUARDED = (
    "from guard import CleanModelLoader\n"
    "model, tokenizer, provenance = CleanModelLoader('Qwen/Qwen2.5-7B').load()\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(tmp_path / "cache"))
    project = tmp_path / "project"
    (project / "lib").mkdir(parents=True)
    (project / ".git").mkdir()
    monkeypatch.chdir(project)
    (project / "guarded.py").write_text(GUARDED)
    (project / "names.py").write_text("NAME = 'gpt2'\n")
    (project / "load.py").write_text(f"from names import NAME\n{HEAD}{LOAD}")
    (project / "lib" / "__init__.py").write_text("from lib.deep import NAME\n")
    (project / "lib" / "deep.py").write_text("NAME = 'google/gemma-2-9b-it'\n")
    (project / "through.py").write_text(f"from lib import NAME\n{HEAD}{LOAD}")
    (project / "note.ipynb").write_text(notebook("gpt2"))
    (project / "pyproject.toml").write_text("[tool.cleanguard]\n")
    return project


def notebook(name: str) -> str:
    cell = {"cell_type": "code", "source": f"NAME = {name!r}\n{HEAD}{LOAD}"}
    return json.dumps({"metadata": {}, "cells": [cell]})


def run(*paths: str, cached: bool = True) -> CheckRun:
    settings = load_settings(Path.cwd())
    files = discover(paths or (".",), settings.exclude, settings.root, suffixes=(".py", ".ipynb"))
    return pipeline.check_files(files, settings, jobs=1, cached=cached)


def _append(name: str, text: str) -> Callable[[], None]:
    def act() -> None:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + text)

    return act


_CHANGES = [
    pytest.param(_append("guard.py", "X = 1\n"), "CG603", id="guard.py-appears"),
    pytest.param(_append("guard/__init__.py", "X = 1\n"), "CG603", id="guard-folder-appears"),
    pytest.param(_append("names.py", "NAME = 'Qwen/Qwen2.5-7B-Instruct'\n"), "", id="imported"),
    pytest.param(_append("lib/deep.py", "NAME = 'Qwen/Qwen2.5-7B'\n"), "", id="deep"),
    pytest.param(_append("lib/names.py", "NAME = 'gpt2'\n"), "", id="new-file"),
    pytest.param(lambda: Path("names.py").unlink(), "", id="removed"),
    pytest.param(lambda: Path("load.py").rename("moved.py"), "", id="moved"),
    pytest.param(lambda: Path("note.ipynb").write_text(notebook("x/y")), "", id="notebook"),
    pytest.param(_append("pyproject.toml", "ignore = ['CG101']\n"), "", id="ignore"),
    pytest.param(_append("pyproject.toml", "scope = 'all'\n"), "", id="scope"),
    pytest.param(_append("pyproject.toml", "chat-models = ['gpt2']\n"), "", id="chat-models"),
    pytest.param(_append("pyproject.toml", "loader-modules = ['load.py']\n"), "", id="loader"),
    pytest.param(_append("pyproject.toml", "severities = {CG101='warning'}\n"), "", id="severity"),
    pytest.param(
        _append("pyproject.toml", "[tool.cleanguard.per-file-ignores]\n'load.py' = ['CG1']\n"),
        "",
        id="per-file-ignores",
    ),
]


@pytest.mark.parametrize(("change", "code"), _CHANGES)
def test_a_change_is_seen(change: Callable[[], object], code: str) -> None:
    before = run()
    assert run() == before
    change()
    after = run()
    assert after == run(cached=False)
    if code:
        assert code in {finding.code for finding in after.findings}
    else:
        assert after != before


@pytest.mark.parametrize("stranger", ["guard.py", "guard/__init__.py"])
def test_a_stranger_beside_one_checked_file_comes_and_goes(folder: Path, stranger: str) -> None:
    """The names of the files of the run stay the same."""
    assert run("guarded.py").findings == ()
    path = folder / stranger
    path.parent.mkdir(exist_ok=True)
    path.write_text("X = 1\n")
    assert [finding.code for finding in run("guarded.py").findings] == ["CG603"]
    path.unlink()
    assert run("guarded.py").findings == ()


def test_another_installed_version_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = folder / "config.py"
    config.write_text("from trl import SFTConfig\nc = SFTConfig('out', max_seq_length=8)\n")
    monkeypatch.setattr(sys, "path", [str(folder / "old"), *sys.path])

    def install(version: str) -> None:
        info = folder / "old" / f"trl-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: trl\nVersion: {version}\n")

    first = run("config.py")
    install("0.12.0")
    from lint_rules._questions import signatures

    signatures._installed.cache_clear()
    try:
        assert run("config.py") == run("config.py", cached=False)
        assert run("config.py") != first
    finally:
        signatures._installed.cache_clear()


def test_only_what_rests_on_a_change_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    Path("names.py").write_text("NAME = 'gpt2-xl'\n")
    asked: list[str] = []
    original = worker.gate

    def gate(file: SourceFile) -> worker.Gated:
        asked.append(file.name)
        return original(file)

    monkeypatch.setattr(worker, "gate", gate)
    run()
    assert sorted(asked) == ["load.py", "names.py"]


def test_a_change_of_any_file_of_the_linter_changes_the_key(tmp_path: Path) -> None:
    home = cache._HOME
    for package in ("cleanguard", "lint_rules"):
        assert (home / package / "__init__.py").is_file()
        leave = shutil.ignore_patterns("__pycache__", "legacy")
        shutil.copytree(home / package, tmp_path / "copy" / package, ignore=leave)
    whole = cache._tool(tmp_path / "copy")
    assert cache._tool() == whole
    files = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"double_bos.py", "signatures.json", "families.py"}
    assert {Path(path) for path in cache._sources(tmp_path / "copy")} == set(files)
    for path in files[::20]:  # each takes a digest of all of them
        before = path.read_bytes()
        path.write_bytes(before + b"#")
        assert cache._tool(tmp_path / "copy") != whole, path
        path.write_bytes(before)


def test_entries_of_another_shape_count_as_none() -> None:
    expected = run()
    (file,) = Path(os.environ["CLEANGUARD_CACHE_DIR"]).glob("*.json")
    head, _, body = file.read_bytes().partition(b"\n")
    kept, uses = json.loads(body)
    assert any(uses)
    shapes: list[Any] = [
        None,
        "x",
        [],
        {},
        3,
        [1],
        [None, None],
        ["", None, "", 0],
        ["", [{"a": 1}], "", 0],
        ["", [], "", [1]],
        ["", [], "", 99],
        ["", [], "", -1],
        ["", [], "", True],
    ]
    for start in range(0, len(shapes), len(kept)):
        forged = dict(kept)
        for (path, old), shape in zip(kept.items(), shapes[start:], strict=False):
            forged[path] = [old[0], *shape] if isinstance(shape, list) and shape else shape
        _forge(file, head, [forged, uses])
        assert run() == expected
    for odd in ([], {}, None, 3, "uses", [3] * len(uses), [{"load.py": 3}] * len(uses)):
        _forge(file, head, [kept, odd])
        assert run() == expected
    _forge(file, head, kept)
    assert run() == expected


def _forge(file: Path, head: bytes, body: object) -> None:
    text = json.dumps(body).encode()
    file.write_bytes(cache._head(head.split()[0].decode(), text) + b"\n" + text)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that a run reads to look them up; those that were just written count as settled."""
    monkeypatch.setattr(cache, "_SETTLED_NS", 0)
    read: list[str] = []
    digest_of = pipeline.digest_of

    def digest(raw: bytes, path: Path | str) -> str:
        read.append(os.path.relpath(path))
        return digest_of(raw, path)

    monkeypatch.setattr(pipeline, "digest_of", digest)
    return read


def test_a_file_that_nobody_touched_is_not_read(asked: list[str]) -> None:
    first = run()
    assert run() == first
    assert set(asked) == {"guarded.py"}  # what stands beside it counts as well


def test_a_change_that_keeps_size_and_times_is_seen(asked: list[str]) -> None:
    first = run()
    path = Path("names.py")
    before = path.stat()
    path.write_text("NAME = 'gpt3'\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert run() == run(cached=False) != first
    assert "names.py" in asked


def test_a_file_in_anothers_place_is_seen(asked: list[str]) -> None:
    first = run()
    before = Path("names.py").stat()
    Path("other.txt").write_text("NAME = 'gpt3'\n")
    os.utime("other.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    Path("other.txt").replace("names.py")
    assert run() == run(cached=False) != first


def test_a_link_that_leads_elsewhere_is_seen(asked: list[str]) -> None:
    Path("one.txt").write_text(f"{HEAD}NAME = 'gpt2'\n{LOAD}")
    Path("two.txt").write_text(f"{HEAD}NAME = 'gpt3'\n{LOAD}")
    Path("link.py").symlink_to("one.txt")
    first = run()
    Path("link.py").unlink()
    Path("link.py").symlink_to("two.txt")
    assert run() == run(cached=False) != first


def test_a_file_that_was_just_written_is_read(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be written again at what the system tells as the same time."""
    run()
    monkeypatch.setattr(cache, "_SETTLED_NS", 3600 * 10**9)
    run()
    assert {"names.py", "load.py", "lib/deep.py"} <= set(asked)


def test_a_checkout_made_anew_has_the_same_findings_and_is_read_once(asked: list[str]) -> None:
    first = run()
    for path in Path().rglob("*.py"):
        os.utime(path)
    assert run() == first
    assert "names.py" in asked
    asked.clear()
    assert run() == first
    assert set(asked) == {"guarded.py"}


def test_what_is_followed_from_many_files_is_kept_once(folder: Path) -> None:
    for number in range(20):
        (folder / f"load{number}.py").write_text(f"from names import NAME\n{HEAD}{LOAD}")
    first = run()
    (file,) = Path(os.environ["CLEANGUARD_CACHE_DIR"]).glob("*.json")
    _, uses = json.loads(file.read_bytes().partition(b"\n")[2])
    assert len(uses) < 6
    (folder / "load3.py").write_text("")
    run()
    _, after = json.loads(file.read_bytes().partition(b"\n")[2])
    assert len(after) <= len(uses) + 1
    (folder / "load3.py").write_text(f"from names import NAME\n{HEAD}{LOAD}")
    assert run() == first


def test_a_warm_run_loads_no_process_and_no_rule() -> None:
    code = (
        "import sys; from cleanguard.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "loaded = {'multiprocessing', 'libcst', 'pathspec', 'lint_rules._engine.checking', "
        "'cleanguard.secrets.redaction'} & set(sys.modules)\n"
        "sys.exit(repr(sorted(loaded)) if loaded else 0)"
    )
    command = [sys.executable, "-c", code, "check", "--output-format", "concise", "."]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(command, env=environment, capture_output=True, check=False)
    warm = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (warm.returncode, warm.stderr) == (0, "")
    assert "CG101" in warm.stdout
