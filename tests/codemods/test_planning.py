"""migrate, status and gate plan and read in worker processes, and count what is left alike."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import codemods.planning as planning
from cleanguard.cli import progress
from cleanguard.files import discover
from cleanguard.settings.config import Settings
from codemods import migration
from codemods.migration import migrate_source
from codemods.planning import Planner, Unread
from lint_rules._engine import worker
from tests.cleanguard.cli.conftest import run as run

LOAD = 'from transformers import AutoModelForCausalLM\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\n'
# A load that is rewritten, one that is left, and a finding that no rewrite is for.
MIXED = """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from trl import SFTConfig

model = AutoModelForCausalLM.from_pretrained("gpt2")
config = BitsAndBytesConfig(load_in_4bit=True)
other = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=config)
settings = SFTConfig("out", max_seq_length=9)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "bad.py", "c.py"):
        (tmp_path / name).write_text(LOAD)
    return tmp_path


def _act(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Planning bad.py does something, in its worker process."""

    def plan(filename: str, *args: Any, **options: Any) -> Any:
        return act() if filename == "bad.py" else migrate_source(filename, *args, **options)

    monkeypatch.setattr(planning, "migrate_source", plan)


def _spin() -> None:
    while True:
        pass


ACTS = [
    pytest.param(lambda: os.kill(os.getpid(), signal.SIGSEGV), "crashes on it (signal 11)", id="a crash"),
    pytest.param(_spin, "planning it takes longer than", id="a hang"),
    pytest.param(lambda: [].append(*1), "bad.py: planning it crashed (TypeError", id="a fault of ours"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "told"), ACTS)
@pytest.mark.parametrize("command", ["migrate", "status"])
def test_one_file_costs_only_itself(
    command: str, act: Any, told: str, run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SECONDS", 1.0)
    _act(monkeypatch, act)
    ran = run(command, *(["--write"] if command == "migrate" else []))
    assert ran.code == (2 if command == "migrate" else 1)
    assert told in ran.out + ran.err
    if command.startswith("migrate") and "takes longer" in told:
        assert "(CG900); exclude it, or split it into smaller files; it was left" in ran.err
    assert (folder / "bad.py").read_text() == LOAD
    written = "loader.load()" in (folder / "a.py").read_text() + (folder / "c.py").read_text()
    assert written == (command == "migrate")
    if command == "migrate":
        assert "Rewrote 2 places in 2 files" in ran.out


@pytest.mark.parametrize("command", ["migrate", "status", "gate"])
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"# coding: unicode_escape\nx = 1\n", id="newlines that would be escaped"),
        pytest.param(b"# coding: base64\nx = 1\n", id="a codec of no text"),
        pytest.param(b"# coding: utf-7\ns = '+AGE-'\n", id="bytes that do not come back"),
        pytest.param("\ufeff\ufeffx = 1\n".encode(), id="two byte order marks"),
    ],
)
def test_what_cannot_be_decoded_is_told_by_its_name(
    command: str, raw: bytes, run: Any, folder: Path
) -> None:
    (folder / "bad.py").write_bytes(raw)
    ran = run(command, *{"migrate": ["--write"], "gate": ["--no-model"]}.get(command, []))
    assert ran.code == (1 if command == "status" else 2)
    assert "bad.py" in ran.out + ran.err
    assert "internal error" not in ran.err
    assert (folder / "bad.py").read_bytes() == raw
    if command == "migrate":
        assert "bad.py:1: " in ran.err
        assert "loader.load()" in (folder / "c.py").read_text()


@pytest.mark.parametrize("swap", ["fifo", "gone"])
def test_a_file_that_is_swapped_or_gone(swap: str, folder: Path) -> None:
    files = discover(["."])
    (folder / "bad.py").unlink()
    if swap == "fifo":
        os.mkfifo(folder / "bad.py")
    found = Planner(files, Settings()).plans()
    (unread,) = [one for one in found if isinstance(one, Unread)]
    assert unread.name == "bad.py"
    assert ("a pipe" if swap == "fifo" else "no such file") in unread.reason
    assert sum(one.changed for one in found if not isinstance(one, Unread)) == 2


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("check", 1),
        ("check --no-cache", 1),
        ("check --fix-only", 2),
        ("check --add-ignore known", 2),
        ("status", 1),
        ("baseline", 2),
        ("gate --no-model", 2),
        ("migrate", 2),
        ("migrate --write", 2),
    ],
)
def test_a_folder_that_cannot_be_listed_costs_only_itself(
    command: str, code: int, run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = folder / "locked"
    locked.mkdir()
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path == str(locked):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    ran = run(*command.split())
    assert ran.code == code
    told = [line for line in (ran.out + ran.err).splitlines() if "cannot list the folder" in line]
    assert len(told) == 1
    assert str(folder) not in told[0]
    if "migrate" in command:
        assert "locked: cannot list the folder: permission denied (CG900)" in ran.err
        assert ("loader.load()" in (folder / "c.py").read_text()) == ("--write" in command)
    if command in ("check", "status"):
        assert "c.py" in ran.out


def test_python_that_libcst_refuses_is_told_with_its_line(run: Any, folder: Path) -> None:
    (folder / "bad.py").write_text(f"{LOAD}assert(a if b else True)\n")
    ran = run("migrate", "--write")
    assert ran.code == 2
    assert "bad.py" in ran.err
    assert "libcst" in ran.err
    assert "loader.load()" in (folder / "c.py").read_text()
    for text, line in (
        ("def f():\n    if x:\n        y = 1\n    elif z:\n        assert(a if b else True)\n", 7),
        ("try:\n    pass\nexcept E:\n    while(a if b else c):\n        pass\n", 6),
    ):
        (folder / "bad.py").write_text(LOAD + text)
        assert f"bad.py:{line}: this version of libcst cannot parse" in run("migrate").err
    (folder / "bad.py").write_text(f"{LOAD}\n(y): int = 1\n")
    assert "bad.py:4: this version of libcst cannot parse the file" in run("migrate").err
    assert "CG101" in run("check", "bad.py").out


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python can parse it")
def test_syntax_of_a_newer_python_is_a_file_that_cannot_be_read(run: Any, folder: Path) -> None:
    (folder / "bad.py").write_text(f"{LOAD}type X = int\n")
    ran = run("migrate", "--write")
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    assert ran.code == 2
    assert (
        f"bad.py:3: {python} cannot parse it: invalid syntax (CG900); run cleanguard under"
        in ran.err
    )
    assert "Refused" not in ran.out
    assert "unreadable bad.py  line 3: " in run("status").out


def left_of(text: str) -> int:
    return int(re.search(r"(\d+) left to you", text)[1])  # type: ignore[index]


def test_one_count_of_what_is_left(run: Any, folder: Path) -> None:
    for name in ("bad.py", "c.py"):
        (folder / name).unlink()
    (folder / "a.py").write_text(MIXED)
    preview = run("migrate")
    before = json.loads(run("status", "--output-format", "json").out)["scripts"][0]
    assert left_of(preview.out) == left_of(run("status").out) == before["manual"] > 0
    written = run("migrate", "--write")
    assert left_of(written.out) == left_of(preview.out)
    after = json.loads(run("status", "--output-format", "json").out)["scripts"][0]
    assert (after["auto"], after["manual"]) == (0, before["manual"])
    found = json.loads(run("check", "--output-format", "json").out)
    assert len(found) == after["manual"] == after["findings"]
    assert {item["code"] for item in found} >= {"CG110"}
    assert run("migrate").code == run("status").code == 1


def test_what_check_sees_among_the_files_is_left_too(run: Any, folder: Path) -> None:
    for name in ("bad.py", "c.py"):
        (folder / name).unlink()
    (folder / "models.py").write_text(LOAD.replace("model =", "def get():\n    return"))
    (folder / "a.py").write_text(
        "from models import get\nmodel = get()\nout = model.generate(ids, max_new_tokens=3)\n"
    )
    assert run("migrate", "--write").code in (0, 1)
    found = json.loads(run("check", "--output-format", "json").out or "[]")
    scripts = json.loads(run("status", "--output-format", "json").out)["scripts"]
    assert sum(item["manual"] for item in scripts) == len(found)


def test_progress_is_told_for_plans(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    Planner(discover(["."]), Settings()).plans(progress=lambda *told: seen.append(told))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert progress.DELAY == 1.0


def test_a_long_file_without_hazards_costs_next_to_nothing(run: Any, folder: Path) -> None:
    (folder / "bad.py").write_text("x = 1\n" * 100_000)
    ran = run("migrate")
    assert ran.err == ""
    assert "Would rewrite 2 places in 2 files" in ran.out


@pytest.mark.skipif(os.name != "posix", reason="names are bytes elsewhere too, and others")
def test_names_that_are_no_text(run: Any, folder: Path) -> None:
    names = [b"bad\xff.py", b'quo"te\ttab.py', b"pipe|.py"]
    for name in names:
        Path(os.fsdecode(name)).write_text(LOAD)
    for command in (["migrate"], ["status"], ["status", "--output-format", "markdown"], ["check"]):
        ran = run(*command)
        assert (ran.code, ran.err) == (1, "")
    assert run("migrate", "--write", "--notice", "notes/NOTICE.md").code == 0
    for name in names:
        assert "loader.load()" in Path(os.fsdecode(name)).read_text()
    text = (folder / "notes" / "NOTICE.md").read_text(encoding="utf-8")
    assert "`bad\\udcff.py`" in text
    assert [path.name for path in (folder / "notes").iterdir()] == ["NOTICE.md"]


@pytest.mark.skipif(os.name != "posix", reason="see above")
def test_git_applies_the_patch_of_odd_names(folder: Path) -> None:
    names = [b"bad\xff.py", b'quo"te\ttab.py', b"back\\slash.py"]
    for name in names:
        Path(os.fsdecode(name)).write_text(LOAD)
    subprocess.run(["git", "init", "-q"], check=True)
    done = subprocess.run(
        [sys.executable, "-c", "from cleanguard.cli import main; main()", "migrate", "--diff"],
        capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(planning.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    subprocess.run(["git", "apply", "-"], input=done.stdout, check=True)
    for name in names:
        assert "loader.load()" in Path(os.fsdecode(name)).read_text()


def test_a_notice_that_cannot_be_written_leaves_what_was_there(run: Any, folder: Path) -> None:
    (folder / "taken").write_text("x")
    ran = run("migrate", "--notice", "taken/NOTICE.md")
    assert ran.code == 2
    assert "the notice was not written" in ran.err


def test_what_a_check_has_found_is_not_looked_for_again(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "clean.py").write_text("from trl import SFTTrainer\nfrom a import model\n")
    (folder / "mixed.py").write_text(MIXED)
    fresh = run("migrate")
    run("check")
    asked = folder / "asked.txt"
    followed = migration._followed  # what asks after a file of which nothing is known

    def follow(filename: str, *args: Any, **options: Any) -> Any:
        with asked.open("a") as stream:  # in whichever process
            stream.write(f"{filename}\n")
        return followed(filename, *args, **options)

    monkeypatch.setattr(migration, "_followed", follow)
    again = run("migrate")
    assert (again.code, again.out, again.err) == (fresh.code, fresh.out, fresh.err)
    assert not asked.exists()
    (folder / "clean.py").write_text("from trl import SFTTrainer\nfrom a import model as other\n")
    run("migrate")
    assert asked.read_text().split() == ["clean.py"]
    (folder / "a.py").write_text(LOAD.replace("gpt2", "Qwen/Qwen2.5-7B-Instruct"))
    changed = run("migrate")
    monkeypatch.setenv("CLEANGUARD_CACHE_DIR", str(folder / "none"))
    assert run("migrate").out == changed.out
