"""Patterns of ignore files that are checked: the same verdicts as pathspec, and never a long time."""

from __future__ import annotations

import random
import time
import warnings
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

from cleanguard.errors import JobError
from cleanguard.settings import ignores, wildcards
from cleanguard.settings.ignores import Patterns, gitignore_of, matches
from cleanguard.settings.wildcards import has_many


@pytest.mark.parametrize("everything", [False, True], ids=["as it is", "all by the bounded way"])
@pytest.mark.parametrize("seed", range(40))
def test_verdicts_are_those_of_pathspec(
    seed: int, everything: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if everything:
        monkeypatch.setattr(ignores, "has_many", lambda line: True)
    chance = random.Random(seed)
    parts = ["*", "**", "a", "b", "ab", "?", "[ab]", "[!a]", "*a", "a*", "*a*b*", r"\*", "a.b", "é"]
    for _ in range(60):
        lines = [
            chance.choice(["", "", "!"])
            + chance.choice(["", "/", "**/"])
            + "/".join(chance.choice(parts) for _ in range(chance.randint(1, 4)))
            + chance.choice(["", "/", "/**"])
            for _ in range(chance.randint(1, 3))
        ]
        ours, theirs = Patterns.of("/x", lines), GitIgnoreSpec.from_lines(lines)
        for _ in range(25):
            names = [chance.choice(["a", "b", "ab", "aab", "*", "a.b", "é", "c"]) for _ in range(4)]
            path = "/".join(names[: chance.randint(1, 4)]) + chance.choice(["", "/"])
            assert ours.verdict(f"/x/{path}") == theirs.check_file(path).include, (lines, path)


HOSTILE = [
    "*a" * 30 + "*b",
    "/".join(["**", "a"] * 30) + "/b",
    "**/" + "*a" * 20 + "/**/" + "a*" * 20 + "b",
    "[a]*" * 25 + "b",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_takes_long(pattern: str) -> None:
    assert has_many(pattern)
    start = time.process_time()
    patterns = Patterns.of("/x", [pattern])
    for path in ("a" * 255, "/".join(["a"] * 400), "/".join(["a" * 200] * 10)):
        assert patterns.verdict(f"/x/{path}") is None
    assert time.process_time() - start < 5


def test_the_repository_that_is_checked_cannot_stop_the_walk(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("\n".join([*HOSTILE, "x" * 100_000, "[z-a]*", "gone.py"]))
    patterns = gitignore_of(str(tmp_path))
    assert patterns is not None
    start = time.process_time()
    assert patterns.verdict(str(tmp_path / ("a" * 250))) is None
    assert patterns.verdict(str(tmp_path / "gone.py")) is True
    assert time.process_time() - start < 5
    assert not matches(HOSTILE, tmp_path, tmp_path / ("a" * 250))


def test_a_pattern_that_is_too_long_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than 4096 characters"):
        Patterns.of("/x", ["x" * 5000])


def test_thousands_of_hostile_patterns_end_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wildcards.METER, "left", 0)
    monkeypatch.setattr(wildcards, "_AT_FIRST", 0)
    patterns = Patterns.of(tmp_path, [f"**/d*d*{number}*a*b" for number in range(200)])
    with pytest.raises(JobError, match=r"many wildcards .*--no-respect-gitignore"):
        patterns.verdict(str(tmp_path / "/".join(["d"] * 60)))
    few = Patterns.of(tmp_path, ["**/a*b*c*.py"])
    for _ in range(100):  # what is asked of each path adds to what may be spent
        assert few.verdict(str(tmp_path / "/".join(["abcd"] * 15) / "a.b.c.py")) is True


def test_the_sets_of_many_patterns_say_nothing(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("[[:alpha:]]x\n[a]\n[b]\n[c]\n[d]\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gitignore_of(str(tmp_path)) is not None
