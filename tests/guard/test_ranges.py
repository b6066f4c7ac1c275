"""Every keyword of `generate` refuses what it cannot mean, before anything runs."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from guard import CleanModelLoader, Loaded
from guard.errors import SettingsError
from guard.settings.ranges import RULED, in_range
from guard.settings.settled import GENERATION_KEYWORDS, settle

WRONG: dict[str, list[Any]] = {
    "max_new_tokens": [0, -1, 3.5, "3", True, 10**5000],
    "max_length": [0, "9", True],
    "min_new_tokens": [-1, 1.5, True],
    "num_beams": [0, 2.0],
    "num_return_sequences": [0, "2"],
    "no_repeat_ngram_size": [-1, "a"],
    "top_k": [-1, 1.5, "5", True],
    "pad_token_id": [-1, "a"],
    "eos_token_id": ["a", -1, [], ["a"], [1, -1], 1.0, 10**30, [1, 10**5000]],
    "seed": ["a", 1.5, True, 10**5000, 2**64, -(2**64)],
    "temperature": [-0.1, "0.5", math.nan, math.inf, True, 10**400, Fraction(10**400, 3)],
    "top_p": [0, -1, 1.01, "0.9", math.nan],
    "min_p": [-0.1, 1.1, "a"],
    "repetition_penalty": [0, -1, "a", math.inf],
    "length_penalty": ["a", math.nan],
    "early_stopping": ["always", 1],
    "stop_strings": [3, "", [""], ["a", 4], "\ud800", ["a", "b\udfff"]],
    "do_sample": ["no", 1, "False"],
    "use_cache": ["yes", 0],
    "skip_special_tokens": ["no"],
    "clean_up_tokenization_spaces": ["no"],
    "return_full_text": ["no", 1],
    "special_tokens": ["keep", True, 1],
}
CASES = [(name, value) for name, values in WRONG.items() for value in values]


def test_every_keyword_has_a_rule_and_wrong_values_here() -> None:
    assert RULED == GENERATION_KEYWORDS == WRONG.keys()


@pytest.mark.parametrize(("name", "value"), CASES, ids=[name for name, _ in CASES])
def test_a_value_that_means_nothing_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        settle("generate", {"max_new_tokens": 4, "temperature": 0.5, name: value})
    assert caught.value.args[0].startswith(f"{name}=")
    assert caught.value.remedy.startswith(f"{name} is ")


def test_numbers_of_numpy_become_pythons() -> None:
    found = in_range(
        {
            "max_new_tokens": np.int64(4),
            "temperature": np.float32(0.5),
            "eos_token_id": [np.int32(7)],
        }
    )
    assert found == {"max_new_tokens": 4, "temperature": 0.5, "eos_token_id": [7]}
    assert type(found["max_new_tokens"]) is int
    assert type(found["temperature"]) is float
    assert type(found["eos_token_id"][0]) is int


def test_numbers_in_tensors_and_whole_fractions_are_lengths() -> None:
    found = in_range(
        {"max_new_tokens": torch.tensor(4), "max_length": 10 / 2, "top_p": np.array(0.5)}
    )
    assert found == {"max_new_tokens": 4, "max_length": 5, "top_p": 0.5}
    assert type(found["max_length"]) is int
    with pytest.raises(SettingsError, match=r"num_beams=2\.0"):
        in_range({"num_beams": 2.0})


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64 - 1])
def test_a_seed_of_64_bits_is_one(tiny: Loaded, seed: int) -> None:
    options = {"max_new_tokens": 2, "temperature": 1.0, "seed": seed}
    assert CleanModelLoader.generate(tiny.model, tiny.tokenizer, "A dog", **options)


def test_an_end_beyond_the_embedding_is_refused(tiny: Loaded) -> None:
    rows = tiny.model.get_input_embeddings().weight.shape[0]
    options = {"max_new_tokens": 2}
    for wrong in (rows, [0, rows + 5]):
        with pytest.raises(SettingsError, match="eos_token_id="):
            CleanModelLoader.generate(
                tiny.model, tiny.tokenizer, "A dog", eos_token_id=wrong, **options
            )
        with pytest.raises(SettingsError, match="eos_token_id="):
            CleanModelLoader.stream(
                tiny.model, tiny.tokenizer, "A dog", eos_token_id=wrong, **options
            )
    assert CleanModelLoader.generate(
        tiny.model, tiny.tokenizer, "A dog", eos_token_id=rows - 1, **options
    )


def test_a_text_cannot_be_longer_than_it_may_get() -> None:
    with pytest.raises(SettingsError, match="min_new_tokens=9 with max_new_tokens=3"):
        settle("generate", {"max_new_tokens": 3, "min_new_tokens": 9})


def test_settings_of_beams_without_beams_are_told_and_not_passed_on(
    tiny: Loaded, caplog: pytest.LogCaptureFixture
) -> None:
    [done] = CleanModelLoader.complete(
        tiny.model, tiny.tokenizer, ["3 plus 4 is"],
        max_new_tokens=4, max_length=50, length_penalty=2.0, early_stopping=True,
    )  # fmt: skip
    assert done.ignored == ("length_penalty", "early_stopping", "max_length")
    assert "may be ignored" not in caplog.text


@pytest.mark.parametrize("prompts", ["3 plus 4 is", b"3 plus", {"a": "b"}, 5, None])
def test_a_batch_is_a_list(tiny: Loaded, prompts: Any) -> None:
    with pytest.raises(SettingsError, match="takes a list of prompts"):
        CleanModelLoader.generate_batch(tiny.model, tiny.tokenizer, prompts, max_new_tokens=2)


def test_a_batch_may_be_a_generator(tiny: Loaded) -> None:
    texts = ["3 plus 4 is", "2 plus 2 is"]
    found = CleanModelLoader.generate_batch(
        tiny.model, tiny.tokenizer, (text for text in texts), max_new_tokens=3
    )
    assert found == CleanModelLoader.generate_batch(
        tiny.model, tiny.tokenizer, texts, max_new_tokens=3
    )


def test_batch_size_is_a_whole_number(tiny: Loaded) -> None:
    for size in (0, True, 2.0, "8"):
        with pytest.raises(SettingsError, match="batch_size="):
            CleanModelLoader.generate_batch(
                tiny.model, tiny.tokenizer, ["a"], batch_size=size, max_new_tokens=2
            )
