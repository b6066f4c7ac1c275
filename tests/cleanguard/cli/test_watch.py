"""Watching: once at the start, once for each change."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.cli.checking.watch import watch


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


def test_the_configuration_is_watched_and_a_broken_one_ends_nothing(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text(
        "from transformers import AutoModelForCausalLM\n"
        "m = AutoModelForCausalLM.from_pretrained('gpt2')\n"
    )
    config = tmp_path / "pyproject.toml"
    monkeypatch.chdir(tmp_path)
    steps = iter(["[tool.cleanguard]\nignore = ['CG101']\n", "[tool.cleanguard]\nignor = []\n"])

    def wait(_: float) -> None:
        text = next(steps, None)
        if text is None:
            raise KeyboardInterrupt
        config.write_text(text)

    monkeypatch.setattr(watch, "__defaults__", (wait,))
    ran = run("check", "--watch", "--output-format", "concise")
    assert ran.out.count("CG101") == 1
    assert "No hazards found" in ran.out
    assert "did you mean 'ignore'" in ran.err
