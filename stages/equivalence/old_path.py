"""The path before migration, as the legacy scripts took it: unguarded on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.equivalence.config import EquivalenceConfig
from stages.models import ModelConfig, directory_of, placed


@dataclass(frozen=True, slots=True)
class Generated:
    """What a path made of one prompt: the ids that went in and those that came out, EOS included."""

    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]


class OldPath:
    """The model as the old code loaded and used it, without the guard.

    Attributes:
        tokenizer: Its tokenizer.
    """

    def __init__(self, config: EquivalenceConfig) -> None:
        self._config = config
        self._model, self.tokenizer = _load(config.model)
        self.tokenizer.padding_side = config.old.padding_side

    def answers(self, prompts: Sequence[str]) -> list[Generated]:
        """Answers in the order of the prompts."""
        import torch

        config, found = self._config, []
        for start in range(0, len(prompts), config.old.batch_size):
            encoded = _encoded(config, self.tokenizer, prompts[start : start + config.old.batch_size])  # fmt: skip
            batch = {name: tensor.to(self._model.device) for name, tensor in encoded.items()}
            with torch.no_grad():
                rows = self._model.generate(**batch, **_settings(config, self.tokenizer))
            found += _cut(batch, rows, self.tokenizer.eos_token_id)
        return found


def _load(config: ModelConfig) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    quantization = {
        "none": None,
        "int8": BitsAndBytesConfig(load_in_8bit=True) if config.quant == "int8" else None,
        "nf4": BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16 if config.dtype == "auto" else config.dtype,
        ) if config.quant == "nf4" else None,
    }[config.quant]  # fmt: skip
    shared = {"revision": config.revision, "local_files_only": config.local_files_only}
    where = str(directory_of(config))
    tokenizer = AutoTokenizer.from_pretrained(
        where, **shared
    )  # cleanguard: ignore[CG102] what is measured
    model = AutoModelForCausalLM.from_pretrained(  # cleanguard: ignore[CG101] what is measured
        where, dtype=config.dtype, device_map=placed(config), quantization_config=quantization,
        attn_implementation=config.attn_implementation, **shared,
    )  # fmt: skip
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


def _encoded(config: EquivalenceConfig, tokenizer: Any, prompts: Sequence[str]) -> dict[str, Any]:
    texts = list(prompts)
    if config.old.chat_template:
        texts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
            )
            for text in texts
        ]
    encoded = tokenizer(
        texts, return_tensors="pt", padding=True, add_special_tokens=config.old.add_special_tokens
    )
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}


def _settings(config: EquivalenceConfig, tokenizer: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "do_sample": False,
        "max_new_tokens": config.max_new_tokens,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if config.old.repetition_penalty is not None:
        given["repetition_penalty"] = config.old.repetition_penalty
    elif not config.old.own_settings:
        given["repetition_penalty"] = 1.0
    return given


def _cut(batch: dict[str, Any], rows: Any, eos: int | None) -> list[Generated]:
    found = []
    length = batch["input_ids"].shape[1]
    for ids, mask, row in zip(
        batch["input_ids"].tolist(), batch["attention_mask"].tolist(), rows[:, length:].tolist(),
        strict=True,
    ):  # fmt: skip
        end = row.index(eos) + 1 if eos in row else len(row)
        prompt = tuple(i for i, kept in zip(ids, mask, strict=True) if kept)
        found.append(Generated(prompt, tuple(row[:end])))
    return found
