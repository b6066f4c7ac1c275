"""`--prove-args`: which script is run with which command line."""

from __future__ import annotations

import click
import pytest

from cleanguard.cli.migrating.prove_args import CommandLines

NAMES = ["scripts/eval.py", "scripts/train.py", "old/train.py"]


def test_one_line_is_for_all():
    lines = CommandLines(["--limit 2 --name 'a b'"], NAMES)
    assert lines.of("scripts/eval.py") == ("--limit", "2", "--name", "a b")
    assert lines.of("scripts/train.py") == lines.of("scripts/eval.py")


def test_a_line_of_its_own_comes_before_the_one_for_all():
    lines = CommandLines(["--limit 2", "eval.py: --limit 3", "old/train.py:--x"], NAMES)
    assert lines.of("scripts/eval.py") == ("--limit", "3")
    assert lines.of("old/train.py") == ("--x",)
    assert lines.of("scripts/train.py") == ("--limit", "2")


def test_none_is_an_empty_command_line():
    assert CommandLines([], NAMES).of("scripts/eval.py") == ()
    assert CommandLines(["eval.py:"], NAMES).of("scripts/eval.py") == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(["evil.py: --x"], "evil.py: that is not among the scripts", id="unknown"),
        pytest.param(["train.py: --x"], "scripts/train.py and old/train.py", id="ambiguous"),
        pytest.param(["eval.py: 1", "scripts/eval.py: 2"], "two lines for scripts", id="twice"),
        pytest.param(["--a", "--b"], "two lines for all scripts", id="all twice"),
        pytest.param(["--name 'a"], "No closing quotation", id="open quote"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, said):
    with pytest.raises(click.UsageError, match=said):
        CommandLines(given, NAMES)


def test_it_is_for_prove(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n")
    ran = run("migrate", "a.py", "--prove-args", "--x")
    assert ran.code == 2
    assert "--prove-args is for --prove" in ran.err
