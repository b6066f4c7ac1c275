"""`cleanguard demo` refuses what it cannot do before it begins, and holds from end to end."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from cleanguard.cli import _demo_acts
from tests.cleanguard.cli.conftest import Run


def test_a_missing_extra_is_2_and_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == "bitsandbytes" else ModuleSpec(name, None)

    monkeypatch.setattr(_demo_acts, "find_spec", find_spec)
    ran = run("demo", "--keep", str(tmp_path / "new"))
    assert (ran.code, ran.out) == (2, "")
    assert "bitsandbytes" in ran.err
    assert "cleanguard[" in ran.err
    assert not (tmp_path / "new").exists()


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
        [sys.executable, "-c", "from cleanguard.cli import main; main()", "demo", "--keep", "new"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "The migrated script gives the same texts and scores." in ran.stdout
    record = ran.stdout.index('"text": ')
    shown = ran.stdout[:record].splitlines() + ran.stdout[record:].splitlines()[1:]
    assert max(map(len, shown)) <= 80
    assert list((tmp_path / "new").iterdir())
