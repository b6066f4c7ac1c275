"""A vllm that takes what the tables of vLLM's own sources allow, and nothing else; what it writes and
says comes from the embedded model, asked with the ids that it was given.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

TABLES: dict[str, Any] = json.loads(Path(__file__).with_name("vllm_signatures.json").read_text())


def only(title: str, given: Any) -> None:
    unknown = set(given) - set(TABLES[title])
    assert not unknown, f"{title} of vLLM {TABLES['version']} has no {unknown}"


@dataclass
class Completed:
    token_ids: tuple[int, ...]


@dataclass
class Logprob:
    logprob: float


@dataclass
class Output:
    prompt_token_ids: list[int]
    outputs: list[Completed]
    prompt_logprobs: list[dict[int, Logprob] | None] | None = None


class SamplingParams:
    def __init__(self, **given: Any) -> None:
        only("SamplingParams", given)
        self.given = given


def tokens_prompt(**given: Any) -> dict[str, Any]:
    only("TokensPrompt", given)
    return given


class LLM:
    made: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[tuple[list[dict[str, Any]], list[SamplingParams]]]] = []

    def __init__(self, model: str, **given: Any) -> None:
        known = {*TABLES["LLM.__init__"], *TABLES["EngineArgs"]}
        assert set(given) <= known, set(given) - known
        self.made.append({"model": model, **given})
        from transformers import AutoModelForCausalLM

        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=given["dtype"])

    def generate(self, prompts: Any, sampling_params: Any = None, **given: Any) -> list[Output]:
        import torch

        only("LLM.generate", given)
        self.asked.append((prompts, sampling_params))
        found = []
        for prompt, params in zip(prompts, sampling_params, strict=True):
            assert set(prompt) == {"prompt_token_ids"}, "text reached vLLM"
            ids = torch.tensor([prompt["prompt_token_ids"]])
            told = params.given.get("prompt_logprobs")
            if told:
                with torch.no_grad():
                    of_next = self._model(ids).logits[0].float().log_softmax(-1)
                each: list[dict[int, Logprob] | None] = [None]
                for row, own in zip(of_next, ids[0, 1:].tolist(), strict=False):
                    top = row.topk(told).indices.tolist()
                    each.append({one: Logprob(float(row[one])) for one in (*top, own)})
                found.append(Output(list(prompt["prompt_token_ids"]), [Completed((0,))], each))
                continue
            stop = params.given["stop_token_ids"]
            with torch.no_grad():
                row = self._model.generate(
                    ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0,
                    max_new_tokens=params.given["max_tokens"], eos_token_id=stop,
                )[0, ids.shape[1] :].tolist()  # fmt: skip
            found.append(Output(list(prompt["prompt_token_ids"]), [Completed(tuple(row))]))
        return found


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `import vllm` find the stand-in."""
    module = ModuleType("vllm")
    for name, value in {"LLM": LLM, "SamplingParams": SamplingParams, "TokensPrompt": tokens_prompt}.items():  # fmt: skip
        assert name in TABLES["vllm"]
        setattr(module, name, value)
    module.__version__ = TABLES["version"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    LLM.made, LLM.asked = [], []
