"""Ids and values against lm-evaluation-harness: as committed, and live where it is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from guard import CleanModelLoader
from tests.guard.families import lay

_SPEC = importlib.util.spec_from_file_location("hflm", Path(__file__).with_name("hflm.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
hflm = importlib.util.module_from_spec(_SPEC)
sys.modules["hflm"] = hflm
_SPEC.loader.exec_module(hflm)
POLICIES = ("none", "tokenizer", "inserted")
BOS = "<|begin_of_text|>"


def compare(path: Path, policy: str, theirs: dict[str, Any]) -> None:
    model, tokenizer, provenance = CleanModelLoader(path, dtype="float32").load()
    assert provenance.tokenizer.bos_source == policy
    for (prompt, text), wanted in zip(hflm.PAIRS, theirs["pairs"], strict=True):
        [found] = CleanModelLoader.score(model, tokenizer, prompt, [text])
        assert list(found.context) == wanted["context"]
        assert list(found.ids) == wanted["ids"]
        assert found.total == pytest.approx(wanted["total"], abs=2e-4)
        assert found.is_greedy == wanted["greedy"]
    every = CleanModelLoader.score_batch(
        model, tokenizer, [(prompt, [text]) for prompt, text in hflm.PAIRS], batch_size=4
    )
    for [found], wanted in zip(every, theirs["pairs"], strict=True):
        assert found.total == pytest.approx(wanted["total"], abs=2e-4)
    whole = CleanModelLoader.perplexity(model, tokenizer, hflm.TEXTS)
    for one, total in zip(whole.texts, theirs["texts"], strict=True):
        assert one.logprob == pytest.approx(total, abs=2e-3)
        assert one.windows == 1
    if "windows" in theirs:
        rolled = CleanModelLoader.perplexity(
            model, tokenizer, hflm.TEXTS, window=hflm.WINDOW, overlap=1, batch_size=2
        )
        assert max(one.windows for one in rolled.texts) > 1
        for one, total in zip(rolled.texts, theirs["windows"], strict=True):
            assert one.logprob == pytest.approx(total, abs=2e-3)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_committed_figures_are_ours(policies: dict[str, Path], policy: str) -> None:
    compare(policies[policy], policy, json.loads(hflm.FIGURES.read_text())[policy])


def test_what_is_installed_says_the_same(policies: dict[str, Path]) -> None:
    pytest.importorskip("lm_eval")
    live = {policy: hflm.figures(policies[policy], policy, BOS) for policy in POLICIES}
    if os.environ.get("CLEANGUARD_WRITE_HFLM"):
        hflm.FIGURES.write_text(json.dumps(live, indent=1) + "\n")
    for policy in POLICIES:
        compare(policies[policy], policy, live[policy])


# Positions that are learned, alibi, windows, a state instead of attention, a soft cap on scores.
FAMILIES = (
    "gpt-2, absolute positions", "opt", "bloom, alibi", "gemma-2, windows and eager", "mamba, a state", "gpt-neox",
)  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_are_scored_as_lm_eval_scores_them(tmp_path: Path, family: str) -> None:
    pytest.importorskip("lm_eval")
    path = lay(family, tmp_path)
    compare(path, "none", hflm.figures(path, "none", BOS))
