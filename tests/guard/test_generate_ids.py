"""`generate_ids`: what the library's `generate` gives for the same ids, with every setting said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LogitsProcessor, TextStreamer

from guard import CleanModelLoader
from guard.errors import (
    ContaminationError,
    GuardError,
    LoaderCallError,
    MissingBosError,
    PaddingError,
    SettingsError,
    TruncatedPromptError,
    UnguardedModelError,
)

ROWS = torch.tensor([[5, 6, 7, 8, 9, 10], [0, 0, 11, 12, 13, 14]])
MASK = torch.tensor([[1] * 6, [0, 0, 1, 1, 1, 1]])


@pytest.fixture(scope="module")
def pair(tiny_dir: Path) -> tuple[Any, Any, Any]:
    plain = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32).eval()
    own = plain.generation_config
    plain.generation_config = GenerationConfig(
        eos_token_id=own.eos_token_id, pad_token_id=own.pad_token_id
    )
    model, tokenizer, _ = CleanModelLoader(tiny_dir, dtype="float32").load()
    return plain, model, tokenizer


class Barred(LogitsProcessor):
    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, ::2] = float("-inf")
        return scores


@pytest.mark.parametrize(
    "settings",
    [
        {"max_new_tokens": 7},
        {"max_length": 11},
        {"max_new_tokens": 7, "num_beams": 3, "num_return_sequences": 2},
        {"max_new_tokens": 7, "min_new_tokens": 4},
        {"max_new_tokens": 7, "min_length": 10},
        {"max_new_tokens": 7, "repetition_penalty": 1.5, "no_repeat_ngram_size": 2},
        {"max_new_tokens": 7, "bad_words_ids": [[8], [9, 10]]},
        {"max_new_tokens": 7, "eos_token_id": [40, 41], "pad_token_id": 3},
        {"max_new_tokens": 7, "eos_token_id": list(range(40, 90))},
        {"max_new_tokens": 7, "use_cache": False},
        {"max_new_tokens": 7, "logits_processor": [Barred()]},
        {"max_new_tokens": 7, "stopping_criteria": [lambda ids, _scores, **_: ids[:, -1] % 2 == 0]},
        {"max_new_tokens": 7, "prefix_allowed_tokens_fn": lambda _row, _ids: list(range(20, 60))},
    ],
    ids=lambda given: "-".join(given),
)
def test_the_same_ids_as_the_librarys(settings: dict[str, Any], pair: tuple[Any, Any, Any]) -> None:
    plain, model, _ = pair
    expected = plain.generate(ROWS, attention_mask=MASK, **{"do_sample": False, **settings})
    found = CleanModelLoader.generate_ids(model, ROWS, attention_mask=MASK, **settings)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("said", "settings"),
    [
        ({"num_beams": 3, "temperature": 0.1, "top_p": 0.0}, {"max_new_tokens": 5}),
        ({"max_new_tokens": 5, "repetition_penalty": 1.4}, {"repetition_penalty": None}),
        ({"max_new_tokens": 9, "num_beams": 3}, {"max_new_tokens": 5, "num_beams": 1}),
        ({"max_length": 10, "pad_token_id": 3, "eos_token_id": [40, 41]}, {}),
    ],
)
def test_a_config_means_what_it_means_to_transformers(
    said: dict[str, Any], settings: dict[str, Any], pair: tuple[Any, Any, Any]
) -> None:
    plain, model, _ = pair
    expected = plain.generate(
        ROWS, attention_mask=MASK, generation_config=GenerationConfig(**said), **settings
    )
    found = CleanModelLoader.generate_ids(
        model, ROWS, MASK, generation_config=GenerationConfig(**said), **settings
    )
    assert torch.equal(found, expected)


def test_what_a_config_samples_with(pair: tuple[Any, Any, Any]) -> None:
    _, model, _ = pair
    config = GenerationConfig(do_sample=True, temperature=9.0, max_new_tokens=8)
    asked = {"do_sample": True, "temperature": 9.0, "max_new_tokens": 8, "seed": 3}
    found = CleanModelLoader.generate_ids(model, ROWS, MASK, generation_config=config, seed=3)
    for said, same in (
        ({}, True),
        ({"top_k": 50}, True),
        ({"top_k": 0}, False),
        ({"top_k": None}, False),
    ):
        again = CleanModelLoader.generate_ids(model, ROWS, MASK, **said, **asked)
        assert torch.equal(found, again) == same


def test_temperature_alone_does_not_sample(pair: tuple[Any, Any, Any]) -> None:
    _, model, _ = pair
    greedy = CleanModelLoader.generate_ids(model, ROWS, MASK, max_new_tokens=8)
    found = CleanModelLoader.generate_ids(model, ROWS, MASK, max_new_tokens=8, temperature=9.0)
    assert torch.equal(found, greedy)


def test_more_than_ids(pair: tuple[Any, Any, Any]) -> None:
    plain, model, _ = pair
    asked = {
        "max_new_tokens": 4,
        "return_dict_in_generate": True,
        "output_scores": True,
        "output_logits": True,
    }
    expected = plain.generate(ROWS, attention_mask=MASK, do_sample=False, **asked)
    found = CleanModelLoader.generate_ids(model, ROWS, MASK, **asked)
    assert torch.equal(found.sequences, expected.sequences)
    for name in ("scores", "logits"):
        pairs = zip(getattr(found, name), getattr(expected, name), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    with pytest.raises(SettingsError, match="output_logits"):
        CleanModelLoader.generate_ids(model, ROWS, MASK, do_sample=True, **asked)


def test_a_config_that_asks_for_more(pair: tuple[Any, Any, Any]) -> None:
    config = GenerationConfig(max_new_tokens=3, penalty_alpha=0.4)
    with pytest.raises(SettingsError, match="penalty_alpha"):
        CleanModelLoader.generate_ids(pair[1], ROWS, generation_config=config)


def test_settings_of_the_model_do_not_leak(pair: tuple[Any, Any, Any]) -> None:
    _, model, _ = pair
    once = CleanModelLoader.generate_ids(model, ROWS[:1], max_new_tokens=6)
    again = CleanModelLoader.generate_ids(model, ROWS[:1], max_new_tokens=6, do_sample=False)
    assert torch.equal(once, again)
    model.train()
    assert torch.equal(CleanModelLoader.generate_ids(model, ROWS[:1], max_new_tokens=6), once)
    assert model.training
    model.eval()


def test_sampling_is_seeded_row_by_row(pair: tuple[Any, Any, Any]) -> None:
    _, model, _ = pair
    asked = {"do_sample": True, "temperature": 2.0, "max_new_tokens": 6, "num_return_sequences": 3}
    found = CleanModelLoader.generate_ids(model, ROWS, MASK, seed=4, **asked)
    assert found.shape[0] == 6
    assert torch.equal(found, CleanModelLoader.generate_ids(model, ROWS, MASK, seed=4, **asked))
    assert len({tuple(row) for row in found.tolist()}) > 3
    alone = CleanModelLoader.generate_ids(model, ROWS[:1], seed=4, **asked)
    assert torch.equal(found[:3, : alone.shape[1]], alone)
    text = model.config.vocab_size  # every processor of the script's own comes before sampling
    barred = CleanModelLoader.generate_ids(
        model,
        ROWS,
        MASK,
        seed=4,
        logits_processor=[Barred()],
        **{**asked, "eos_token_id": text - 1},
    )
    assert bool((barred[:, 6:] % 2 == 1).all())


def test_the_prompt_is_what_text_gives(pair: tuple[Any, Any, Any]) -> None:
    _, model, tokenizer = pair
    encoded = CleanModelLoader.encode(tokenizer, ["one two", "three four five six"])
    found = CleanModelLoader.generate_ids(model, **encoded, max_new_tokens=5)
    new = found[:, encoded["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(new, skip_special_tokens=True)
    asked = CleanModelLoader.generate_batch(
        model, tokenizer, ["one two", "three four five six"], max_new_tokens=5
    )
    assert texts == asked


def test_a_streamer_gets_the_text(
    pair: tuple[Any, Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    _, model, tokenizer = pair
    found = CleanModelLoader.generate_ids(
        model, ROWS[:1], max_new_tokens=5, streamer=TextStreamer(tokenizer)
    )
    assert tokenizer.decode(found[0]) in capsys.readouterr().out


def test_strings_that_stop(pair: tuple[Any, Any, Any]) -> None:
    plain, model, tokenizer = pair
    text = tokenizer.decode(plain.generate(ROWS[:1], max_new_tokens=8, do_sample=False)[0, 8:10])
    asked = {"max_new_tokens": 8, "stop_strings": [text]}
    expected = plain.generate(ROWS[:1], do_sample=False, tokenizer=tokenizer, **asked)
    found = CleanModelLoader.generate_ids(model, ROWS[:1], tokenizer=tokenizer, **asked)
    assert torch.equal(found, expected)
    with pytest.raises(SettingsError, match="pass tokenizer="):
        CleanModelLoader.generate_ids(model, ROWS[:1], **asked)


UNFIT = [
    None,
    ROWS.numpy(),
    ROWS[None],
    ROWS[:0],
    ROWS.short(),
    ROWS.byte(),
    ROWS.bool(),
    ROWS.to(torch.complex64),
    ROWS.to("meta"),
    ROWS.to_sparse(),
    torch.tensor([[5, 6, -100]]),
    torch.tensor([[5, 6, 10**6]]),
]
UNFIT_BESIDE: list[dict[str, Any]] = [
    *({"attention_mask": mask} for mask in ([[1] * 6] * 2, "1", MASK[0], MASK[:1], MASK[:, 1:])),
    *({"attention_mask": mask} for mask in (MASK * 2, MASK * 0.5, MASK.to("meta"), MASK / 0)),
    *({"token_type_ids": given} for given in (MASK, "a")),
    *({"generation_config": given} for given in ({"max_new_tokens": 2}, 3)),
    *({"logits_processor": given} for given in (3, lambda ids, scores: scores, [3], [None])),
    *({"stopping_criteria": given} for given in (3, lambda ids, scores: True, [3])),
    *({"streamer": given} for given in (3, object())),
    *({"min_length": given} for given in ("a", 2.5, -1)),
    *({"bad_words_ids": given} for given in ("a", [], [3], [[]], [[-1]], [[10**6]])),
    *({"suppress_tokens": given} for given in ("ab", 3, [1.5])),
    *({"sequence_bias": given} for given in ("a", {}, {3: 1.0}, {(10**6,): 1.0}, {(3,): "a"})),
    *({"max_time": given} for given in ("a", -1)),
    *({"prefix_allowed_tokens_fn": given} for given in (3, lambda row, ids: [])),
    *({"prefix_allowed_tokens_fn": given} for given in (lambda *_: None, lambda *_: [10**6])),
    *({"synced_gpus": given} for given in (True, "a")),
    *({name: "yes"} for name in ("remove_invalid_values", "return_dict_in_generate")),
    {"stop_strings": "a", "tokenizer": 3},
]


@pytest.mark.parametrize(
    ("ids", "given", "error"),
    [
        (ROWS[0], {"max_new_tokens": 2}, SettingsError),
        ([[5, 6]], {"max_new_tokens": 2}, SettingsError),
        (torch.zeros(1, 0, dtype=torch.long), {"max_new_tokens": 2}, SettingsError),
        (torch.rand(1, 4), {"max_new_tokens": 2}, SettingsError),
        (ROWS, {}, SettingsError),
        (ROWS, {"max_new_tokens": 2, "skip_special_tokens": True}, LoaderCallError),
        (ROWS[:1], {"max_length": 6}, TruncatedPromptError),
        (ROWS, {"max_new_tokens": 2, "num_beams": 2, "streamer": object()}, SettingsError),
        (ROWS.flip(1), {"max_new_tokens": 2, "attention_mask": MASK.flip(1)}, PaddingError),
        *((ids, {"max_new_tokens": 2}, SettingsError) for ids in UNFIT),
        *(
            (ROWS, {"max_new_tokens": 2, "attention_mask": MASK, **given}, SettingsError)
            for given in UNFIT_BESIDE
        ),
    ],
)
def test_what_is_refused(
    ids: Any, given: dict[str, Any], error: type[GuardError], pair: tuple[Any, Any, Any]
) -> None:
    with pytest.raises(error):
        CleanModelLoader.generate_ids(pair[1], ids, **given)


def test_a_streamer_shows_one_text(pair: tuple[Any, Any, Any]) -> None:
    _, model, tokenizer = pair
    with pytest.raises(SettingsError, match="2 rows"):
        CleanModelLoader.generate_ids(
            model, ROWS, MASK, max_new_tokens=2, streamer=TextStreamer(tokenizer)
        )


def test_none_switches_off(pair: tuple[Any, Any, Any]) -> None:
    """As in transformers, where a keyword's None is more than a keyword that is not there."""
    plain, model, _ = pair
    ends = list(range(40, 90))
    given: list[dict[str, Any]] = [
        {"eos_token_id": None},
        {"eos_token_id": None, "generation_config": GenerationConfig(eos_token_id=ends)},
        {"pad_token_id": None, "eos_token_id": ends},
        {"generation_config": GenerationConfig(eos_token_id=ends, pad_token_id=3)},
    ]
    for settings in given:
        asked = {"max_new_tokens": 40, **settings}
        expected = plain.generate(ROWS, attention_mask=MASK, **asked)
        assert torch.equal(CleanModelLoader.generate_ids(model, ROWS, MASK, **asked), expected)


