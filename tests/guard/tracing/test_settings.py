"""Generations, judged by their effective settings and by the seed of the generator that samples."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

import guard
from cleanguard.settings.config import Settings
from tests.guard.tracing.conftest import Codes

Pair = tuple[Any, Any]


def ask(pair: Pair, **given: Any) -> Any:
    model, tokenizer = pair
    return model.generate(
        **tokenizer("2 plus 2 is", return_tensors="pt"), max_new_tokens=1, **given
    )


@pytest.fixture
def shipped(edited: Any) -> Pair:
    """A model whose repository brings sampling settings."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = edited(
        generation_config={"do_sample": True, "temperature": 0.6, "repetition_penalty": 1.1}
    )
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("given", "inherited"),
    [
        ({}, "do_sample=True, temperature=0.6, repetition_penalty=1.1"),
        ({"do_sample": False}, "repetition_penalty=1.1"),
        ({"do_sample": False, "repetition_penalty": 1.0}, None),
        ({"generation_config": GenerationConfig(do_sample=False)}, "repetition_penalty=1.1"),
    ],
    ids=["nothing said", "greedy", "all said", "a config"],
)
def test_settings_of_the_repository_are_told(
    shipped: Pair, given: dict[str, Any], inherited: str | None
) -> None:
    torch.manual_seed(0)
    with guard.traced(Settings(select=("CG303",))) as run:
        ask(shipped, **given)
    assert [finding.message.split(" came")[0] for finding in run.findings] == (
        [inherited] if inherited else []
    )


def test_what_the_script_set_on_the_model_is_its_own(edited: Any, codes: Codes) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = edited(generation_config={"repetition_penalty": 1.1})

    def work() -> None:
        model = AutoModelForCausalLM.from_pretrained(folder)
        model.generation_config.repetition_penalty = 1.2
        ask((model, AutoTokenizer.from_pretrained(folder)))

    assert codes(work) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"do_sample": False, "temperature": 0.7}, True),
        ({"do_sample": False, "top_p": 0.9}, True),
        ({"do_sample": False, "temperature": 1.0}, False),
        ({"generation_config": GenerationConfig(do_sample=False, temperature=0.7)}, True),
        ({"do_sample": False}, False),
    ],
    ids=["temperature", "top_p", "neutral", "in a config", "greedy"],
)
def test_settings_that_greedy_decoding_ignores(
    qwen: Pair, codes: Codes, given: dict[str, Any], told: bool
) -> None:
    assert codes(lambda: ask(qwen, **given)) == (["CG303"] if told else [])


def sample(pair: Pair) -> Any:
    return ask(pair, do_sample=True)


def test_only_a_seed_of_the_generator_that_samples_counts(qwen: Pair, codes: Codes) -> None:
    def others() -> None:
        torch.seed()
        random.seed(1)
        torch.Generator().manual_seed(1)
        sample(qwen)
        torch.manual_seed(1)

    assert codes(others) == ["CG304"], "a seed behind the generation does not reach it"

    def seeded() -> None:
        torch.manual_seed(1)
        sample(qwen)
        sample(qwen)

    assert codes(seeded) == []


def test_a_raw_generation_and_its_loads_are_told(tiny_dir: Any, codes: Codes) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    def work() -> None:
        pair = (
            AutoModelForCausalLM.from_pretrained(tiny_dir),
            AutoTokenizer.from_pretrained(tiny_dir),
        )
        ask(pair)

    assert sorted(codes(work, select=("CG1", "CG3"))) == ["CG101", "CG102", "CG301"]


def test_chat_models_are_left_alone_unless_asked(edited: Any, codes: Codes) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = edited(generation_config={"eos_token_id": [0, 2]})

    def work() -> None:
        pair = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        ask(pair)

    assert codes(work, select=("CG301",)) == []
    assert codes(work, select=("CG301",), scope="all") == ["CG301"]
    assert codes(work, select=("CG101",), base_models=(str(folder),)) == ["CG101"]


def test_beams_and_assistants_are_seen_once(qwen: Pair, codes: Codes) -> None:
    model, tokenizer = qwen
    with guard.traced() as run:
        ask(qwen, num_beams=2, num_return_sequences=2)
        ask(qwen, assistant_model=model)
    del tokenizer
    assert len(run.seen.generations) == 2


def test_a_config_that_began_as_the_models_own_chose_nothing(edited: Any, codes: Codes) -> None:
    import copy

    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = edited(generation_config={"do_sample": True, "temperature": 0.6})
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def work() -> None:
        model = AutoModelForCausalLM.from_pretrained(folder)
        config = copy.deepcopy(model.generation_config)
        config.do_sample = False
        model.generate(**tokenizer("a", return_tensors="pt"), generation_config=config)

    def chosen() -> None:
        model = AutoModelForCausalLM.from_pretrained(folder)
        config = copy.deepcopy(model.generation_config)
        config.do_sample, config.temperature = False, 0.9
        model.generate(**tokenizer("a", return_tensors="pt"), generation_config=config)

    def greedy() -> None:
        model = AutoModelForCausalLM.from_pretrained(folder)
        encoded = tokenizer("a", return_tensors="pt")
        model.generate(**encoded, do_sample=False, temperature=0.0, max_new_tokens=2)

    assert codes(work) == []
    assert codes(greedy) == []
    assert codes(chosen) == ["CG303"]
