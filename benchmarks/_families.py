"""The embedded model's weights behind tokenizers that are made like those of four families."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

# By name: the text of BOS and of the end, whether the tokenizer adds BOS, and how it has spaces.
FAMILIES: dict[str, tuple[str | None, str, bool, str]] = {
    "llama-3": ("<|begin_of_text|>", "<|end_of_text|>", True, "bytes"),
    "gemma": ("<bos>", "<eos>", True, "replaced"),
    "qwen": (None, "<|endoftext|>", False, "bytes"),
    "mistral": ("<s>", "</s>", True, "prefixed"),
}
_TURN = {"llama-3": "<|start_header_id|>", "gemma": "<start_of_turn>", "mistral": "[INST]"}


def lay(family: str, target: Path) -> Path:
    """Write a model directory of a family: the embedded weights, and a tokenizer of its making.

    Llama 3 and Qwen have bytes and split words by a pattern; Gemma writes `▁` for a space; Mistral does
    so too and puts one before the text. All but Qwen add one BOS.
    """
    from stages.tiny import model_path

    shutil.copytree(model_path(), target, dirs_exist_ok=True)
    bos, end, adds, spaces = FAMILIES[family]
    if bos is None:
        return target
    (target / "chat_template.jinja").unlink()
    _as_llama(target)
    tokenizer: dict[str, Any] = json.loads((target / "tokenizer.json").read_text())
    names = {0: end, 1: bos, 2: _TURN[family]}
    for added in tokenizer["added_tokens"]:
        added["content"] = names[added["id"]]
    words = {index: token for token, index in tokenizer["model"]["vocab"].items()} | names
    if spaces != "bytes":
        words = {i: word if i in names else _spelt(word) for i, word in words.items()}
        tokenizer["model"]["merges"] = [
            [_spelt(one), _spelt(other)] for one, other in tokenizer["model"]["merges"]
        ]
        tokenizer |= _with_marks(prefixed=spaces == "prefixed")
    tokenizer["model"]["vocab"] = {word: index for index, word in sorted(words.items())}
    begin = [{"SpecialToken": {"id": bos, "type_id": 0}}] if adds else []
    text = {"Sequence": {"id": "A", "type_id": 0}}
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [*begin, text],
        "pair": [*begin, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {bos: {"id": bos, "ids": [1], "tokens": [bos]}},
    }
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    (target / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": bos,
                "eos_token": end,
                "model_max_length": 512,
            }
        )
    )
    return target


def _as_llama(target: Path) -> None:
    """The same model as Llama's class has it: beside Qwen's, transformers takes Qwen's tokenizer class."""
    import torch
    from safetensors.torch import load_file, save_file

    path = target / "config.json"
    config = json.loads(path.read_text())
    changed = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": True,
        "bos_token_id": 1,
    }
    path.write_text(json.dumps({**config, **changed}))
    tensors = load_file(target / "model.safetensors")
    for name in [name for name in tensors if name.endswith("q_proj.bias")]:
        tensors[name.replace("q_proj", "o_proj")] = torch.zeros_like(tensors[name])
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})


def _spelt(word: str) -> str:
    return word.replace("Ġ", "▁").replace("Ċ", "\n")


def _with_marks(*, prefixed: bool) -> dict[str, Any]:
    """The parts of a tokenizer.json that writes spaces as marks, with or without one at the beginning."""
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    steps = [{"type": "Prepend", "prepend": "▁"}, replace] if prefixed else [replace]
    back: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "Fuse"},
    ]
    if prefixed:
        back.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"▁?[^▁\s]+|▁+|\s+"},
            "behavior": "Isolated",
            "invert": False,
        },
        "decoder": {"type": "Sequence", "decoders": back},
    }
