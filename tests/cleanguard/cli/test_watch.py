"""Watching: once at the start, once for each change."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.cli._watch import watch


def test_each_change_runs_again(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    runs: list[str] = []
    steps = iter(
        [
            lambda: None,
            lambda: file.write_text("x = 10\n"),
            lambda: (tmp_path / "b.py").write_text(""),
            file.unlink,
        ]
    )

    def wait(_: float) -> None:
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    with pytest.raises(KeyboardInterrupt):
        watch(lambda: runs.append(""), lambda: list(tmp_path.iterdir()), wait)
    assert len(runs) == 4


def test_a_listed_file_may_be_gone(tmp_path: Path) -> None:
    def wait(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(lambda: None, lambda: [tmp_path / "gone.py"], wait)
