"""Programs that were written against the rewriter, in the ways that people write: each means the same once migrated.

`written.txt` holds them: `=== NAME` begins one, `--- FILE` another file of it. What a plan announces is done to the old
program as for the drawn ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
# A part is tried in one process, well within its time on a machine with other work; the parts go to all the workers.
PARTS = 6
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", range(PARTS))
def test_each_means_the_same(tried, number):
    """What stays cannot go wrong, so that most are to be rewritten."""
    part = _part(number)
    outcomes = tried(part)
    assert _wrong(outcomes) == {}
    assert len(_rewritten(outcomes)) >= 0.9 * len(part)


@pytest.mark.parametrize("number", range(0, PARTS, 2))
def test_each_means_the_same_without_the_watch(tried, number):
    """What can be watched is guarded as well; half of them, as most plans are those of the other test."""
    part = _part(number)
    outcomes = tried(part, watch=False)
    assert _wrong(outcomes) == {}
    assert len(_rewritten(outcomes)) >= 0.5 * len(part)


def _part(number: int) -> dict[str, dict[str, str]]:
    """Every sixth program, so that no part is all of one kind."""
    return {name: PROGRAMS[name] for name in list(PROGRAMS)[number::PARTS]}


def _wrong(outcomes: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {n: one["difference"] for n, one in outcomes.items() if one["status"] not in _FINE}


def _rewritten(outcomes: dict[str, dict[str, Any]]) -> list[str]:
    """`same` with the watch off includes programs of which no site was guarded."""
    return [n for n, one in outcomes.items() if one["status"] == "same" and one["rewritten"]]
