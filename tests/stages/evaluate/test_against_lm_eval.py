"""Suites against lm-evaluation-harness, request by request: as committed, and live where it is installed."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guard import CleanModelLoader
from stages.config import resolve
from stages.evaluate import CONFIG, PRESETS, run
from stages.reports.results import Result, read_results
from stages.tiny import model_path

_SPEC = importlib.util.spec_from_file_location(
    "lm_eval_figures", Path(__file__).with_name("lm_eval_figures.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
theirs = importlib.util.module_from_spec(_SPEC)
sys.modules["lm_eval_figures"] = theirs
_SPEC.loader.exec_module(theirs)
POLICIES = ("none", "tokenizer", "inserted")
BOS = "<|begin_of_text|>"


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The embedded weights with no BOS, with a tokenizer that adds it, and with one that should."""
    found = {"none": model_path()}
    for name, adds in (("tokenizer", True), ("inserted", False)):
        found[name] = _llama_like(tmp_path_factory.mktemp(name) / "model", adds=adds)
    return found


def _llama_like(target: Path, *, adds: bool) -> Path:
    """The embedded model under Llama 3's token names."""
    shutil.copytree(model_path(), target)
    (target / "chat_template.jinja").unlink()
    tokenizer = json.loads((target / "tokenizer.json").read_text())
    names = {0: "<|end_of_text|>", 1: BOS, 2: "<|start_header_id|>"}
    for added in tokenizer["added_tokens"]:
        added["content"] = names[added["id"]]
    known = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {names.get(index, token): index for token, index in known.items()}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    single = [{"SpecialToken": {"id": BOS, "type_id": 0}}, text] if adds else [text]
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {BOS: {"id": BOS, "ids": [1], "tokens": [BOS]}},
    }
    (target / "tokenizer.json").write_text(json.dumps(tokenizer))
    settings = {
        "tokenizer_class": "TokenizersBackend", "bos_token": BOS, "eos_token": "<|end_of_text|>",
    }  # fmt: skip
    (target / "tokenizer_config.json").write_text(json.dumps(settings))
    return target


def results_of(model: Path, folder: Path, lines: list[dict[str, Any]], name: str) -> list[Result]:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    overrides = {
        "model.id": str(model), "model.dtype": "float32", "suite": str(file), "out": str(folder / name),
        "html": "false", "plan.resamples": "200", "batch_size": "3",
    }  # fmt: skip
    run(resolve(CONFIG, PRESETS, overrides=overrides))
    return read_results(folder / name)


def compare(model: Path, figures: dict[str, Any], folder: Path) -> None:
    chosen = results_of(model, folder, theirs.ITEMS, "choices")
    for result, totals in zip(chosen, figures["requests"], strict=True):
        mine = [one["logprob"] for one in result.choices or ()]
        assert mine == pytest.approx(totals, abs=5e-4), result.item
    metrics = figures["metrics"]
    for ours, name in (("total", "acc"), ("per_character", "acc_norm"), ("per_byte", "acc_bytes")):
        rate = sum((one.right or {})[ours] for one in chosen) / len(chosen)
        assert rate == pytest.approx(metrics[name]), name
    read = results_of(model, folder, [{"text": text} for text in theirs.TEXTS], "texts")
    parts = [one.likelihood or {} for one in read]
    assert [part["logprob"] for part in parts] == pytest.approx(figures["texts"], abs=2e-3)
    nats = -sum(part["logprob"] for part in parts)
    sizes = {unit: sum(part[unit] for part in parts) for unit in ("words", "bytes")}
    assert math.exp(nats / sizes["words"]) == pytest.approx(metrics["word_perplexity"], rel=1e-4)
    assert math.exp(nats / sizes["bytes"]) == pytest.approx(metrics["byte_perplexity"], rel=1e-4)
    assert nats / sizes["bytes"] / math.log(2) == pytest.approx(metrics["bits_per_byte"], rel=1e-4)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_committed_figures_are_ours(
    policies: dict[str, Path], policy: str, tmp_path: Path
) -> None:
    source = (
        CleanModelLoader(policies[policy], dtype="float32").load().provenance.tokenizer.bos_source
    )
    assert source == policy
    compare(policies[policy], json.loads(theirs.FIGURES.read_text())[policy], tmp_path)


@pytest.mark.slow
def test_what_is_installed_says_the_same(
    policies: dict[str, Path], tmp_path: Path, tmp_path_factory: Callable[..., Any]
) -> None:
    pytest.importorskip("lm_eval")
    live = {policy: theirs.figures(policies[policy], policy, BOS, tmp_path) for policy in POLICIES}
    if os.environ.get("CLEANGUARD_WRITE_LM_EVAL"):
        theirs.FIGURES.write_text(json.dumps(live, indent=1) + "\n")
    for policy in POLICIES:
        (tmp_path / policy).mkdir()
        compare(policies[policy], live[policy], tmp_path / policy)
