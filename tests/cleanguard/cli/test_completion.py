"""Shell completion: the scripts, and the words they get."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cleanguard.cli.conftest import Run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert "_CLEANGUARD_COMPLETE" in ran.out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        pytest.param("cleanguard ch", "plain,check", id="command"),
        pytest.param("cleanguard check --exit-z", "plain,--exit-zero", id="option"),
        pytest.param("cleanguard check --select CG101,CG202", "plain,CG101,CG202", id="code"),
    ],
)
def test_words_are_completed(words: str, wanted: str) -> None:
    script = "from cleanguard.cli import main; main()"
    environment = {
        "_CLEANGUARD_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    import os

    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert wanted in done.stdout.splitlines()
