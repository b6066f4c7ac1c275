"""Programs that were written against the rewriter, in the ways that people write: each means the same once migrated.

`written.txt` holds them: `=== NAME` begins one, `--- FILE` another file of it. What a plan announces is done to the old
program as for the drawn ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HEAD = (
    "import torch\nfrom transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, "
    "Qwen2ForCausalLM, GenerationConfig\n"
)
# The same, nothing rewritten, an old program that raises, a plan that could not be proven.
_FINE = ("same", "untouched", "fails", "refused")


def _programs() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    text = (Path(__file__).parent / "written.txt").read_text(encoding="utf-8")
    for part in text.split("=== ")[1:]:
        name, _, rest = part.partition("\n")
        main, *others = rest.split("--- ")
        found[name] = {"main.py": HEAD + main}
        for other in others:
            file, _, code = other.partition("\n")
            found[name][file] = code
    return found


PROGRAMS = _programs()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes(tried) -> dict[str, dict]:
    return tried(PROGRAMS)


@pytest.fixture(scope="module")
def outcomes_without_watch(tried) -> dict[str, dict]:
    """What can be watched is guarded as well."""
    return tried(PROGRAMS, watch=False)


def test_each_means_the_same(outcomes):
    wrong = {n: one["difference"] for n, one in outcomes.items() if one["status"] not in _FINE}
    assert wrong == {}


def test_most_are_rewritten(outcomes):
    """What stays cannot go wrong, so that the other test would say little if most did."""
    same = [one["rewritten"] for one in outcomes.values() if one["status"] == "same"]
    assert len(same) >= 0.9 * len(PROGRAMS)


def test_each_means_the_same_without_the_watch(outcomes_without_watch):
    every = outcomes_without_watch
    wrong = {n: one["difference"] for n, one in every.items() if one["status"] not in _FINE}
    assert wrong == {}


def test_half_are_guarded_without_the_watch(outcomes_without_watch):
    every = outcomes_without_watch.values()
    guarded = sum(bool(one["rewritten"]) for one in every if one["status"] == "same")
    assert guarded >= 0.5 * len(PROGRAMS)
