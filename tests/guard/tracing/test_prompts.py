"""Prompts, judged by their ids: BOS, control tokens, templates, padding, cuts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import guard
from cleanguard.settings.config import Settings
from tests.guard.tracing.conftest import Codes

Pair = tuple[Any, Any]
LONG = "one two three four five six seven eight"


def generate(model: Any, batch: Any, **more: Any) -> Any:
    ids = batch["input_ids"]
    return model.generate(ids, attention_mask=batch["attention_mask"], max_new_tokens=1, **more)


def test_a_plain_prompt_is_clean_in_both_families(qwen: Pair, llama: Pair, codes: Codes) -> None:
    for model, tokenizer in (qwen, llama):
        assert codes(lambda: generate(model, tokenizer("A plain text.", return_tensors="pt"))) == []  # noqa: B023


@pytest.mark.parametrize(
    "road",
    [
        lambda tok, text: tok(text, add_special_tokens=False, return_tensors="pt")["input_ids"],
        lambda tok, text: tok.encode(text, add_special_tokens=False, return_tensors="pt"),
        lambda tok, text: torch.tensor([tok.convert_tokens_to_ids(tok.tokenize(text))]),
        lambda tok, text: tok(text, return_tensors="pt")["input_ids"][:, 1:],
    ],
    ids=["call", "encode", "tokens", "sliced"],
)
def test_a_lost_bos_is_told_by_ids(llama: Pair, qwen: Pair, codes: Codes, road: Any) -> None:
    model, tokenizer = llama
    assert codes(lambda: model.generate(road(tokenizer, LONG), max_new_tokens=1)) == ["CG201"]
    assert codes(lambda: model(road(tokenizer, LONG))) == ["CG201"]
    model, tokenizer = qwen
    assert codes(lambda: model(road(tokenizer, LONG))) == [], "there is no BOS to lose"


def test_add_bos_token_switched_off_later_is_told(llama: Pair, codes: Codes) -> None:
    model, tokenizer = llama

    def work() -> None:
        generate(model, tokenizer(LONG, return_tensors="pt"))
        bare = tokenizer(LONG, add_special_tokens=False)["input_ids"]
        context = tokenizer("Q:")["input_ids"]
        model(torch.tensor([context + bare]))

    assert codes(work) == [], "a continuation behind its context needs no BOS of its own"


@pytest.mark.parametrize(
    "prompt",
    [
        lambda tok: tok.bos_token + "text",
        lambda tok: f"{tok.bos_token}text",
        lambda tok: tok.decode([tok.bos_token_id]) + "text",
        lambda tok: "{}text".format(tok.bos_token),  # noqa: UP032
    ],
    ids=["plus", "f-string", "decode", "format"],
)
def test_a_doubled_bos_is_told_however_it_came(llama: Pair, codes: Codes, prompt: Any) -> None:
    model, tokenizer = llama
    text = prompt(tokenizer)
    assert codes(lambda: generate(model, tokenizer(text, return_tensors="pt"))) == ["CG202"]
    bare = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    assert codes(lambda: generate(model, bare)) == []


def test_the_evidence_is_ids_and_text_at_the_tokenizers_line(llama: Pair) -> None:
    model, tokenizer = llama
    with guard.traced(Settings(select=("CG202",))) as run:
        batch = tokenizer(tokenizer.bos_token + "some text", return_tensors="pt")
        generate(model, batch)

    (finding,) = run.findings
    lines = Path(__file__).read_text().splitlines()
    assert "batch = tokenizer(" in lines[finding.location.row - 1]
    first = batch["input_ids"][0, 0].item()
    assert f"[{first}, {first}, " in finding.message
    assert "<|begin_of_text|><|begin_of_text|>some text" in finding.message


def test_control_tokens_in_data_are_told(qwen: Pair, codes: Codes) -> None:
    model, tokenizer = qwen
    data = ["plain", "<|im_start|>user\nHi<|im_end|>"]

    def work() -> None:
        for text in data:
            generate(model, tokenizer(text, return_tensors="pt"))

    assert codes(work) == ["CG204"]
    kept = tokenizer(data[1], split_special_tokens=True, return_tensors="pt")
    assert codes(lambda: generate(model, kept)) == [], "written out, they are plain text"


def test_padding_tokens_are_no_control_tokens(qwen: Pair, codes: Codes) -> None:
    model, tokenizer = qwen
    batch = tokenizer(["a", LONG], padding=True, padding_side="left", return_tensors="pt")
    assert codes(lambda: generate(model, batch)) == []


@pytest.mark.parametrize("tokenize", [True, False])
def test_a_template_is_told_once_a_base_model_reads_it(
    qwen: Pair, codes: Codes, tokenize: bool
) -> None:
    model, tokenizer = qwen
    talk = [{"role": "user", "content": "Hi."}]

    def ask() -> None:
        made = tokenizer.apply_chat_template(talk, tokenize=tokenize, return_tensors="pt")
        generate(model, made if tokenize else tokenizer(made, return_tensors="pt"))

    assert codes(ask) == ["CG203"]
    assert codes(lambda: tokenizer.apply_chat_template(talk, tokenize=False)) == [], "not read"


def test_a_chat_model_may_have_its_template(
    qwen: Pair, codes: Codes, edited: Callable[..., Path]
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = edited(tokenizer_config={"eos_token": "<|im_end|>"})
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    talk = [{"role": "user", "content": "Hi."}]

    def ask() -> None:
        text = tokenizer.apply_chat_template(talk, tokenize=False)
        generate(model, tokenizer(text, return_tensors="pt"))

    assert codes(ask) == []


@pytest.mark.parametrize(
    ("given", "cut"),
    [
        ({"truncation": True, "max_length": 3}, True),
        ({"max_length": 3}, True),
        ({"truncation": True, "max_length": 50}, False),
        ({"truncation": True}, False),
    ],
    ids=str,
)
def test_a_cut_prompt_is_told_where_something_was_lost(
    qwen: Pair, codes: Codes, given: dict[str, Any], cut: bool
) -> None:
    model, tokenizer = qwen
    batch: list[Any] = []

    def ask() -> None:
        batch.append(tokenizer(LONG, return_tensors="pt", **given))
        generate(model, batch[0])

    assert codes(ask) == (["CG205"] if cut else [])
    assert tokenizer.backend_tokenizer.truncation == tokenizer.backend_tokenizer.truncation


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("masked", [True, False])
def test_padding_is_told_by_mask_and_ids(qwen: Pair, codes: Codes, side: str, masked: bool) -> None:
    model, tokenizer = qwen

    def ask() -> None:
        batch = tokenizer(["a", LONG], padding=True, padding_side=side, return_tensors="pt")
        mask = batch["attention_mask"] if masked else torch.ones_like(batch["input_ids"])
        model.generate(batch["input_ids"], attention_mask=mask, max_new_tokens=1)

    assert codes(ask) == ([] if side == "left" and masked else ["CG302"])


def test_a_side_set_later_does_not_reach_an_earlier_use(qwen: Pair, codes: Codes) -> None:
    model, tokenizer = qwen

    def ask() -> None:
        batch = tokenizer(["a", LONG], padding=True, return_tensors="pt")
        generate(model, batch)
        tokenizer.padding_side = "left"
        generate(model, tokenizer(["a", LONG], padding=True, return_tensors="pt"))

    with guard.traced(Settings(select=("CG302",))) as run:
        ask()
    (finding,) = run.findings
    assert "seen" not in finding.message
    del codes


def test_a_batch_of_equal_lengths_on_the_right_is_clean(qwen: Pair, codes: Codes) -> None:
    model, tokenizer = qwen
    batch = tokenizer(["a b", "c d"], padding=True, padding_side="right", return_tensors="pt")
    assert codes(lambda: generate(model, batch)) == []


def test_asking_the_tokenizer_leaves_its_state_alone(llama: Pair) -> None:
    model, tokenizer = llama
    backend = tokenizer.backend_tokenizer
    with guard.traced():
        batch = tokenizer(LONG, truncation=True, max_length=3, return_tensors="pt")
        generate(model, batch)
        kept = backend.truncation
    assert kept is not None
    assert kept["max_length"] == 3


def test_ids_of_nobodys_tokenizer_are_said_to_be_unjudged(llama: Pair) -> None:
    model, _ = llama
    with guard.traced() as run:
        model.generate(torch.tensor([[5, 6]]), max_new_tokens=1)
    assert any("could not be tied to a tokenizer" in what for what in run.gathered.unseen)


def test_a_guarded_generation_is_clean(tiny: guard.Loaded, codes: Codes) -> None:
    model, tokenizer, _ = tiny
    prompts = ["2 plus 2 is", "3 plus 3 is 6. 1 plus 1 is"]
    work: Callable[[], Any] = lambda: guard.CleanModelLoader.generate_batch(  # noqa: E731
        model, tokenizer, prompts, max_new_tokens=2
    )
    assert codes(work, select=("ALL",)) == []


def test_padding_without_its_mask_hides_no_bos(llama: Pair, codes: Codes) -> None:
    """The pads are told as CG302; the BOS behind them is there."""
    model, tokenizer = llama
    tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "left"

    def work() -> None:
        batch = tokenizer(["a", "a b c d"], padding=True, return_tensors="pt")
        model.generate(batch["input_ids"], max_new_tokens=2, do_sample=False)

    assert codes(work) == ["CG302"]
