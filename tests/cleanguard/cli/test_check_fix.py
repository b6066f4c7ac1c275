"""`cleanguard check --fix`, `--unsafe-fixes`, `--diff`, over the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cleanguard.cli.conftest import Run

BEFORE = "x = 1  # cleanguard: ignore[CG101] why\ny = 2\n"
AFTER = "x = 1\ny = 2\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text(BEFORE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_finding_says_how_it_can_be_fixed(run: Run) -> None:
    ran = run("check")
    assert ran.code == 1
    assert "[*] 1 can be rewritten: `cleanguard check --fix`." in ran.out


def test_fixes_of_rules_are_offered_and_made(run: Run, project: Path) -> None:
    # The check itself places findings without planning edits; fixing plans them.
    (project / "a.py").write_text(
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        'tok = AutoTokenizer.from_pretrained("gpt2")\n'
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        'ids = tok("a", return_tensors="pt")\n'
        "out = model.generate(**ids, do_sample=False, top_p=0.5)\n"
    )
    ran = run("check", "--select", "CG303", "--no-cache")
    assert "[*] 1 can be rewritten: `cleanguard check --unsafe-fixes`" in ran.out
    ran = run("check", "--select", "CG303", "--unsafe-fixes")
    assert (ran.code, ran.err) == (0, "Fixed 1 finding (1 CG303).\n")
    assert (project / "a.py").read_text().splitlines()[-1].endswith("do_sample=False)")


def test_fix_writes_and_leaves_clean(run: Run, project: Path) -> None:
    ran = run("check", "--fix")
    assert (ran.code, ran.out, ran.err) == (
        0,
        "No hazards found in 1 file.\n",
        "Fixed 1 finding (1 CG901).\n",
    )
    assert (project / "a.py").read_text() == AFTER
    assert run("check", "--fix").err == ""


def test_what_is_left_is_reported(run: Run, project: Path) -> None:
    (project / "b.py").write_text("def f(:\n")
    ran = run("check", "--fix", "--output-format", "concise")
    assert ran.code == 1
    assert ran.out.splitlines()[0].startswith("b.py:1:7: CG900")
    assert (project / "a.py").read_text() == AFTER


def test_diff_writes_nothing(run: Run, project: Path) -> None:
    import subprocess
    import sys

    script = "from cleanguard.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "check", "--diff"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == ["--- a/a.py", "+++ b/a.py"]
    assert done.stderr == "Would fix 1 finding (1 CG901).\n"
    assert (project / "a.py").read_text() == BEFORE
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "apply"], input=done.stdout, text=True, check=True)
    assert (project / "a.py").read_text() == AFTER


def test_a_file_that_cannot_be_written_is_2(run: Run, project: Path) -> None:
    outside = project.parent / "outside.py"
    outside.write_text(BEFORE)
    (project / "a.py").unlink()
    (project / "a.py").symlink_to(outside)
    ran = run("check", "--fix", "a.py")
    assert ran.code == 2
    assert "symbolic link out of the tree" in ran.err
    assert outside.read_text() == BEFORE


def test_a_diff_never_passes_what_no_fix_mends(run: Run, project: Path) -> None:
    (project / "a.py").write_text("x = (\n")
    ran = run("check", "--diff")
    assert (ran.code, ran.out) == (1, "")
    assert "1 finding is in no fix; check without --diff shows it" in ran.err
    (project / "a.py").write_text("y = 2\n")
    assert run("check", "--diff").code == 0


def test_select_must_name_something(run: Run) -> None:
    ran = run("check", "--select", "")
    assert ran.code == 2
    assert "`--select` names no code" in ran.err
