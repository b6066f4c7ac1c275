"""Small models under the names of published ones, for benchmarks/oracle.py."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.standing import is_not_causal, last_part, standing_of
from stages.tiny import model_path

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_WITH_BOS = ("llama3", "gemma", "mistral", "llama2", "deepseek")
# Families that share a tokenizer's kind; a byte-level one without BOS stands for those that are not here.
_ALIKE = {"qwen": "qwen2", "qwen3": "qwen2", "smollm": "qwen2"}
_KINDS = ("qwen2", "llama3", "llama2", "gemma", "mistral", "deepseek")
_ARCHITECTURES = {
    "qwen2": "Qwen2",
    "llama3": "Llama",
    "llama2": "Llama",
    "deepseek": "Llama",
    "mistral": "Mistral",
    "gemma": "Gemma",
}
# What the publishers put into generation_config.json.
_SAMPLES = {"do_sample": True, "temperature": 0.6, "top_p": 0.9}
_GENERATION: Mapping[str, Mapping[str, Any]] = {
    "llama2": _SAMPLES,
    "llama2-chat": _SAMPLES,
    "llama3": _SAMPLES,
    "llama3-chat": _SAMPLES,
    "qwen2-chat": {
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "repetition_penalty": 1.05,
    },
}
_ADAPTER = re.compile(r"lora|adapter|guanaco-\d+b$|qlora", re.IGNORECASE)
_HUB_NAME = re.compile(r"(?=.*[A-Za-z])[\w.-]+(?:/[\w.-]+)?")


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
            "WANDB_DISABLED": "true",
        }

    def described(self) -> str:
        """Which tokenizer stood for how many ids."""
        kinds = sorted(set(self._laid.values()))
        names = [f"{kind} ({list(self._laid.values()).count(kind)})" for kind in kinds]
        return ", ".join(names) or "none"

    def lay(self, model_id: str) -> None:
        """Put a small model of an id's family into the cache; of a kind without BOS where none is known."""
        if model_id in self._laid or is_not_causal(model_id) or not _HUB_NAME.fullmatch(model_id):
            return
        family = family_of(model_id)
        if family is None and standing_of(model_id) == "unknown" and "/" not in model_id:
            return
        if _ADAPTER.search(model_id):
            self._lay_adapter(model_id)
            return
        name = family.name if family else "none"
        kind = self.as_family or _ALIKE.get(name, name)
        kind = kind if kind in _KINDS else "gpt2"
        real = self._tokenizer_of(kind, model_id)
        bos = (self.as_family or "") in _WITH_BOS or (family is not None and family.bos == "one")
        source = self._model(kind, real, bos=bos)
        repository = self.cache / ("models--" + model_id.replace("/", "--"))
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(_COMMIT)
        shutil.copytree(source, repository / "snapshots" / _COMMIT)
        self._laid[model_id] = "embedded" if real is None else real.name

    def _lay_adapter(self, model_id: str) -> None:
        """A LoRA of random weights for the Llama-like model."""
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        base = self._model("llama2", self._tokenizer_of("llama2", "llama-7b"), bos=True)
        wanted = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"])
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), wanted)
        repository = self.cache / ("models--" + model_id.replace("/", "--"))
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text(_COMMIT)
        model.save_pretrained(repository / "snapshots" / _COMMIT)
        self._laid[model_id] = "adapter"

    def _tokenizer_of(self, kind: str, model_id: str) -> Path | None:
        if self.tokenizers is None:
            return None
        names = [kind]
        if standing_of(model_id) == "chat":
            names = [f"{last_part(model_id).split('-')[0]}-chat", f"{kind}-chat", kind]
        found = [self.tokenizers / name for name in names]
        return next((folder for folder in found if folder.is_dir()), None)

    def _model(self, kind: str, tokenizer: Path | None, *, bos: bool) -> Path:
        key = f"{kind if tokenizer is None else tokenizer.name}-{tokenizer is not None}-{bos}"
        if key not in self._built:
            target = self.cache / "built" / key
            if tokenizer is not None:
                _random_model(kind, tokenizer, target)
            elif bos:
                _with_bos(target)
            else:
                shutil.copytree(model_path(), target)
            self._built[key] = target
        return self._built[key]


def _random_model(kind: str, tokenizer_folder: Path, target: Path) -> None:
    """A model of random weights with the vocabulary of a tokenizer, in its family's architecture."""
    import torch
    import transformers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    torch.manual_seed(0)
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if kind in _ARCHITECTURES:
        name = _ARCHITECTURES[kind]
        config = getattr(transformers, f"{name}Config")(
            **ids,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            max_position_embeddings=4096,
            tie_word_embeddings=True,
        )
    else:
        name = "GPT2LMHead"
        config = transformers.GPT2Config(**ids, n_embd=64, n_layer=2, n_head=4, n_positions=2048)
    model_class = "GPT2LMHeadModel" if name == "GPT2LMHead" else f"{name}ForCausalLM"
    model = getattr(transformers, model_class)(config)
    for setting, value in _GENERATION.get(tokenizer_folder.name, {}).items():
        setattr(model.generation_config, setting, value)
    model.save_pretrained(target)
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
