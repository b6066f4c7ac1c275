"""Who writes the first token, measured on published tokenizers: the catalogue has to agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cleanguard.catalogue.begin_tokens import beginning_of

TURNS = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param("qwen2", "Qwen/Qwen2.5-7B"),
        pytest.param("llama3", "meta-llama/Llama-3.1-8B"),
        pytest.param("mistral-v1", "mistralai/Mistral-7B-v0.1"),
        pytest.param("mistral-v3", "mistralai/Mistral-7B-v0.3"),
        pytest.param("gpt2", "gpt2", marks=pytest.mark.slow),
        pytest.param("qwen3", "Qwen/Qwen3-8B", marks=pytest.mark.slow),
        pytest.param(
            "llama3.1-instruct", "meta-llama/Llama-3.1-8B-Instruct", marks=pytest.mark.slow
        ),
        pytest.param("gemma3-it", "google/gemma-3-4b-it", marks=pytest.mark.slow),
    ],
)
def test_who_writes_bos(real: Callable[[str], Any], name: str, model: str) -> None:
    tokenizer, known = real(name), beginning_of(model)
    adds = tokenizer.bos_token_id is not None and tokenizer("Hi")["input_ids"][0] == (
        tokenizer.bos_token_id
    )
    assert known.evidence == "measured"
    assert known.tokenizer == ("yes" if adds else "no")
    if tokenizer.chat_template and known.template != "unknown":
        text = tokenizer.apply_chat_template(TURNS, tokenize=False)
        begins = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
        assert known.template == ("yes" if begins else "no")
