"""What docs/truth.md says of chat templates, BOS and padding, shown with plain transformers on the embedded model."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from stages.tiny import model_path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "truth.md").read_text(encoding="utf-8")
PROMPT = "The capital of France is"
# The answer stands in it, so a repetition penalty speaks against it.
NAMED = f"Of Paris: {PROMPT} Paris. {PROMPT}"
CHAT = [{"role": "user", "content": PROMPT}]


@pytest.fixture
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(model_path())


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32).eval()


def continued(model: Any, tokenizer: Any, texts: list[str], **options: Any) -> list[str]:
    batch = tokenizer(texts, return_tensors="pt", padding=len(texts) > 1)
    ids = model.generate(**batch, max_new_tokens=6, **options)
    return [
        tokenizer.decode(row, skip_special_tokens=True)
        for row in ids[:, batch.input_ids.shape[1] :]
    ]


def test_every_claim_names_a_test_that_exists() -> None:
    claims = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    sections = re.split(r"^### .+$", PAGE, flags=re.MULTILINE)[1:]
    assert len(claims) >= 14
    for claim, section in zip(claims, sections, strict=True):
        shown = re.findall(r"^Shown by:? (.+)$", section, re.MULTILINE)
        assert len(shown) == 1, claim
        for file, name in re.findall(r"`([\w/.]+\.py)::(\w+)`", shown[0]):
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), (claim, name)
        for script in re.findall(r"`(findings/[\w.-]+)`", shown[0]):
            assert (ROOT / script).is_file()
        assert "`" in shown[0]


def test_a_call_applies_no_template(tokenizer: Any) -> None:
    assert tokenizer.chat_template
    before = tokenizer(PROMPT).input_ids
    tokenizer.chat_template = None
    assert tokenizer(PROMPT).input_ids == before


def test_apply_chat_template_does(tokenizer: Any) -> None:
    rendered = tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert PROMPT in rendered
    assert len(rendered) > len(PROMPT)
    assert set(tokenizer(rendered).input_ids) - set(tokenizer(PROMPT).input_ids)


def test_default_chat_template_is_a_dead_attribute(tokenizer: Any) -> None:
    assert not hasattr(tokenizer, "default_chat_template")
    rendered = tokenizer.apply_chat_template(CHAT, tokenize=False)
    tokenizer.default_chat_template = None
    assert tokenizer.apply_chat_template(CHAT, tokenize=False) == rendered


def test_a_template_that_was_set_to_none_is_gone_for_who_loads_it(
    tokenizer: Any, tmp_path: Path
) -> None:
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).chat_template is None


def test_a_control_token_in_a_text_becomes_its_id(tokenizer: Any) -> None:
    ids = tokenizer("<|im_start|>user").input_ids
    assert tokenizer.convert_tokens_to_ids("<|im_start|>") in ids
    plain = tokenizer("<|im_start|>user", split_special_tokens=True).input_ids
    assert tokenizer.convert_tokens_to_ids("<|im_start|>") not in plain


def test_a_misspelt_keyword_is_ignored(tokenizer: Any) -> None:
    assert tokenizer(PROMPT, add_special_token=False).input_ids == tokenizer(PROMPT).input_ids


def test_truncation_drops_the_end_without_an_error(tokenizer: Any) -> None:
    whole = tokenizer(PROMPT * 10).input_ids
    cut = tokenizer(PROMPT * 10, max_length=7, truncation=True).input_ids
    assert cut == whole[:7]


def test_a_passed_generation_config_is_filled_from_the_models(model: Any, tokenizer: Any) -> None:
    greedy = continued(model, tokenizer, [PROMPT], do_sample=False)
    kept = model.generation_config.repetition_penalty
    try:
        model.generation_config.repetition_penalty = 9.0
        fresh = GenerationConfig(
            do_sample=False, max_new_tokens=6, pad_token_id=tokenizer.pad_token_id
        )
        inherited = continued(model, tokenizer, [NAMED], generation_config=fresh)
        said = continued(model, tokenizer, [NAMED], do_sample=False, repetition_penalty=1.0)
    finally:
        model.generation_config.repetition_penalty = kept
    assert greedy == continued(model, tokenizer, [PROMPT], do_sample=False)
    assert inherited != said


def test_right_padding_changes_what_is_generated(model: Any, tokenizer: Any) -> None:
    texts = [
        PROMPT,
        "Question: What is the capital of France? The answer, which everybody knows, is",
    ]
    alone = continued(model, tokenizer, texts[:1], do_sample=False)[0]
    made = {}
    for side in ("left", "right"):
        tokenizer.padding_side = side
        made[side] = continued(model, tokenizer, texts, do_sample=False)[0]
    assert made["left"] == alone
    assert made["right"] != alone
