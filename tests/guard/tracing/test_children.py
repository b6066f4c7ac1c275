"""How a traced script's children are known, and what they are given on their way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.tracing import children


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("python 'a b.py' -x", ["python", "a b.py", "-x"]),
        (b"python a.py", ["python", "a.py"]),
        ("python 'never closed", []),
        (["python", b"a.py", Path("out"), 3], ["python", "a.py", "out"]),
        (Path("python"), ["python"]),
    ],
)
def test_a_command_line_in_words(args: object, words: list[str]) -> None:
    assert children._words(args) == words


def test_an_environment_of_the_scripts_own_gets_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLEANGUARD_TRACE", raising=False)
    assert children._with_watch({"A": "1"}) == {"A": "1"}
    monkeypatch.setenv("CLEANGUARD_TRACE", "/journal")
    monkeypatch.delenv("CLEANGUARD_TRACE_SCOPE", raising=False)
    given = children._with_watch({"A": "1", "PYTHONPATH": "/own"})
    at_start, own = given["PYTHONPATH"].split(os.pathsep)
    assert (given["A"], given["CLEANGUARD_TRACE"], own) == ("1", "/journal", "/own")
    assert Path(at_start, "sitecustomize.py").is_file()
    assert children._with_watch({"CLEANGUARD_TRACE": ""}) == {"CLEANGUARD_TRACE": ""}


def test_a_journal_that_cannot_be_written_is_told_behind_the_script(
    tmp_path: Path, tiny_dir: Path
) -> None:
    """As on a full disk: the script's calls know nothing of it."""
    script = tmp_path / "own.py"
    script.write_text(
        "from transformers import AutoTokenizer\n"
        "from guard.tracing.journal import Journal\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(tiny_dir)!r})\n"
        "plain = Journal._write\n"
        "def full(*_):\n"
        "    raise OSError(28, 'No space left on device')\n"
        "Journal._write = full\n"
        "print(len(tokenizer('A.')['input_ids']))\n"
        "Journal._write = plain\n"
    )
    at_start = Path(children.__file__).parent / "at_start"
    paths = [str(at_start), str(Path(children.__file__).parents[2])]
    env = {**os.environ, "CLEANGUARD_TRACE": str(tmp_path), "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().isdigit()
    said = "cleanguard: the watch of this process failed at "
    assert said in done.stderr
    assert "No space left on device" in done.stderr
