"""vLLM as far as it can be seen: at the door of its engine, here with a stand-in of the same signature."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import guard
from cleanguard.settings.config import Settings

ENGINE = '''
from types import SimpleNamespace


class LLM:
    """Encodes as vLLM does, with the tokenizer's special tokens, and answers one id."""

    def __init__(self, model, *, tokenizer=None, **kwargs):
        self.tokenizer = tokenizer

    def get_default_sampling_params(self):
        return SimpleNamespace(temperature=0.6, top_p=0.9, seed=None)

    def generate(self, prompts, sampling_params=None, *, use_tqdm=True):
        found = []
        for prompt in prompts:
            given = isinstance(prompt, dict)
            ids = prompt["prompt_token_ids"] if given else self.tokenizer(prompt)["input_ids"]
            answer = SimpleNamespace(token_ids=[7])
            text = None if given else prompt
            found.append(SimpleNamespace(prompt=text, prompt_token_ids=ids, outputs=[answer]))
        return found
'''


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module of the name and place of vLLM's."""
    folder = tmp_path / "vllm" / "entrypoints"
    folder.mkdir(parents=True)
    for path in (folder.parent, folder):
        (path / "__init__.py").write_text("")
    (folder / "llm.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
        del sys.modules[name]


def run(tokenizer: Any, prompts: list[Any], params: Any) -> guard.Traced:
    torch.seed()  # another test may have set one
    with guard.traced(Settings(select=("CG2", "CG3"))) as run:
        tokenizer("warm")
        from vllm.entrypoints.llm import LLM  # type: ignore[import-not-found]

        llm = LLM(model="meta-llama/Llama-3.1-8B", tokenizer=tokenizer)
        llm.generate(prompts, params)
    return run


def test_prompts_and_outputs_are_seen_at_the_door(engine: Path, llama: tuple[Any, Any]) -> None:
    params = SimpleNamespace(temperature=0.0, seed=None)
    found = run(llama[1], ["plain", llama[1].bos_token + "twice"], params)
    (generate,) = found.seen.generations
    assert generate.engine == "vllm"
    assert generate.texts[0] == "plain"
    assert generate.output == ((7,), (7,))
    assert [finding.code for finding in found.findings] == ["CG202"]
    assert any("vLLM's engine is out of sight" in said for said in found.gathered.unseen)


@pytest.mark.parametrize(
    ("params", "codes"),
    [
        (None, ["CG303", "CG304"]),
        (SimpleNamespace(temperature=0.7, seed=None), ["CG304"]),
        (SimpleNamespace(temperature=0.7, seed=3), []),
        (SimpleNamespace(temperature=0.0, seed=None), []),
    ],
    ids=["none given", "no seed", "seeded", "greedy"],
)
def test_settings_and_seeds(
    engine: Path, llama: tuple[Any, Any], params: Any, codes: list[str]
) -> None:
    found = run(llama[1], ["plain"], params)
    assert [finding.code for finding in found.findings] == codes


def test_token_ids_without_bos_are_told(engine: Path, llama: tuple[Any, Any]) -> None:
    ids = llama[1]("plain", add_special_tokens=False)["input_ids"]
    params = SimpleNamespace(temperature=0.0, seed=None)
    found = run(llama[1], [{"prompt_token_ids": ids}], params)
    assert [finding.code for finding in found.findings] == ["CG201"]
