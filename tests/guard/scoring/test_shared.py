"""What rows begin with alike is read once, and no number depends on it."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Phi3Config,
    Qwen2Config,
)

from guard import CleanModelLoader, Loaded
from guard.errors import BrokenModelError
from guard.scoring import rows as scoring_rows
from guard.scoring import shared

HEADER = "Question: what is 2 plus 2?\nAnswer: 4\n\nQuestion: where is Paris?\nAnswer: France\n\n"
QUESTIONS = [
    ("The capital of France is", [" Paris.", " Berlin, or so.", " a city and a town.", " it"]),
    ("A dog and a cat, a dog and", [" is", " and a cat", " is an animal. It is", " it it it it"]),
    ("3 plus 4 is", [" 7.", " 8."]),
    ("", ["3 plus 4", "A dog is an animal."]),
    ("What is the opposite of hot? It is", [" cold"]),
]
WITH_HEADER = [(HEADER + prompt, texts) for prompt, texts in QUESTIONS if prompt]

SMALL: dict[str, Any] = {"vocab_size": 702, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}  # fmt: skip
MODELS: dict[str, Callable[[], Any]] = {
    "qwen2": lambda: Qwen2Config(**SMALL),
    "llama": lambda: LlamaConfig(**SMALL),
    # As a folder converted from another family has them; Llama's class takes one mask all the same.
    "llama, with kinds of layers": lambda: LlamaConfig(**SMALL, layer_types=["full_attention"] * 3),
    "mistral, a window of 12": lambda: MistralConfig(**SMALL, sliding_window=12),
    "gemma2, windows of 16": lambda: Gemma2Config(**SMALL, head_dim=8, sliding_window=16),
    "gemma3, windows of 8": lambda: Gemma3TextConfig(**SMALL, head_dim=8, sliding_window=8),
    "phi3": lambda: Phi3Config(**SMALL),
    "gpt-neox": lambda: GPTNeoXConfig(
        **{**SMALL, "num_key_value_heads": None}, use_parallel_residual=True
    ),
    "gpt2": lambda: GPT2Config(
        vocab_size=702, n_embd=32, n_layer=2, n_head=4, n_positions=512, bos_token_id=0, eos_token_id=0
    ),
    "opt": lambda: OPTConfig(
        vocab_size=702, hidden_size=32, word_embed_proj_dim=32, ffn_dim=48, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=512, bos_token_id=0, eos_token_id=0, pad_token_id=0,
    ),
    "bloom": lambda: BloomConfig(
        vocab_size=702, hidden_size=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0, pad_token_id=0
    ),
}  # fmt: skip


@pytest.fixture
def made(tiny_dir: Path, tmp_path: Path) -> Callable[[str], Loaded]:
    def make(name: str) -> Loaded:
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(MODELS[name]())
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
        model.save_pretrained(tmp_path)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tiny_dir / file, tmp_path)
        return CleanModelLoader(tmp_path, dtype="float32").load()

    return make


def counted(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tokens of each forward pass. A hook would not do: rows are read plainly where there is one."""
    seen: list[int] = []
    real = type(model).forward

    @functools.wraps(real)
    def forward(self: Any, *args: Any, **kw: Any) -> Any:
        seen.append(kw["input_ids"].numel())
        return real(self, *args, **kw)

    monkeypatch.setattr(type(model), "forward", forward)
    return seen


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("questions", [QUESTIONS, WITH_HEADER], ids=["plain", "header"])
def test_every_model_gives_what_one_row_alone_gives(
    made: Callable[[str], Loaded], name: str, questions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "_PASS_ON_CPU", 1)
    model, tokenizer, _ = made(name)
    found = CleanModelLoader.score_batch(model, tokenizer, questions, batch_size=64)
    for (prompt, texts), part in zip(questions, found, strict=True):
        for text, one in zip(texts, part, strict=True):
            [alone] = CleanModelLoader.score(model, tokenizer, prompt, [text])
            assert one.ids == alone.ids
            assert one.logprobs == pytest.approx(alone.logprobs, abs=2e-4), (name, prompt, text)
            assert one.is_greedy == alone.is_greedy


