"""Start-up, help, and how the command line leaves when something goes wrong."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from cleanguard.cli import command_group
from cleanguard.version import VERSION
from tests.cleanguard.cli.conftest import FakeEngine, Run

START = [sys.executable, "-X", "importtime", "-c", "from cleanguard.cli import main; main()"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def break_engine(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def check_files(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sys.modules["lint_rules._engine.pipeline"], "check_files", check_files)


def test_version(run: Run) -> None:
    assert run("--version").out == f"cleanguard, version {VERSION}\n"


def test_help_lists_every_command_with_what_it_does(run: Run) -> None:
    ran = run("--help")
    assert ran.code == 0
    for name, purpose in command_group.COMMANDS.items():
        assert f"{name}  " in ran.out
        assert purpose in ran.out


@pytest.mark.parametrize("name", command_group.COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    if name == "lm-eval":
        pytest.importorskip("lm_eval")
    ran = run(name, "-h")
    assert (ran.code, ran.err) == (0, "")
    usage = "usage: lm-eval" if name == "lm-eval" else f"Usage: cleanguard {name}"
    assert ran.out.startswith(usage)  # lm-evaluation-harness' own help


def test_no_command_is_a_usage_error(run: Run) -> None:
    assert run().code == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["chekc"], "No such command 'chekc'; did you mean 'check'?"),
        (["xyzzy"], "No such command 'xyzzy'"),
        (["--xyzzy"], "No such option"),
    ],
)
def test_unknown_words_are_2(run: Run, args: list[str], message: str) -> None:
    ran = run(*args)
    assert ran.code == 2
    assert message in ran.err


def test_a_crash_of_our_own_is_2_without_a_traceback(
    run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_engine(monkeypatch, ZeroDivisionError("by zero"))
    ran = run("check")
    assert ran.code == 2
    assert "internal error: ZeroDivisionError: by zero" in ran.err
    assert "Traceback" not in ran.err


def test_debug_shows_the_traceback(
    run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_engine(monkeypatch, ZeroDivisionError("by zero"))
    monkeypatch.setenv(
        "CLEANGUARD_DEBUG", ""
    )  # so that the option's effect is undone after the test
    ran = run("--debug", "check")
    assert ran.code == 2
    assert "Traceback" in ran.err


def test_an_interrupt_is_130(run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    break_engine(monkeypatch, KeyboardInterrupt())
    assert run("check").code == 130


def test_it_is_a_module_too() -> None:
    command = [sys.executable, "-m", "cleanguard", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("cleanguard")


def test_a_reader_that_leaves_is_no_crash(tmp_path: Path) -> None:
    script = (
        "import sys; from types import ModuleType, SimpleNamespace; m = ModuleType('lint_rules._engine.pipeline')\n"
        "def check_files(*_, **__):\n"
        "    for _ in range(100000): print('x' * 100)\n"
        "m.check_files = check_files; sys.modules['lint_rules._engine.pipeline'] = m\n"
        "from cleanguard.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "check"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(30), process.stderr.read()) == (2, "")
    process.stderr.close()


def test_text_that_the_stream_cannot_encode_is_spelt_out(
    run: Run, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert run("explain", "CG101").code == 0
    stream.seek(0)
    assert "CleanModelLoader(MODEL, \\u2026)" in stream.read()


@pytest.mark.parametrize("args", [["--version"], ["--help"]])
def test_start_up_loads_nothing_heavy(args: list[str]) -> None:
    done = subprocess.run([*START, *args], capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    heavy = {
        "libcst",
        "rich",
        "torch",
        "transformers",
        "pathspec",
        "guard",
        "lint_rules",
        "importlib.metadata",
    }
    assert "click" in loaded
    assert not loaded & heavy


@pytest.mark.parametrize(
    "args",
    [
        ["status", "{}"],
        ["baseline", ".", "--output", "{}"],
        ["migrate", ".", "--notice", "{}"],
        ["trace", "{}"],
    ],
)
def test_a_name_that_no_file_can_have_is_told(run: Run, args: list[str]) -> None:
    ran = run(*(arg.format("a" * 9_000) for arg in args))
    assert ran.code == 2
    assert "file name too long; name another path" in ran.err
    assert "internal error" not in ran.err
    assert len(ran.err) < 5_000
