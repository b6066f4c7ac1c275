"""Patterns that are read without pathspec mean what they mean to it, and the sieve loses no path."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from pathspec import GitIgnoreSpec

from cleanguard.settings.ignores import Patterns
from cleanguard.settings.plain_patterns import Sieve, plain

NAMES = ["a", "ab", "b.py", "data", "x-y", ".env", "lib64", "a$b", "c@1", "ab.pyc", "~", "a,b", "out"]  # fmt: skip
PARTS = [*NAMES, "*", "**", "*.py", "*.py[cod]", "a*", "*b*", "a*b", "?", "a?", "[ab]", "*[ab]", "[ab]*", "d?ta*", "***", "**a"]  # fmt: skip


def _patterns(count: int) -> set[str]:
    made = random.Random(7)
    lines = set()
    for _ in range(count):
        parts = [made.choice(PARTS) for _ in range(made.randint(1, 3))]
        head = made.choice(["", "", "/", "**/", "!", "!/", "!**/"])
        lines.add(head + "/".join(parts) + made.choice(["", "", "/", "/*", "/**", " ", "//"]))
    return lines


def _paths(count: int) -> set[str]:
    made = random.Random(11)
    names = [*NAMES, "b", "abb", "x.py", "x.pyo", "dota", "data1", "z"]
    return {
        "/".join(made.choice(names) for _ in range(made.randint(1, 4))) + made.choice(["", "/"])
        for _ in range(count)
    }


def test_what_is_read_here_is_what_pathspec_reads() -> None:
    read = 0
    paths = sorted(_paths(150))
    for line in sorted(_patterns(600)):
        own = plain(line)
        if own is None:
            continue
        read += 1
        (theirs,) = GitIgnoreSpec.from_lines([line]).patterns
        assert own.include == theirs.include, line
        sieve = Sieve([own])
        for path in paths:
            found = theirs.match_file(path)
            through = found is not None and bool(found.match.groupdict().get("ps_d"))
            assert own.matches(path) == (found is not None, through), (line, path)
            assert sieve.lets_through(path) or found is None, (line, path)
    assert read > 150


MORE = ["*", "**", "/", "!", "", "a//b", "a b", "a\\ b", "[!a]", "[a-c]", "[]a]", "#a", "ä", "*a*b*c*", "a" * 5000, "a/**/**/b", "**/", "/**/a"]  # fmt: skip


@pytest.mark.parametrize("line", MORE)
def test_what_is_more_is_left_to_pathspec(line: str) -> None:
    assert plain(line) is None


def test_sieves_of_many_patterns_lose_none() -> None:
    lines = [line for line in sorted(_patterns(300)) if plain(line)]
    for start in range(0, len(lines), 12):
        some = lines[start : start + 12]
        whole = Patterns.of("/r", some)
        one_by_one = Patterns("/r", whole.patterns, lambda _: True)
        for path in _paths(60):
            assert whole.verdict(f"/r/{path}") == one_by_one.verdict(f"/r/{path}"), (some, path)


def test_usual_files_load_no_library() -> None:
    code = (
        "import sys; from cleanguard.settings.ignores import Patterns\n"
        "found = Patterns.of('/r', ['__pycache__/', '*.py[cod]', '/lib', '!keep.py', 'data/*', 'x/**', '.DS_Store?'])\n"
        "assert found.verdict('/r/lib') and found.verdict('/r/data/a') and found.verdict('/r/a.py') is None\n"
        "assert 'pathspec' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
