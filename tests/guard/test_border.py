"""The roads by which ids reach a model without the guard's own encoding; docs/border.md names the rest."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from packaging.version import Version
from transformers import (
    DynamicCache,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteriaList,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)

from guard import CleanModelLoader, Loaded, attest, provenance_of, unguarded
from guard.errors import ContaminationError, DoubledBosError, MissingBosError
from guard.records.judging import NOTED
from guard.records.verification import verify_file

DIRTY = torch.tensor([[271, 1, 319, 2]])
CLEAN = torch.tensor([[271, 319, 269]])
DOCS = Path(__file__).parents[2] / "docs" / "border.md"


# transformers 5.0 has no cache yet when it prepares inputs, and batches continuously on an accelerator only.
recent = pytest.mark.skipif(
    Version(transformers.__version__) < Version("5.5"), reason="transformers itself fails here"
)


def kinds(model: Any) -> list[str]:
    return [event.kind for event in provenance_of(model).events]


@pytest.fixture
def bos(llama_like: Callable[[bool], Path]) -> Loaded:
    """A model of a family whose BOS is 1."""
    return CleanModelLoader(llama_like(True), dtype="float32").load()


ROADS: dict[str, Callable[[Any, torch.Tensor], Any]] = {
    "an empty cache": lambda m, ids: m(ids, past_key_values=DynamicCache(config=m.config)),
    "an empty cache in generate": lambda m, ids: m.generate(
        ids, past_key_values=DynamicCache(config=m.config), max_new_tokens=1
    ),
    "negative prompt ids": lambda m, ids: m.generate(
        CLEAN, negative_prompt_ids=ids, guidance_scale=1.5, max_new_tokens=2
    ),
    "a processor with ids of its own": lambda m, ids: m.generate(
        CLEAN,
        max_new_tokens=2,
        logits_processor=LogitsProcessorList(
            [UnbatchedClassifierFreeGuidanceLogitsProcessor(1.5, m, unconditional_ids=ids)]
        ),
    ),
    "embeddings": lambda m, ids: m(inputs_embeds=rows_of(m, ids)),
    "embeddings in generate": lambda m, ids: m.generate(
        inputs_embeds=rows_of(m, ids), max_new_tokens=1
    ),
    "one dimension": lambda m, ids: m.get_input_embeddings()(ids[0]),
    "three dimensions": lambda m, ids: m.get_input_embeddings()(ids[None]),
    "continuous batching": lambda m, ids: m.generate_batch(ids.tolist()),
}


def rows_of(model: Any, ids: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.embedding(ids, model.get_input_embeddings().weight).detach()


@pytest.mark.parametrize("road", ROADS)
def test_a_control_token_is_refused_on_the_road(tiny: Loaded, road: str) -> None:
    with pytest.raises(ContaminationError, match="im_start"):
        ROADS[road](tiny.model, DIRTY)


@pytest.mark.parametrize("road", [name for name in ROADS if name != "continuous batching"])
def test_plain_ids_pass_on_the_road(tiny: Loaded, road: str) -> None:
    ROADS[road](tiny.model, CLEAN)


CALLS: dict[str, Callable[[Any, Any, Callable[[], Any]], Any]] = {
    "logits processor": lambda m, ids, act: m.generate(
        ids, max_new_tokens=2, logits_processor=LogitsProcessorList([Acting(act)])
    ),
    "stopping criterion": lambda m, ids, act: m.generate(
        ids, max_new_tokens=2, stopping_criteria=StoppingCriteriaList([stopper(act)])
    ),
    "streamer": lambda m, ids, act: m.generate(ids, max_new_tokens=2, streamer=Streamer(act)),
    "allowed tokens": lambda m, ids, act: m.generate(
        ids, max_new_tokens=2, prefix_allowed_tokens_fn=lambda *_: [act(), 300, 301][1:]
    ),
    "beams": lambda m, ids, act: m.generate(
        ids, max_new_tokens=2, num_beams=2, logits_processor=LogitsProcessorList([Acting(act)])
    ),
    "prompt look-up": lambda m, ids, act: m.generate(
        ids,
        max_new_tokens=4,
        prompt_lookup_num_tokens=2,
        logits_processor=LogitsProcessorList([Acting(act)]),
    ),
}


class Acting(LogitsProcessor):
    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.act()
        return scores


class Streamer:
    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def put(self, _ids: torch.Tensor) -> None:
        self.act()

    def end(self) -> None:
        pass


def stopper(act: Callable[[], Any]) -> Callable[..., torch.Tensor]:
    def stop(ids: torch.Tensor, _scores: Any, **_more: Any) -> torch.Tensor:
        act()
        return torch.zeros(ids.shape[0], dtype=torch.bool)

    return stop


@pytest.mark.parametrize("place", CALLS)
@pytest.mark.parametrize("way", ["call", "generate"])
def test_a_call_from_inside_generate_is_checked(tiny: Loaded, place: str, way: str) -> None:
    model = tiny.model

    def act(ids: torch.Tensor) -> None:
        model(ids) if way == "call" else model.generate(ids, max_new_tokens=1)

    CALLS[place](model, CLEAN, lambda: act(CLEAN))
    with pytest.raises(ContaminationError, match="im_start"):
        CALLS[place](model, CLEAN, lambda: act(DIRTY))


@pytest.mark.parametrize("place", CALLS)
def test_another_guarded_model_is_checked_meanwhile(tiny: Loaded, place: str) -> None:
    other = copy.deepcopy(tiny.model)
    CALLS[place](tiny.model, CLEAN, lambda: other(CLEAN))
    with pytest.raises(ContaminationError, match="im_start"):
        CALLS[place](tiny.model, CLEAN, lambda: other(DIRTY))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_cache": False},
        {"num_beams": 2},
        {"prompt_lookup_num_tokens": 2},
        {"guidance_scale": 1.5},
        {"cache_implementation": "static"},
        pytest.param({"prefill_chunk_size": 2}, marks=recent),
    ],
    ids=str,
)
def test_what_the_model_emits_passes(tiny: Loaded, options: dict[str, Any]) -> None:
    def emit(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, 1] = 1e9
        return scores

    found = tiny.model.generate(
        CLEAN, max_new_tokens=5, logits_processor=LogitsProcessorList([emit]), **options
    )
    assert found[0, 3:].tolist() == [1] * 5
    with pytest.raises(ContaminationError):
        tiny.model(DIRTY)


def test_a_helper_of_speculative_decoding_may_see_what_the_model_emits(tiny: Loaded) -> None:
    helper = copy.deepcopy(tiny.model)

    def emit(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, 1] = 1e9
        return scores

    found = tiny.model.generate(
        CLEAN,
        max_new_tokens=5,
        assistant_model=helper,
        logits_processor=LogitsProcessorList([emit]),
    )
    assert found[0, 3:].tolist() == [1] * 5
    with pytest.raises(ContaminationError):
        helper(DIRTY)


def test_an_error_inside_generate_leaves_no_gap(tiny: Loaded) -> None:
    def fail(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        tiny.model.generate(CLEAN, max_new_tokens=2, logits_processor=LogitsProcessorList([fail]))
    for road in (tiny.model, tiny.model.generate):
        with pytest.raises(ContaminationError):
            road(DIRTY)


@recent
def test_preparing_inputs_by_hand_opens_nothing(tiny: Loaded) -> None:
    found = tiny.model.prepare_inputs_for_generation(DIRTY)
    with pytest.raises(ContaminationError):
        tiny.model(input_ids=found["input_ids"])


def test_a_prompt_of_one_token_is_a_prompt(tiny: Loaded, bos: Loaded) -> None:
    with pytest.raises(ContaminationError):
        tiny.model(torch.tensor([[1]]))
    tiny.model(torch.tensor([[271]]))
    bos.model(torch.tensor([[1]]))
    for road in (bos.model, lambda ids: bos.model.generate(ids, max_new_tokens=1)):
        with pytest.raises(MissingBosError):
            road(torch.tensor([[300]]))


def test_an_empty_cache_is_no_cache(bos: Loaded) -> None:
    for road in (bos.model, lambda ids, **more: bos.model.generate(ids, max_new_tokens=1, **more)):
        with pytest.raises(MissingBosError):
            road(torch.tensor([[300, 301]]), past_key_values=DynamicCache(config=bos.model.config))
        with pytest.raises(DoubledBosError):
            road(torch.tensor([[1, 1, 3]]), past_key_values=DynamicCache(config=bos.model.config))
        road(torch.tensor([[1, 300]]), past_key_values=DynamicCache(config=bos.model.config))


def test_a_filled_cache_is_continued_and_its_beginning_is_judged(bos: Loaded) -> None:
    with torch.no_grad():
        cache = bos.model(torch.tensor([[1, 300, 301]]), use_cache=True).past_key_values
    whole = torch.tensor([[1, 300, 301, 302, 303]])
    bos.model.generate(whole, past_key_values=copy.deepcopy(cache), max_new_tokens=1)
    with pytest.raises(MissingBosError):
        bos.model.generate(
            torch.tensor([[300, 300, 301, 302, 303]]), past_key_values=cache, max_new_tokens=1
        )


def test_one_at_a_time_is_noted(fresh: Loaded) -> None:
    # Nobody can tell the model's own tokens from a prompt's here, so they pass and are recorded.
    model, cache = fresh.model, None
    for index in (271, 319, 1, 269, 2):
        cache = model(
            torch.tensor([[index]]), past_key_values=cache, use_cache=True
        ).past_key_values
    [event] = provenance_of(model).events
    assert event.kind == "control-token-in-a-step"
    assert event.detail == {"tokens": ["<|im_start|>"]}


def test_embeddings_are_noted(fresh: Loaded) -> None:
    soft = rows_of(fresh.model, CLEAN) * 1.01
    fresh.model(inputs_embeds=soft)
    fresh.model(inputs_embeds=soft)
    assert kinds(fresh.model) == ["inputs-embeds"]


def test_a_trace_is_noted(fresh: Loaded) -> None:
    fresh.model.requires_grad_(False)
    torch.jit.trace(
        lambda ids: fresh.model(ids, use_cache=False).logits, (CLEAN,), check_trace=False
    )
    assert kinds(fresh.model) == ["traced"]


def test_tokens_that_are_added_later_count(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    new = len(tokenizer)
    tokenizer.add_tokens(["<|eot_id|>"], special_tokens=True)
    model.resize_token_embeddings(len(tokenizer))
    with pytest.raises(ContaminationError, match="eot_id"):
        model(torch.tensor([[271, new, 319]]))
    assert {"tokens-added", "embedding-replaced"} <= {*kinds(model), "embedding-replaced"}
    with pytest.raises(ContaminationError):
        model(DIRTY)


def test_chat_text_of_another_family_is_refused_as_raw_ids(tiny: Loaded) -> None:
    for text in ("<|start_header_id|>user", "x <start_of_turn>user\n", "<｜User｜>hi", "<|turn>a"):
        ids = tiny.tokenizer(text, return_tensors="pt")["input_ids"]
        for road in (tiny.model, lambda ids: tiny.model.generate(ids, max_new_tokens=1)):
            with pytest.raises(ContaminationError):
                road(ids)
    plain = "a || b | c |> d <| e turn|"
    tiny.model(tiny.tokenizer(plain, return_tensors="pt")["input_ids"])


def test_lifting_holds_on_every_road(fresh: Loaded) -> None:
    with unguarded(fresh.model, reason="test"):
        for name, road in ROADS.items():
            if name != "continuous batching":
                road(fresh.model, DIRTY)


@pytest.mark.slow
@recent
def test_continuous_batching_works_with_bos(bos: Loaded) -> None:
    rows = [[1, 300, 301], [1, 302]]
    alone = [
        bos.model.generate(torch.tensor([row]), max_new_tokens=3, do_sample=False)[0].tolist()
        for row in rows
    ]
    config = copy.deepcopy(bos.model.generation_config)
    config.max_new_tokens = 3
    found = bos.model.generate_batch(rows, generation_config=config)
    texts = [[*row, *out.generated_tokens] for row, out in zip(rows, found.values(), strict=True)]
    assert texts == alone
    with pytest.raises(MissingBosError):
        bos.model.generate_batch([[300, 301]], generation_config=config)


def test_a_manager_checks_its_requests(bos: Loaded) -> None:
    manager = bos.model.init_continuous_batching()
    for row, error in (([300], MissingBosError), ([1, 2, 300], ContaminationError)):
        with pytest.raises(error):
            manager.add_request(row)


def test_verify_notes_what_passed(fresh: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("accuracy .8\n")
    fresh.model(inputs_embeds=rows_of(fresh.model, CLEAN))
    attest(path, fresh.model)
    verdict = verify_file(path)
    assert verdict.ok
    assert any("inputs-embeds" in note for note in verdict.notes)


@pytest.mark.parametrize("kind", NOTED)
def test_the_docs_name_what_is_only_noted(kind: str) -> None:
    assert f"`{kind}`" in DOCS.read_text(encoding="utf-8")


WORDS: dict[str, Callable[[Loaded, str], Any]] = {
    "encode": lambda tiny, text: CleanModelLoader.encode(tiny.tokenizer, text),
    "generate": lambda tiny, text: CleanModelLoader.generate(
        tiny.model, tiny.tokenizer, text, max_new_tokens=1
    ),
    "generate_batch": lambda tiny, text: CleanModelLoader.generate_batch(
        tiny.model, tiny.tokenizer, ["A dog", text], max_new_tokens=1
    ),
    "complete": lambda tiny, text: CleanModelLoader.complete(
        tiny.model, tiny.tokenizer, ["A dog", text], max_new_tokens=1
    ),
    "stream": lambda tiny, text: list(
        CleanModelLoader.stream(tiny.model, tiny.tokenizer, text, max_new_tokens=1)
    ),
    "score": lambda tiny, text: CleanModelLoader.score(tiny.model, tiny.tokenizer, text, [" a"]),
}


@pytest.mark.parametrize("road", WORDS)
def test_chat_in_a_prompt_is_refused_on_every_road_of_the_loader(tiny: Loaded, road: str) -> None:
    # A control token of this model, and what another family's template writes.
    for text in ("<|im_start|>user\nHi", "<start_of_turn>user\nHi"):
        with pytest.raises(ContaminationError):
            WORDS[road](tiny, text)
    assert WORDS[road](tiny, "The cat")


@recent
def test_a_manager_built_by_hand_is_not_seen(fresh: Loaded) -> None:
    made = fresh.model.init_continuous_batching()
    by_hand = type(made)(fresh.model, made.generation_config, made.continuous_batching_config)
    by_hand.add_request(DIRTY[0].tolist(), max_new_tokens=1)
    assert kinds(fresh.model) == []
    with pytest.raises(ContaminationError):
        made.add_request(DIRTY[0].tolist(), max_new_tokens=1)


def test_weights_used_outside_of_the_model_are_not_seen(fresh: Loaded) -> None:
    model = fresh.model
    inner = model.model(CLEAN).last_hidden_state
    assert torch.equal(model.lm_head(inner), model(CLEAN).logits)
    other = type(model)(model.config).eval()
    other.load_state_dict(model.state_dict())
    assert other(DIRTY).logits.isfinite().all()
    assert kinds(model) == []


def test_a_base_that_is_written_into_is_not_seen(fresh: Loaded) -> None:
    before = provenance_of(fresh.model)
    with torch.no_grad():
        fresh.model.model.layers[0].mlp.up_proj.weight.mul_(1.5)
    assert provenance_of(fresh.model) == before


def test_embeddings_close_to_a_control_token_are_noted_only(fresh: Loaded) -> None:
    fresh.model(inputs_embeds=rows_of(fresh.model, DIRTY) * 1.001)
    assert kinds(fresh.model) == ["inputs-embeds"]


def test_every_row_of_the_docs_names_its_test() -> None:
    tests = {
        name
        for path in Path(__file__).parent.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    text = DOCS.read_text(encoding="utf-8").partition("## Special tokens as plain text")[0]
    lines = [line for line in text.replace("\n  ", " ").splitlines() if line[:2] in ("| ", "- ")]
    rows = [line for line in lines if not line.startswith(("| road ", "| event "))]
    assert len(rows) > 20
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= tests, row