def test_a_header_and_prompts_are_read_once(tiny: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer, _ = tiny
    monkeypatch.setattr(shared, "_PASS_ON_CPU", 1)
    wanted = [
        [CleanModelLoader.score(model, tokenizer, p, [t])[0].logprobs for t in ts]
        for p, ts in WITH_HEADER
    ]
    CleanModelLoader.score_batch(model, tokenizer, WITH_HEADER[:2])
    seen = counted(model, monkeypatch)
    found = CleanModelLoader.score_batch(model, tokenizer, WITH_HEADER, batch_size=64)
    shared_tokens = sum(seen)
    seen.clear()
    monkeypatch.setattr(scoring_rows, "sharing_of", lambda _: None)
    plain = CleanModelLoader.score_batch(model, tokenizer, WITH_HEADER, batch_size=64)
    assert shared_tokens < sum(seen) / 3
    for ours, theirs, alone in zip(found, plain, wanted, strict=True):
        for one, other, by_hand in zip(ours, theirs, alone, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
            assert one.logprobs == pytest.approx(by_hand, abs=1e-4)


def test_a_model_that_gives_other_numbers_so_is_read_row_by_row(
    made: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer, _ = made("llama")
    real = type(model).forward

    # A model of its own that looks at the mask's shape: it takes positions and a cache, and is wrong.
    @functools.wraps(real)
    def odd(self: Any, *args: Any, **kw: Any) -> Any:
        out = real(self, *args, **kw)
        if getattr(kw.get("attention_mask"), "ndim", 2) == 4 or isinstance(
            kw.get("attention_mask"), dict
        ):
            out.logits = out.logits.flip(-1)
        return out

    monkeypatch.setattr(type(model), "forward", odd)
    found = CleanModelLoader.score_batch(model, tokenizer, QUESTIONS)
    assert shared.sharing_of(model) is None
    for (prompt, texts), part in zip(QUESTIONS, found, strict=True):
        for text, one in zip(texts, part, strict=True):
            [alone] = CleanModelLoader.score(model, tokenizer, prompt, [text])
            assert one.logprobs == pytest.approx(alone.logprobs, abs=1e-4)


def test_broken_scores_are_told_over_shared_beginnings_too(
    made: Callable[[str], Loaded],
) -> None:
    model, tokenizer, _ = made("qwen2")
    CleanModelLoader.score_batch(model, tokenizer, QUESTIONS)
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.fill_(float("nan"))
    with pytest.raises(BrokenModelError, match=r"layers\.1"):
        CleanModelLoader.score_batch(model, tokenizer, QUESTIONS)


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_full_memory_splits_families_as_well(
    tiny: Loaded, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer, _ = tiny
    wanted = CleanModelLoader.score_batch(model, tokenizer, QUESTIONS)
    real = scoring_rows._logits

    def small(model: Any, batch: Any, *more: Any) -> Any:
        if sum(len(stem.inputs) for stem in batch) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, batch, *more)

    monkeypatch.setattr(scoring_rows, "_logits", small)
    found = CleanModelLoader.score_batch(model, tokenizer, QUESTIONS, batch_size=64)
    for ours, theirs in zip(found, wanted, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_stems_share_nothing_that_is_asked_for() -> None:
    family = [
        shared.Input((1, 2, 3, 4, 5, 6, 9), 5, 0),
        shared.Input((1, 2, 3, 4, 5, 6, 7, 8), 4, 0),
    ]
    [stem] = shared.stems_of(family)
    assert (stem.shared, stem.width) == (4, 4 + 3 + 4)
    apart = shared.stems_of([shared.Input((1, 2), 1, 0), shared.Input((1, 3), 1, 0)])
    assert [one.shared for one in apart] == [0, 0]
    assert shared.common([(1, 2, 3), (1, 2, 4), (1, 2)]) == 2


def test_a_hook_of_the_user_s_sees_whole_rows(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    seen: list[Any] = []
    model.register_forward_pre_hook(
        lambda _m, _a, kw: seen.append(kw["attention_mask"].ndim), with_kwargs=True
    )
    CleanModelLoader.score_batch(model, tokenizer, QUESTIONS)
    assert set(seen) == {2}
