"""How a traced script's children are known, and what they are given on their way."""

from __future__ import annotations

import os
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
