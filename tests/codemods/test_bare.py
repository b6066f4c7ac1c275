"""A script without its comments: what `tokenize` calls one is blank, and nothing else."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest

from codemods.plan.bare import bare_text, without_comments

ROOT = Path(__file__).resolve().parents[2]


def by_tokens(text: str) -> str:
    lines = io.StringIO(text, newline="").readlines()
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        if token.type == tokenize.COMMENT:
            row, start = token.start[0] - 1, token.start[1]
            blank = " " * len(token.string)
            lines[row] = lines[row][:start] + blank + lines[row][start + len(blank) :]
    return "".join(lines)


def test_it_says_of_our_own_files_what_tokenize_says() -> None:
    paths = [
        path for name in ("cleanguard", "codemods", "tests") for path in (ROOT / name).rglob("*.py")
    ]
    assert len(paths) > 300
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert without_comments(text) == by_tokens(text), path


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("a = 1  # one\r\nb = 2\r\n", "a = 1       \r\nb = 2\r\n"),
        ("a = '#'  # '\n", "a = '#'     \n"),
        ('a = "\\"#" # "\n', 'a = "\\"#"    \n'),
        ('"""# it\'s\n# no"""\n#', '"""# it\'s\n# no"""\n '),
        ("print 'old' # x", "print 'old'    "),
        ("'open # text\n", "'open       \n"),
        ("\\#", "\\ "),
    ],
)
def test_texts(text: str, bare: str) -> None:
    assert without_comments(text) == bare


def test_a_notebook_is_left_as_it_is() -> None:
    assert bare_text(Path("a.ipynb"), '{"source": ["# a"]} # b') == '{"source": ["# a"]} # b'
    assert bare_text(Path("a.py"), "# b") == "   "
