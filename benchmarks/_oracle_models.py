"""Small models under the names of published ones, for benchmarks/oracle.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.standing import is_not_causal
from stages.tiny import model_path

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_WITH_BOS = ("llama3", "gemma", "mistral", "llama2", "deepseek")
# Families that share a tokenizer's kind.
_ALIKE = {"qwen": "qwen2", "qwen3": "qwen2", "smollm": "qwen2", "llama2": "mistral"}


class Models:
    """A hub cache that is filled with small models as scripts ask for them."""

    def __init__(self, cache: Path, tokenizers: Path | None, as_family: str | None = None) -> None:
        self.cache, self.tokenizers, self.as_family = cache, tokenizers, as_family
        self._built: dict[str, Path] = {}
        self._laid: dict[str, str] = {}

    def environment(self) -> dict[str, str]:
        """What makes the libraries look into the cache and nowhere else."""
        return {
            "HF_HUB_CACHE": str(self.cache),
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "WANDB_MODE": "disabled",
        }

    def described(self) -> str:
        """Which tokenizer stood for how many ids."""
        kinds = sorted(set(self._laid.values()))
        names = [f"{kind} ({list(self._laid.values()).count(kind)})" for kind in kinds]
        return ", ".join(names) or "none"

    def lay(self, model_id: str) -> None:
        """Put a small model of an id's family into the cache."""
        if model_id in self._laid or is_not_causal(model_id):
            return
        family = family_of(model_id)
        if family is None:
            return
        kind = self.as_family or _ALIKE.get(family.name, family.name)
        real = None if self.tokenizers is None else self.tokenizers / kind
        found = real is not None and real.is_dir()
        source = self._model(
            kind,
            real if found else None,
            bos=(self.as_family or "") in _WITH_BOS or family.bos == "one",
        )
        repository = self.cache / ("models--" + model_id.replace("/", "--"))
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(_COMMIT)
        shutil.copytree(source, repository / "snapshots" / _COMMIT)
        self._laid[model_id] = kind if found else "embedded"

    def _model(self, kind: str, tokenizer: Path | None, *, bos: bool) -> Path:
        key = f"{kind}-{tokenizer is not None}-{bos}"
        if key not in self._built:
            target = self.cache / "built" / key
            if tokenizer is not None:
                _random_model(tokenizer, target)
            elif bos:
                _with_bos(target)
            else:
                shutil.copytree(model_path(), target)
            self._built[key] = target
        return self._built[key]


def _random_model(tokenizer_folder: Path, target: Path) -> None:
    """A model of random weights with the vocabulary of a tokenizer."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(target)
    tokenizer.save_pretrained(target)


def _with_bos(target: Path) -> None:
    """The embedded model with Llama 3's tokens and a post-processor that adds BOS."""
    shutil.copytree(model_path(), target)
    content: dict[str, Any] = json.loads((target / "tokenizer.json").read_text())
    names = {0: "<|end_of_text|>", 1: "<|begin_of_text|>", 2: "<|start_header_id|>"}
    for added in content["added_tokens"]:
        added["content"] = names[added["id"]]
    vocabulary = content["model"]["vocab"]
    kept = {token: index for token, index in vocabulary.items() if index not in names}
    content["model"]["vocab"] = kept | {name: index for index, name in names.items()}
    bos, text = (
        {"SpecialToken": {"id": names[1], "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    )
    content["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [bos, text],
        "pair": [bos, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {names[1]: {"id": names[1], "ids": [1], "tokens": [names[1]]}},
    }
    (target / "tokenizer.json").write_text(json.dumps(content))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": names[1],
        "eos_token": names[0],
        "pad_token": names[0],
        "model_max_length": 512,
    }
    (target / "tokenizer_config.json").write_text(json.dumps(settings))
    (target / "chat_template.jinja").unlink(missing_ok=True)
