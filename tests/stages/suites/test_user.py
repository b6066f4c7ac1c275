"""A user's own suite: what is read, and what is said about a line that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.suites.item import Shot, SuiteError, SuiteItem
from stages.suites.registry import find_suite

GOOD = '{"prompt": "What is 2 plus 3?", "gold": "5"}\n'


def suite_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(text.encode())
    return path


def test_a_suite_is_read(tmp_path: Path) -> None:
    text = (
        "\ufeff" + GOOD + "\n"
        '{"id": "two", "prompt": "List two colors.", "gold": ["red", "blue"], "scorer": "members", '
        '"count": 2, "cluster": "k", "slice": "lists"}\r\n'
        '{"prompt": "What is 1 plus 1?", "gold": "2", "shot": true}'
    )
    suite = find_suite(str(suite_file(tmp_path, text)))
    assert suite.name == "mine"
    assert suite.items == (
        SuiteItem(
            "What is 2 plus 3?", "What is 2 plus 3?", ("5",), "exact", "What is 2 plus 3?", "all"
        ),
        SuiteItem("two", "List two colors.", ("red", "blue"), "members", "k", "lists", count=2),
    )
    assert suite.shots == (Shot("What is 1 plus 1?", "2"),)
    assert (suite.forms, suite.endpoint) == (("formatted",), "strict")


def test_completions_make_it_a_completion_suite(tmp_path: Path) -> None:
    line = '{"prompt": "What is 2 plus 3?", "gold": "5", "completion": "2 plus 3 is"}'
    suite = find_suite(str(suite_file(tmp_path, line)))
    assert (suite.forms, suite.endpoint) == (("completion",), "content")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param('{"prompt": "x"', "not JSON", id="broken JSON"),
        pytest.param('["x"]', "not a JSON object", id="a list"),
        pytest.param('{"gold": "5"}', "prompt is missing", id="no prompt"),
        pytest.param('{"prompt": "  ", "gold": "5"}', "prompt is '  '", id="blank prompt"),
        pytest.param('{"prompt": "x"}', "gold is missing", id="no gold"),
        pytest.param('{"prompt": "x", "gold": []}', r"gold is \[\]", id="empty gold"),
        pytest.param('{"prompt": "x", "gold": 5}', "gold is 5; expected text", id="a number as gold"),
        pytest.param('{"prompt": "x", "gold": "."}', "gold is '.'", id="gold of full stops"),
        pytest.param('{"prompt": "x", "gold": "5", "cluser": "k"}', "did you mean 'cluster'", id="typo"),
        pytest.param('{"prompt": "x", "gold": "5", "scorer": "exakt"}', "did you mean 'exact'", id="unknown scorer"),
        pytest.param('{"prompt": "x", "gold": "a", "scorer": "members"}', "count is None", id="members without count"),
        pytest.param('{"prompt": "x", "gold": "a", "scorer": "members", "count": 2}', "fewer than 2", id="too few golds"),
        pytest.param('{"prompt": "x", "gold": "a", "count": 2}', "count is for", id="count for nothing"),
        pytest.param('{"prompt": "x", "gold": "five", "scorer": "number"}', "expects numbers", id="gold is no number"),
        pytest.param('{"prompt": "Say Paris", "gold": "Paris", "scorer": "mentions"}', "repeating it would", id="prompt gives the answer"),
        pytest.param(GOOD.strip(), "stands in line 1 already", id="the same item twice"),
        pytest.param('{"prompt": "x", "gold": "5", "shot": 1}', "expected true or false", id="shot is no boolean"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_with_what_was_expected(tmp_path: Path, line: str, said: str) -> None:
    path = suite_file(tmp_path, GOOD + "\n" + line)
    with pytest.raises(SuiteError, match=said) as caught:
        find_suite(str(path))
    assert str(caught.value).startswith(f"{path}:3: ")


def test_files_that_hold_no_suite(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="holds no items; expected an object like"):
        find_suite(str(suite_file(tmp_path, "\n\n")))
    with pytest.raises(SuiteError, match="cannot be read: no such file"):
        find_suite(str(tmp_path / "none.jsonl"))
    broken = tmp_path / "latin.jsonl"
    broken.write_bytes(GOOD.encode() + b'{"prompt": "caf\xe9"}')
    with pytest.raises(SuiteError, match=r"latin\.jsonl:2: not UTF-8"):
        find_suite(str(broken))


def test_a_line_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("[" * 100_000)
    with pytest.raises(SuiteError, match=r"mine\.jsonl:1: not JSON \(nested too deeply"):
        find_suite(str(tmp_path / "mine.jsonl"))
