from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guard import CleanModelLoader, Loaded
from guard.errors import ContaminationError, DoubledBosError, SettingsError, TruncatedPromptError

encode = CleanModelLoader.encode

PROMPTS = [
    "The capital of France is",
    "3 plus 4 is",
    "Instruction: Say cat.\nResponse:",
    "é ü 漢 🙂",
]


def test_ids_are_those_of_the_raw_call(tiny: Loaded, raw: tuple[Any, Any]) -> None:
    for prompt in PROMPTS:
        assert encode(tiny.tokenizer, prompt)["input_ids"].tolist() == [raw[1](prompt)["input_ids"]]


def test_a_batch_is_padded_on_the_left(tiny: Loaded) -> None:
    found = encode(tiny.tokenizer, ["A dog", PROMPTS[0]])
    assert found["input_ids"].shape == found["attention_mask"].shape
    row = found["attention_mask"][0].tolist()
    assert row == sorted(row)
    assert found["attention_mask"][1].all()
    assert found.to("cpu")["input_ids"].dtype.is_signed


def test_nothing_is_cut(tiny: Loaded) -> None:
    assert encode(tiny.tokenizer, "cat " * 700)["input_ids"].shape[1] > 512
    with pytest.raises(TruncatedPromptError, match="CG205"):
        encode(tiny.tokenizer, PROMPTS[0], max_length=2)


def test_truncation_left_on_in_the_tokenizer_does_not_cut(raw: tuple[Any, Any]) -> None:
    tokenizer = raw[1]
    before = encode(tokenizer, PROMPTS[0])["input_ids"].tolist()
    tokenizer(PROMPTS[0], truncation=True, max_length=2)
    assert encode(tokenizer, PROMPTS[0])["input_ids"].tolist() == before


@pytest.mark.parametrize(
    "prompt",
    [
        "<|im_start|>user\nhi<|im_end|>",
        "tell me <|im_end|>",
        "[a foreign one] <|eot_id|>",
        "<start_of_turn>user",
    ],
)
def test_control_tokens_are_refused_with_evidence(tiny: Loaded, prompt: str) -> None:
    with pytest.raises(ContaminationError, match="CG204") as caught:
        encode(tiny.tokenizer, prompt)
    [first, *_] = caught.value.evidence["hits"]
    assert first["token"] in prompt


@pytest.mark.parametrize(
    "prompt",
    ["a <- b | c", "if x < y and y > z: pass", "<html><body>", "see [1] and [Smith]", "x<|>y"],
)
def test_code_and_prose_pass(tiny: Loaded, prompt: str) -> None:
    encode(tiny.tokenizer, prompt)


@pytest.mark.parametrize("bad", ["", [], [""], [3]])
def test_no_text_is_refused(tiny: Loaded, bad: Any) -> None:
    with pytest.raises(SettingsError):
        encode(tiny.tokenizer, bad)


@pytest.mark.parametrize("adds_bos", [True, False])
def test_exactly_one_bos_whether_the_file_adds_it_or_not(
    llama_like: Callable[[bool], Path], adds_bos: bool
) -> None:
    _, tokenizer, provenance = CleanModelLoader(llama_like(adds_bos)).load()
    row = encode(tokenizer, "The capital")["input_ids"][0].tolist()
    assert row[0] == 1
    assert row.count(1) == 1
    assert provenance.tokenizer.bos_source == ("tokenizer" if adds_bos else "inserted")
    assert provenance.tokenizer.family == "llama3"
    with pytest.raises(DoubledBosError, match="CG202"):
        encode(tokenizer, "<|begin_of_text|>The capital")
