"""`cleanguard check -`: standard input under a name."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cleanguard.cli.conftest import Run

BROKEN = b"def f(:\n"
UNUSED = b"x = 1  # cleanguard: ignore[CG101] why\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        "[tool.cleanguard]\nexclude = ['old/']\n[tool.cleanguard.per-file-ignores]\n'tests/' = ['CG901']\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch):
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def test_findings_carry_the_given_name(run: Run, stdin) -> None:
    stdin(BROKEN)
    ran = run("check", "-", "--stdin-filename", "src/a.py", "--output-format", "json")
    assert (ran.code, json.loads(ran.out)[0]["filename"]) == (1, "src/a.py")
    stdin(BROKEN)
    assert "--> -:1:7" in run("check", "-").out


def test_the_frame_is_drawn_from_what_was_read(run: Run, stdin) -> None:
    stdin(BROKEN)
    assert "1 | def f(:" in run("check", "-", "--stdin-filename", "gone.py").out


def test_the_name_decides_which_settings_hold(run: Run, stdin) -> None:
    stdin(UNUSED)
    assert run("check", "-", "--stdin-filename", "tests/a.py").code == 0
    stdin(BROKEN)
    assert run("check", "-", "--stdin-filename", "old/a.py").code == 1
    stdin(BROKEN)
    assert run("check", "-", "--stdin-filename", "old/a.py", "--force-exclude").code == 0


def test_fix_prints_the_text_and_reports_beside_it() -> None:
    import subprocess

    script = "from cleanguard.cli import main; main()"
    for extra, code in (((), 0), (("--diff",), 1)):
        done = subprocess.run(
            [sys.executable, "-c", script, "check", "-", "--fix", *extra],
            input=UNUSED,
            capture_output=True,
        )
        assert done.returncode == code
        assert done.stdout == b"x = 1\n" or done.stdout.startswith(b"--- a/-\n+++ b/-\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(("-", "a.py"), "`-` excludes other paths", id="with-others"),
        pytest.param(("a.py", "--stdin-filename", "x"), "goes with the path `-`", id="name-alone"),
        pytest.param(("-", "--watch"), "--watch needs files", id="watch"),
    ],
)
def test_what_makes_no_sense_is_2(run: Run, stdin, args: tuple[str, ...], message: str) -> None:
    stdin(b"")
    ran = run("check", *args)
    assert (ran.code, message in ran.err) == (2, True)