def test_a_model_of_somebody_else(pair: tuple[Any, Any, Any]) -> None:
    with pytest.raises(UnguardedModelError):
        CleanModelLoader.generate_ids(pair[0], ROWS, max_new_tokens=2)


def test_control_tokens_are_refused(pair: tuple[Any, Any, Any]) -> None:
    _, model, tokenizer = pair
    index = tokenizer.convert_tokens_to_ids("<|im_start|>")
    with pytest.raises(ContaminationError):
        CleanModelLoader.generate_ids(model, torch.tensor([[5, index, 6]]), max_new_tokens=2)


def test_rows_without_bos(llama_like: Callable[[bool], Path]) -> None:
    model, _, _ = CleanModelLoader(llama_like(True)).load()
    with pytest.raises(MissingBosError):
        CleanModelLoader.generate_ids(model, ROWS[:1], max_new_tokens=2)
    model, _, _ = CleanModelLoader(llama_like(True), allow_missing_bos=True).load()
    assert CleanModelLoader.generate_ids(model, ROWS[:1], max_new_tokens=2).shape == (1, 8)


def test_no_end_at_all(pair: tuple[Any, Any, Any]) -> None:
    _, model, _ = pair
    first = int(CleanModelLoader.generate_ids(model, ROWS[:1], max_new_tokens=1)[0, -1])
    asked = {"max_new_tokens": 5}
    assert CleanModelLoader.generate_ids(model, ROWS[:1], eos_token_id=first, **asked).shape[1] == 7
    assert CleanModelLoader.generate_ids(model, ROWS[:1], eos_token_id=[], **asked).shape[1] == 11


def test_no_end_and_nothing_to_fill_up_with(llama_like: Callable[[bool], Path]) -> None:
    """As in transformers, whose IndexError says less."""
    folder = llama_like(True)
    for name in ("config.json", "generation_config.json"):
        written = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**written, "pad_token_id": None}))
    model, _, _ = CleanModelLoader(folder, allow_missing_bos=True).load()
    with pytest.raises(SettingsError, match="nothing names a pad token"):
        CleanModelLoader.generate_ids(model, ROWS[:1], eos_token_id=[], max_new_tokens=2)
    made = CleanModelLoader.generate_ids(
        model, ROWS[:1], eos_token_id=[], pad_token_id=0, max_new_tokens=2
    )
    assert made.shape == (1, 8)
