"""The fast path finds what the plain engine finds, whatever the number of processes and the cache."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from cleanguard.cache import open_cache
from cleanguard.catalogue.findings import Finding
from cleanguard.files import SourceFile, discover
from cleanguard.settings.config import Settings
from lint_rules._engine import checking, pipeline, worker
from lint_rules._engine.gate import parses
from lint_rules._engine.outcome import CheckRun

HEAD = "from transformers import AutoModelForCausalLM\n"
LOAD = 'm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")\n'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "load.py").write_text(HEAD + LOAD)
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "latin.py").write_bytes(f"# coding: latin-1\n{HEAD}s = 'é'; {LOAD}".encode("latin-1"))
    (folder / "unused.py").write_text("x = 1  # cleanguard: ignore[CG101] why\n")
    (folder / "helper.py").write_text(f"{HEAD}def load():\n    return 1\n")
    (folder / "user.py").write_text("from helper import load\nprint(load())  # chat_template\n")
    for number in range(60):
        (folder / f"plain{number}.py").write_text(f"x = {number}\n")
    return folder


def check(project: Path, **options: object) -> CheckRun:
    settings = Settings(root=project)
    return pipeline.check_files(discover(["."]), settings, **options)  # type: ignore[arg-type]


def test_it_finds_what_the_engine_finds(project: Path) -> None:
    plain = checking.check_files(discover(["."]), Settings(root=project))
    assert len(plain.findings) >= 4
    for jobs in (1, 2, 5):
        assert check(project, jobs=jobs, cached=False) == plain
        assert check(project, jobs=jobs) == plain


def test_what_is_known_is_not_checked_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = check(project)

    def fail(*args: object) -> None:
        raise AssertionError("checked again")

    monkeypatch.setattr(worker, "gate", fail)
    monkeypatch.setattr(worker, "check", fail)
    assert check(project) == first


def test_a_changed_file_is_checked_again(project: Path) -> None:
    before = check(project)
    (project / "plain7.py").write_text(HEAD + LOAD)
    after = check(project)
    new = {f.filename for f in after.findings} - {f.filename for f in before.findings}
    assert new == {"plain7.py"}


def test_a_change_in_a_followed_file_counts(project: Path) -> None:
    (project / "helper.py").write_text('NAME = "gpt2"\nOTHER = "from_pretrained"\n')
    (project / "user.py").write_text(
        f"from helper import NAME\n{HEAD}m = AutoModelForCausalLM.from_pretrained(NAME)\n"
    )
    assert "gpt2" in " ".join(f.message for f in check(project).findings)
    (project / "helper.py").write_text('NAME = "Qwen/Qwen2.5-7B-Instruct"\n')
    assert check(project) == check(project, cached=False)


@pytest.mark.parametrize("content", [b"", b"{", b'{"tool": "x"}', b"[]", b"\xff"])
def test_a_broken_cache_is_none(project: Path, content: bytes) -> None:
    first = check(project)
    for file in (project.parent / "cache").iterdir():
        file.write_bytes(content)
    assert check(project) == first


def test_a_cache_that_somebody_changed_is_none(project: Path) -> None:
    """Well-formed JSON of any shape, and entries that say that all is clean."""
    plain = check(project, cached=False)
    assert check(project) == plain
    [file] = (project.parent / "cache").iterdir()
    head, _, body = file.read_bytes().partition(b"\n")
    entries, _ = json.loads(body)
    clean = [{path: entry[:2] for path, entry in entries.items()}, []]
    odd = [{path: [*entry[:2], [[1]], "", 0] for path, entry in entries.items()}, [{}]]
    deep = b"[" * 50_000 + b"]" * 50_000
    for poison in (json.dumps(clean).encode(), json.dumps(odd).encode(), b"[]", b"null", deep):
        file.write_bytes(head + b"\n" + poison)
        assert check(project) == plain
        assert check(project) == plain


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_something_else_in_the_caches_place_is_none(project: Path, kind: str) -> None:
    plain = check(project)
    [file] = (project.parent / "cache").iterdir()
    file.unlink()
    (os.mkfifo if kind == "pipe" else os.mkdir)(file)
    assert check(project) == plain


def test_a_cache_that_cannot_be_written_is_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = project.parent / "file"
    blocked.write_text("")
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(blocked / "cache"))
    assert len(check(project).findings) >= 4


def test_settings_have_caches_of_their_own(project: Path) -> None:
    check(project)
    files = discover(["."])
    other = pipeline.check_files(files, Settings(root=project, ignore=("CG101",)))
    assert "CG101" not in {f.code for f in other.findings}
    assert open_cache(Settings(root=project)) is not None


def _lost(project: Path, monkeypatch: pytest.MonkeyPatch, act: object) -> CheckRun:
    original = worker.check

    def check_or_act(file: SourceFile, *args: object) -> worker.Checked:
        if file.name == "load.py":
            return act()  # type: ignore[operator, no-any-return]
        return original(file, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "check", check_or_act)
    return check(project, jobs=2)


def _messages(run: CheckRun) -> dict[str, str]:
    return {f.filename: f.message for f in run.findings if f.code == "CG900"}


def test_a_crash_costs_one_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _lost(project, monkeypatch, lambda: os.kill(os.getpid(), signal.SIGSEGV))
    assert _messages(run)["load.py"] == (
        "the file was not checked: the parser crashes on it (signal 11)"
    )
    assert set(_messages(run)) == {"load.py", "broken.py"}
    assert "CG101" in {f.code for f in run.findings if f.filename == "latin.py"}


def test_a_hang_costs_one_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spin() -> None:
        while True:
            pass

    monkeypatch.setattr(worker, "SECONDS", 0.5)
    run = _lost(project, monkeypatch, spin)
    assert "takes longer than" in _messages(run)["load.py"]
    assert set(_messages(run)) == {"load.py", "broken.py"}


def test_waiting_for_ever_costs_one_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "WALL_SECONDS", 1.0)
    run = _lost(project, monkeypatch, lambda: time.sleep(60))
    assert "takes longer than" in _messages(run)["load.py"]


def test_exhausted_memory_costs_one_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _lost(project, monkeypatch, lambda: worker.Checked(exhausted=True))
    assert "takes more than 1 GB" in _messages(run)["load.py"]


def test_a_file_that_the_system_withholds_costs_itself(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SourceFile.read

    def read(file: SourceFile) -> bytes:
        if file.name == "load.py":
            raise PermissionError(13, "Permission denied", file.name)
        return original(file)

    monkeypatch.setattr(SourceFile, "read", read)
    for jobs in (1, 3):
        run = check(project, jobs=jobs)
        assert _messages(run)["load.py"] == (
            "the file was not checked: cannot read it: permission denied"
        )
        assert set(_messages(run)) == {"load.py", "broken.py"}
        assert run.failures == ()
        assert run == check(project, jobs=jobs, cached=False)


def test_a_fault_of_ours_is_named_and_costs_one_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(name: str, *args: object, **options: object) -> tuple[Finding, ...]:
        if name == "load.py":
            raise LookupError("no such thing")
        return checking.check_source(name, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "check_source", stumble)
    run = check(project, jobs=2)
    assert run.failures == (
        "load.py: checking it crashed (LookupError: no such thing); please report it",
    )
    assert "CG101" in {f.code for f in run.findings if f.filename == "latin.py"}


_DEEP = [
    pytest.param("x = " + "[" * 180 + "]" * 180, id="lists"),
    pytest.param("x = " + "f(" * 180 + ")" * 180, id="calls"),
    pytest.param("x = a" + ".b()" * 400, id="chain"),
    pytest.param("x = 'a'" + " + 'b'" * 900, id="sum"),
    pytest.param("x = a" + " and a" * 2000, id="conditions"),
    pytest.param("if a:\n    pass\n" + "elif a:\n    pass\n" * 800, id="elif"),
    pytest.param("".join(" " * n + "if a:\n" for n in range(95)) + " " * 95 + "pass", id="if"),
    pytest.param("x = " + "9" * 5000, id="digits"),
]


@pytest.mark.parametrize("deep", _DEEP)
def test_what_python_can_compile_is_checked(project: Path, deep: str) -> None:
    file = project / "deep.py"
    file.write_text(f"{HEAD}{LOAD}{deep}\n")
    run = pipeline.check_files([SourceFile("deep.py", file)], Settings(root=project))
    assert [(f.code, f.location.row) for f in run.findings] == [("CG101", 2)]


@pytest.mark.parametrize(
    "deep",
    [
        pytest.param("-" * 60_000 + "1", id="signs"),
        pytest.param("lambda: " * 60_000 + "1", id="lambdas"),
        pytest.param("(" * 300 + ")" * 300, id="parentheses"),
    ],
)
def test_what_it_cannot_is_a_finding(project: Path, deep: str) -> None:
    file = project / "deep.py"
    file.write_text(f"{HEAD}{LOAD}x = {deep}\n")
    run = pipeline.check_files([SourceFile("deep.py", file)], Settings(root=project))
    assert [f.code for f in run.findings] == ["CG900"]
    assert run.failures == ()


def test_two_thousand_parentheses(project: Path) -> None:
    nested = "(" * 2000 + ")" * 2000
    (project / "nested.py").write_text(f"{HEAD}x = {nested}\n")
    (project / "nested_plain.py").write_text(f"x = {nested}\n")
    run = check(project)
    assert set(_messages(run)) == {"nested.py", "nested_plain.py", "broken.py"}


def test_progress_counts_every_file(project: Path) -> None:
    seen: list[tuple[int, int]] = []
    total = len(discover(["."]))
    check(project, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(number, total) for number in range(1, total + 1)]


_SOURCES = [
    pytest.param(b"x = 1\n", True, id="plain"),
    pytest.param(b"", True, id="empty"),
    pytest.param(b"\xef\xbb\xbfx = 1\n", True, id="byte-order-mark"),
    pytest.param(b"from __future__ import annotations\nx = 1\n", True, id="future"),
    pytest.param(b'"""doc"""\r\nx = 1\r\n', True, id="crlf"),
    pytest.param(b"x = '\\d'\n", True, id="invalid-escape"),
    pytest.param(b"  x = 1\n", False, id="indented-first-line"),
    pytest.param(b"def f(:\n", False, id="broken"),
    pytest.param(b"x = '\xe9'\n", False, id="latin-1-without-cookie"),
    pytest.param(b"# coding: latin-1\nx = '\xe9'\n", False, id="cookie-takes-a-closer-look"),
    pytest.param(b"x = 1\0\n", False, id="nul"),
    pytest.param(b"(" * 300 + b")" * 300, False, id="deep"),
    pytest.param(b"print 'x'\n", False, id="python-2"),
]


@pytest.mark.parametrize(("raw", "wanted"), _SOURCES)
def test_the_probe_knows_syntax(raw: bytes, wanted: bool) -> None:
    assert parses(raw) is wanted
