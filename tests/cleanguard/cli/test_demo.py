"""`cleanguard demo` refuses what it cannot do before it begins, and holds from end to end."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from cleanguard.cli.showing import demo_acts, demo_chain
from cleanguard.errors import JobError
from cleanguard.installing import install
from tests.cleanguard.cli.conftest import Run


def test_a_missing_extra_is_2_and_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == "bitsandbytes" else ModuleSpec(name, None)

    monkeypatch.setattr(demo_acts, "find_spec", find_spec)
    ran = run("demo", "--keep", str(tmp_path / "new"))
    assert (ran.code, ran.out) == (2, "")
    assert "bitsandbytes" in ran.err
    assert install("train") in ran.err
    assert not (tmp_path / "new").exists()


def test_the_whole_of_it_needs_more(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None if name in ("trl", "matplotlib") else ModuleSpec(name, None)

    monkeypatch.setattr(demo_acts, "find_spec", find_spec)
    ran = run("demo", "--full")
    assert (ran.code, ran.out) == (2, "")
    assert "needs trl, matplotlib" in ran.err
    assert install("train", "stats") in ran.err


@pytest.mark.parametrize(
    ("calls", "better"),
    [
        pytest.param(("better", "better", "better"), True, id="each step"),
        pytest.param(("better", "undetermined", "better"), False, id="the last step is not shown"),
    ],
)
def test_each_step_of_the_chain_must_be_shown_to_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: tuple[str, ...], better: bool
) -> None:
    """The command is a stand-in here; the whole of it runs below."""
    pairs = (("base", "sft"), ("sft", "dpo"), ("base", "dpo"))
    primary = [
        {"before_name": one, "after_name": two, "call": call}
        for (one, two), call in zip(pairs, calls, strict=True)
    ]
    script = tmp_path / "stand_in.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "print('chain: sft', file=sys.stderr)\nprint('a line\\nreport: somewhere')\n"
        "out = pathlib.Path('chain/evaluate')\nout.mkdir(parents=True)\n"
        f"text = json.dumps(dict(n=9, clusters=3, primary={primary!r}))\n"
        "(out / 'report.json').write_text(text)\n"
    )
    python = sys.executable
    run_script = tmp_path / "python"
    run_script.write_text(f"#!/bin/sh\nexec {python} {script}\n")
    run_script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(run_script))
    begun: list[str] = []
    found = demo_chain.run_chain(tmp_path, begun.append)
    assert begun == ["sft"]
    assert found == demo_chain.Chain(("a line",), 9, 3, better)


@pytest.mark.slow
def test_a_chain_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chain").write_text("a file where the folder should be")
    with pytest.raises(JobError, match="cannot be used as a run's folder"):
        demo_chain.run_chain(tmp_path, lambda _: None)


def test_a_folder_that_exists_is_left_alone(run: Run, tmp_path: Path) -> None:
    ran = run("demo", "--keep", str(tmp_path))
    assert (ran.code, ran.out) == (2, "")
    assert "already there" in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_all_of_it_holds_and_fits_80_columns(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    # A process of its own: what other tests have imported must not speak into what it prints.
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            "from cleanguard.cli import main; main()",
            "demo",
            "--full",
            "--keep",
            "new",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The migrated script gives the same texts and scores." in ran.stdout
    assert "Each training step helps, shown on 249 items in 167 clusters." in ran.stdout
    assert (tmp_path / "new" / "chain" / "evaluate" / "report.html").exists()
    record = ran.stdout.index('"text": ')
    shown = ran.stdout[:record].splitlines() + ran.stdout[record:].splitlines()[1:]
    assert max(map(len, shown)) <= 80
    assert list((tmp_path / "new").iterdir())
