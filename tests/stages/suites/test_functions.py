"""Functions of the user's own run beside us: what hangs is ended, and what they do else stays there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.config import resolve
from stages.evaluate import CONFIG, PRESETS, run
from stages.reports.results import read_results
from stages.suites.code import ScorerConfig
from stages.suites.item import SuiteError, SuiteItem
from stages.suites.registry import find_suite
from stages.suites.scorers import Answer, passes, score

_CODE = r"""
import os, re, sys, time

def loops(text, item):
    while "loop" in text:
        pass
    return text == "yes"

def waits(text, item):
    if "wait" in text:
        time.sleep(600)
    return text == "yes"

def holds(text, item):
    "Never gives the interpreter back."
    return bool(re.match(r"(a|a)*b", "a" * 60)) if "hold" in text else text == "yes"

def leaves(text, item):
    if "leave" in text:
        sys.exit(3)
    if "die" in text:
        os._exit(0)
    return text == "yes"

def talks(text, item):
    print("[true]", input() if "ask" in text else "")
    sys.__stdout__.write("{}\n")
    os.chdir("/")
    return text == "yes"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "hanging_checks.py").write_text(_CODE)
    yield tmp_path
    ScorerConfig().allow()


def item_of(folder: Path, name: str, prompt: str = "Say yes.") -> SuiteItem:
    file = folder / "mine.jsonl"
    line = {"prompt": prompt, "gold": "yes", "scorer": f"python:hanging_checks.{name}"}
    file.write_text(json.dumps(line) + "\n")
    return find_suite(str(file)).items[0]


@pytest.mark.parametrize(("name", "place"), [("loops", 5), ("waits", 11), ("holds", 16)])
def test_a_function_that_hangs_is_ended_and_asked_again(
    folder: Path, name: str, place: int
) -> None:
    item = item_of(folder, name)
    ScorerConfig(seconds=0.5).allow()
    found = score(item, Answer("loop, wait or hold", "eos", 4))
    assert (found.strict, found.content, found.stopped) == (False, False, True)
    where = re.escape(str(folder / "hanging_checks.py"))
    assert found.unjudged is not None
    assert re.fullmatch(
        rf"python:hanging_checks\.{name} took more than 0\.5 s \({where}:\d+\)", found.unjudged
    )
    assert abs(int(found.unjudged.rstrip(")").rsplit(":", 1)[1]) - place) <= 1
    ScorerConfig().allow()
    assert passes(item, "yes")
    assert not passes(item, "no")


def test_a_function_that_hangs_on_its_prompt_is_told_with_its_line(folder: Path) -> None:
    item_of(folder, "loops")  # imported before the time is short
    ScorerConfig(seconds=0.5).allow()
    with pytest.raises(
        SuiteError, match=r"mine\.jsonl:1: .*took more than 0\.5 s.*--scorer\.seconds"
    ):
        item_of(folder, "loops", "A loop.")


def test_a_module_that_hangs_is_told(folder: Path) -> None:
    (folder / "hanging_import.py").write_text("import time\ntime.sleep(600)\n")
    file = folder / "mine.jsonl"
    file.write_text('{"prompt": "a", "gold": "b", "scorer": "python:hanging_import.f"}\n')
    ScorerConfig(seconds=0.5).allow()
    with pytest.raises(SuiteError, match=r":1: .*importing it took more.*hanging_import\.py:2"):
        find_suite(str(file))


def test_a_function_that_ends_its_process_is_told(folder: Path) -> None:
    item = item_of(folder, "leaves")
    with pytest.raises(SuiteError, match=r"leaves fails on the answer 'leave': SystemExit: 3"):
        passes(item, "leave")
    with pytest.raises(SuiteError, match="ends its process on the answer 'die'"):
        passes(item, "die")
    assert passes(item, "yes")


def test_what_a_function_prints_or_reads_is_not_ours(folder: Path) -> None:
    before = Path.cwd()
    item = item_of(folder, "talks")
    assert passes(item, "yes")
    with pytest.raises(SuiteError, match="EOFError"):
        passes(item, "ask")
    assert Path.cwd() == before


def test_text_of_any_kind_reaches_the_function(folder: Path) -> None:
    (folder / "plain_checks.py").write_text(
        "def same(text, item):\n    return text == item['data']\n"
    )
    file = folder / "mine.jsonl"
    odd = "naïve\u2028\n😀 \ud800"
    line = {"prompt": "a", "gold": "b", "scorer": "python:plain_checks.same", "data": odd}
    file.write_text(json.dumps(line) + "\n")
    [item] = find_suite(str(file)).items
    assert score(item, Answer(odd, "eos", 1)).strict


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_asks_one_of_its_own(folder: Path) -> None:
    item = item_of(folder, "loops")
    child = os.fork()
    if child == 0:
        os._exit(0 if passes(item, "yes") and not passes(item, "no") else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert passes(item, "yes")


def test_nothing_of_a_run_is_lost_and_the_limit_may_change(folder: Path) -> None:
    (folder / "run_checks.py").write_text(
        "def cold(text, item):\n"
        "    if 'cold' in text:\n        import time; time.sleep(600)\n"
        "    return text.startswith(item['gold'][0])\n"
    )
    file = folder / "mine.jsonl"
    prompts = {
        "The capital of France is": "Paris",
        "The opposite of hot is": "cool",
        "3 plus 4 is": "7",
    }
    file.write_text(
        "".join(
            json.dumps({"prompt": one, "gold": gold, "scorer": "python:run_checks.cold"}) + "\n"
            for one, gold in prompts.items()
        )
    )
    find_suite(str(file))  # imported before the time is short
    given = {"suite": str(file), "out": str(folder / "run"), "html": "false", "forms": "raw", "max_new_tokens": "8"}  # fmt: skip
    run(resolve(CONFIG, PRESETS, overrides={**given, "scorer.seconds": "1"}))
    found = {one.item: one for one in read_results(folder / "run")}
    assert len(found) == 3
    hung = found["The opposite of hot is"]
    assert "cold" in hung.text
    assert "took more than 1 s" in (hung.unjudged or "")
    assert found["The capital of France is"].content
    before = (folder / "run" / "results.jsonl").read_bytes()
    run(resolve(CONFIG, PRESETS, overrides={**given, "scorer.seconds": "30"}))
    assert (folder / "run" / "results.jsonl").read_bytes() == before
