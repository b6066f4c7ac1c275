"""CG302: models that count positions from the first column, in batches padded on the left."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from guard import CleanModelLoader, unguarded
from guard.enforcing.positions import absolute_positions
from guard.errors import PaddingError

SIZES: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 64, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64,
    "d_model": 32, "num_layers": 2, "num_heads": 4, "decoder_layers": 2, "attention_heads": 4,
    "decoder_attention_heads": 4, "decoder_ffn_dim": 48, "ffn_dim": 48, "word_embed_proj_dim": 32,
    "attention_types": [[["global"], 2]], "rotary_dim": 4, "num_key_value_heads": 4, "dff": 48,
    "is_decoder": True, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 0,
}  # fmt: skip
COUNTED = [
    "gpt2",
    "gpt_bigcode",
    "gpt_neo",
    "openai-gpt",
    "xglm",
    "ctrl",
    "mbart",
    "bert",
    "biogpt",
]
NOT_COUNTED = ["llama", "qwen2", "gptj", "gpt_neox", "opt", "bloom", "falcon", "roberta"]


def make(kind: str, vocabulary: int) -> Any:
    taken = {**SIZES, "vocab_size": vocabulary}
    known = CONFIG_MAPPING[kind]().to_dict()
    names = {*known, *CONFIG_MAPPING[kind].attribute_map}
    config = CONFIG_MAPPING[kind](**{name: taken[name] for name in taken if name in names})
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("kind", [*COUNTED, *NOT_COUNTED])
def test_what_is_told_of_a_model_is_how_it_behaves(kind: str) -> None:
    model = make(kind, 99)
    ids = torch.tensor([[5, 6, 7, 8, 9, 10]])
    padded = torch.cat([torch.zeros(1, 4, dtype=torch.long), ids], dim=1)
    mask = (torch.arange(10) >= 4).long()[None]
    with torch.no_grad():
        alone = model(input_ids=ids).logits[0]
        left = model(input_ids=padded, attention_mask=mask).logits[0, 4:]
    told = absolute_positions(model.get_decoder(), ids[0, :3], 0)
    moved = float((alone - left).abs().max() / alone.abs().max()) > 1e-3
    assert (told is not None) == moved == (kind in COUNTED)


@pytest.fixture
def load(tiny_dir: Path, tmp_path: Path) -> Callable[[str], Any]:
    """Loads a random model of a kind with the embedded model's tokenizer."""

    def loaded(kind: str) -> Any:
        make(kind, 702).save_pretrained(tmp_path)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tiny_dir / name, tmp_path)
        return CleanModelLoader(tmp_path, dtype="float32").load()

    return loaded


PROMPTS = ["A dog", "The capital of France is a city and"]


@pytest.mark.parametrize("kind", ["gpt2", "gpt_bigcode", "gpt_neo"])
def test_a_left_padded_batch_without_positions_is_refused(
    load: Callable[[str], Any], kind: str
) -> None:
    model, tokenizer, _ = load(kind)
    batch = CleanModelLoader.encode(tokenizer, PROMPTS)
    with pytest.raises(PaddingError, match="CG302") as caught:
        model(**batch)
    assert caught.value.evidence["positions"] == "wpe"
    assert caught.value.evidence["row"] == 0
    alone = model(**CleanModelLoader.encode(tokenizer, PROMPTS[:1])).logits[0, -1]
    positions = (batch["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    said = model(**batch, position_ids=positions).logits[0, -1]
    assert torch.allclose(said, alone, atol=1e-4)
    with unguarded(model, reason="to show the damage"):
        assert not torch.allclose(model(**batch).logits[0, -1], alone, atol=1e-1)
    # Rows of one length, right padding and generation need no word.
    model(**CleanModelLoader.encode(tokenizer, [PROMPTS[0], PROMPTS[0]]))
    ids, mask = batch["input_ids"].flip(1), batch["attention_mask"].flip(1)
    model(input_ids=ids, attention_mask=mask)
    together = CleanModelLoader.complete(model, tokenizer, PROMPTS, max_new_tokens=6)
    for prompt, completion in zip(PROMPTS, together, strict=True):
        [one] = CleanModelLoader.complete(model, tokenizer, [prompt], max_new_tokens=6)
        assert one.ids == completion.ids


@pytest.mark.parametrize("kind", ["opt", "gptj"])
def test_a_model_that_does_not_count_columns_needs_no_positions(
    load: Callable[[str], Any], kind: str
) -> None:
    model, tokenizer, _ = load(kind)
    alone = model(**CleanModelLoader.encode(tokenizer, PROMPTS[:1])).logits[0, -1]
    assert torch.allclose(
        model(**CleanModelLoader.encode(tokenizer, PROMPTS)).logits[0, -1], alone, atol=1e-4
    )


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_row_of_padding_alone_is_read_as_the_library_reads_it(
    load: Callable[[str], Any], side: str
) -> None:
    """It holds no token that could stand at another position."""
    model, tokenizer, _ = load("gpt2")
    pad, (one, two, *_) = tokenizer.pad_token_id, tokenizer("a text of words").input_ids[1:]
    rows = torch.tensor([[one, two, one], [pad, pad, pad]])
    mask = torch.tensor([[1, 1, 1], [0, 0, 0]])
    said = model(rows, attention_mask=mask).logits
    assert torch.allclose(said[0], model(rows[:1]).logits[0], atol=1e-4)
    if side == "left":
        rows[0, 0], mask[0, 0] = pad, 0
        with pytest.raises(PaddingError) as caught:
            model(rows.flip(0), attention_mask=mask.flip(0))
        assert caught.value.evidence["row"] == 1
