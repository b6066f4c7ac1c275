from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList, pipeline

from guard import CleanModelLoader, Loaded, provenance_of, unguarded
from guard.errors import (
    ContaminationError,
    DoubledBosError,
    MissingBosError,
    PaddingError,
    SettingsError,
    TemplateOnBaseError,
    UnguardedModelError,
)

DIRTY = torch.tensor([[271, 1, 319, 2]])
CLEAN = torch.tensor([[271, 319, 269]])

ROADS: dict[str, Callable[[Any, torch.Tensor], Any]] = {
    "call": lambda model, ids: model(ids),
    "call by keyword": lambda model, ids: model(input_ids=ids),
    "forward": lambda model, ids: model.forward(ids),
    "inner model": lambda model, ids: model.model(input_ids=ids),
    "generate": lambda model, ids: model.generate(ids, max_new_tokens=1),
    "generate by keyword": lambda model, ids: model.generate(input_ids=ids, max_new_tokens=1),
    "class generate": lambda model, ids: type(model).generate(model, ids, max_new_tokens=1),
    "copy": lambda model, ids: copy.deepcopy(model)(ids),
    "copy's generate": lambda model, ids: copy.deepcopy(model).generate(ids, max_new_tokens=1),
    "moved": lambda model, ids: model.to("cpu")(ids),
    "training": lambda model, ids: copy.deepcopy(model).train()(ids, labels=ids).loss.backward(),
}


@pytest.mark.parametrize("road", ROADS)
def test_every_road_is_checked(tiny: Loaded, road: str) -> None:
    with pytest.raises(ContaminationError, match="im_start") as caught:
        ROADS[road](tiny.model, DIRTY)
    assert caught.value.evidence["hits"][0]["position"] == 1
    ROADS[road](tiny.model, CLEAN)


def test_a_prompt_of_one_control_token_is_caught_in_generate(tiny: Loaded) -> None:
    with pytest.raises(ContaminationError):
        tiny.model.generate(torch.tensor([[1]]), max_new_tokens=1)


def test_pipelines_are_checked(tiny: Loaded) -> None:
    pipe = pipeline("text-generation", model=tiny.model, tokenizer=tiny.tokenizer, device="cpu")
    assert pipe("The capital of France is", max_new_tokens=4)
    with pytest.raises(ContaminationError):
        pipe("<|im_start|>user\nhi", max_new_tokens=4)
    with pytest.raises(TemplateOnBaseError):
        pipe([{"role": "user", "content": "hi"}], max_new_tokens=4)


@pytest.mark.parametrize("cached", [True, False])
def test_control_tokens_that_the_model_emits_are_no_error(tiny: Loaded, cached: bool) -> None:
    def emit(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, 1] = 1e9
        return scores

    output = tiny.model.generate(
        CLEAN, max_new_tokens=4, use_cache=cached, logits_processor=LogitsProcessorList([emit])
    )
    assert output[0, 3:].tolist() == [1, 1, 1, 1]
    assert torch.equal(tiny.model(CLEAN).logits, tiny.model(CLEAN).logits)


def test_unguarded_lifts_for_its_block_and_is_recorded(fresh: Loaded) -> None:
    model = fresh.model
    with unguarded(model, reason="turn-end mass"):
        model(DIRTY)
        model.generate(DIRTY, max_new_tokens=1)
    with pytest.raises(ContaminationError):
        model(DIRTY)
    [event] = provenance_of(model).events
    assert (event.kind, event.detail) == ("unguarded", {"reason": "turn-end mass"})


def test_unguarded_holds_for_its_thread_only(fresh: Loaded) -> None:
    caught: list[BaseException] = []

    def other() -> None:
        try:
            fresh.model(DIRTY)
        except ContaminationError as error:
            caught.append(error)

    with unguarded(fresh.model, reason="test"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(caught) == 1


@pytest.mark.parametrize(
    "make", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
def test_lifting_the_guard_of_a_copy_leaves_the_original_guarded(
    fresh: Loaded, make: Callable[[Any], Any]
) -> None:
    twin = make(fresh.model)
    for one, other in ((twin, fresh.model), (fresh.model, twin)):
        before = provenance_of(other).events
        with unguarded(one, reason="test"):
            one.generate(DIRTY, max_new_tokens=1)
            for road in (other, other.generate):
                with pytest.raises(ContaminationError):
                    road(DIRTY)
            with pytest.raises(ContaminationError):
                CleanModelLoader.generate(
                    other, fresh.tokenizer, "<|im_start|>user", max_new_tokens=1
                )
            with unguarded(other, reason="too"):
                one(DIRTY)
                other(DIRTY)
        assert len(provenance_of(other).events) == len(before) + 1


def test_unguarded_needs_a_reason_and_a_guard(fresh: Loaded, raw: tuple[Any, Any]) -> None:
    with pytest.raises(SettingsError), unguarded(fresh.model, reason=" "):
        pass
    with pytest.raises(UnguardedModelError), unguarded(raw[0], reason="x"):
        pass


def test_bos_is_checked_on_raw_input(llama_like: Callable[[bool], Path]) -> None:
    model, tokenizer, _ = CleanModelLoader(llama_like(True)).load()
    plain = tokenizer("The capital", return_tensors="pt")
    model(**plain)
    bare = tokenizer("The capital", add_special_tokens=False, return_tensors="pt")
    twice = tokenizer("<|begin_of_text|>The capital", return_tensors="pt")
    for road in (
        lambda batch: model(**batch),
        lambda batch: model.generate(**batch, max_new_tokens=1),
    ):
        with pytest.raises(MissingBosError, match="CG201"):
            road(bare)
        with pytest.raises(DoubledBosError, match="CG202"):
            road(twice)


def test_bos_is_looked_for_behind_the_padding(llama_like: Callable[[bool], Path]) -> None:
    model, tokenizer, _ = CleanModelLoader(llama_like(True)).load()
    batch = tokenizer(["A", "The capital of France"], return_tensors="pt", padding=True)
    assert batch["attention_mask"][0, 0] == 0
    model(**batch)
    model.generate(**batch, max_new_tokens=1)
    with pytest.raises(PaddingError, match="no attention mask"):
        model(input_ids=batch["input_ids"])


def test_a_cached_prefix_is_continued_without_bos(llama_like: Callable[[bool], Path]) -> None:
    model, tokenizer, _ = CleanModelLoader(llama_like(True)).load()
    cache = model(**tokenizer("The capital", return_tensors="pt"), use_cache=True).past_key_values
    rest = tokenizer(" of France", add_special_tokens=False, return_tensors="pt")["input_ids"]
    model(input_ids=rest, past_key_values=cache)


def test_training_chunks_may_lack_bos(llama_like: Callable[[bool], Path]) -> None:
    model, _, _ = CleanModelLoader(llama_like(True), for_training=True).load()
    model.train()
    model(torch.tensor([[300, 301, 302]]))
