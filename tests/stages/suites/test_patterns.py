"""Patterns are looked for in a process that is ended when it takes too long; the slow ones are stand-ins."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from stages.config import resolve
from stages.evaluate import CONFIG, PRESETS, run
from stages.reports.results import read_results
from stages.suites import patterns, scorers
from stages.suites.item import SuiteError, SuiteItem
from stages.suites.patterns import Match, PatternTooSlowError, Searcher
from stages.suites.registry import find_suite
from stages.suites.scorers import Answer, passes, score

# Answers as the real one does, but sleeps, counts or ends on some texts.
_STAND_IN = """
import json, os, re, signal, sys, time
for line in sys.stdin:
    pattern, text, seconds = json.loads(line)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    if "nap" in text:
        time.sleep(60)
    while "busy" in text:
        pass
    if "gone" in text:
        os._exit(3)
    found = re.search(pattern, text)
    signal.setitimer(signal.ITIMER_PROF, 0)
    print(json.dumps([found is not None, found[1] if found and found.re.groups else None]), flush=True)
"""
ITEM = SuiteItem("r", "What is 7 minus 4?", ("3",), "regex", "c", "qa", pattern=r"is (\d+)")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Searcher:
    found = Searcher(seconds=0.1, wall=0.6, command=(sys.executable, "-c", _STAND_IN))
    monkeypatch.setattr(scorers, "search", found.search)
    return found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a(b)?c", "xacx"), ("a(b)?c", "abc"), ("a(b)?c", "b"), ("^$", ""), (r"(\w+) ?é", "naïve é\n\u2028z"),
        ("(?i)PARIS", "paris"), (r"\\", "a\\b"), ("(.)", "😀"), ("(.)", "\ud800"),
    ],
)  # fmt: skip
def test_what_is_found_is_what_re_finds(pattern: str, text: str) -> None:
    wanted = re.search(pattern, text)
    found = patterns.search(pattern, text)
    assert (found is None) == (wanted is None)
    if wanted is not None:
        assert found == Match(wanted[1] if wanted.re.groups else None)


@pytest.mark.parametrize("text", ["a nap", "busy", "gone"])
def test_what_takes_too_long_is_ended_and_the_next_one_answered(slow: Searcher, text: str) -> None:
    with pytest.raises(PatternTooSlowError, match=r"'is' took more than 0\.1 s"):
        slow.search("is", text)
    assert slow.search("is", "it is") == Match(None)
    process = slow.child.process
    assert process is not None
    slow.close()
    assert process.poll() is not None
    assert slow.search("is", "no") is None
    slow.close()


def test_a_process_that_was_killed_is_started_again(slow: Searcher) -> None:
    slow.search("is", "it is")
    assert slow.child.process is not None
    slow.child.process.kill()
    slow.child.process.wait()
    assert slow.search("is", "it is") == Match(None)
    slow.close()


def test_an_answer_without_a_verdict_counts_as_wrong_and_says_so(slow: Searcher) -> None:
    found = score(ITEM, Answer("busy, it is 3", "eos", 4))
    assert (found.strict, found.content, found.stopped) == (False, False, True)
    assert found.unjudged == r"the pattern 'is (\\d+)' took more than 0.1 s"
    assert score(ITEM, Answer("it is 3", "eos", 4)).strict
    with pytest.raises(SuiteError, match="fewer ways to match"):
        passes(ITEM, "busy")
    slow.close()


def test_a_pattern_that_is_slow_on_its_own_prompt_is_told_with_its_line(
    slow: Searcher, tmp_path: Path
) -> None:
    file = tmp_path / "mine.jsonl"
    line = {"prompt": "A busy day?", "gold": "3", "scorer": "regex", "pattern": "(3)"}
    file.write_text(json.dumps(line) + "\n")
    with pytest.raises(
        SuiteError, match=rf"{re.escape(str(file))}:1: the pattern '\(3\)' took more"
    ):
        find_suite(str(file))
    slow.close()


def test_nothing_of_a_run_is_lost(
    slow: Searcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.jsonl"
    prompts = ["The capital of France is", "The opposite of hot is", "3 plus 4 is"]
    file.write_text(
        "".join(
            json.dumps({"prompt": one, "gold": gold, "scorer": "regex", "pattern": r"(\w+)\."})
            + "\n"
            for one, gold in zip(prompts, ("Paris", "cold", "7"), strict=True)
        )
    )
    # The model's own answer stands in for a text on which it would never end.
    monkeypatch.setattr(
        scorers, "search", lambda pattern, text: slow.search(pattern, text.replace("cold", "busy"))
    )
    given = {"suite": str(file), "out": str(tmp_path / "run"), "html": "false", "forms": "raw", "max_new_tokens": "8"}  # fmt: skip
    outcome = run(resolve(CONFIG, PRESETS, overrides=given))
    results = {one.prompt: one for one in read_results(tmp_path / "run")}
    assert len(results) == 3
    assert "took more than" in (results[prompts[1]].unjudged or "")
    assert [results[one].content for one in prompts] == [True, False, True]
    assert any("1 answer without a verdict" in line for line in outcome.lines)
    slow.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_has_a_searcher_of_its_own() -> None:
    assert patterns.search("a", "a") is not None
    mine = patterns._searcher.child.process
    child = os.fork()
    if child == 0:
        fine = (
            patterns.search("b", "b") is not None and patterns._searcher.child.process is not mine
        )
        patterns._searcher.close()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert patterns.search("c", "c") is not None
    assert patterns._searcher.child.process is mine
