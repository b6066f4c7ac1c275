from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from guard import CleanModelLoader, Loaded, provenance_of, unguarded
from guard.errors import (
    ContaminationError,
    GuardWarning,
    LoaderCallError,
    SettingsError,
    TokenizerMismatchError,
    TruncatedPromptError,
    UnguardedModelError,
)
from guard.settings.settled import GENERATION_KEYWORDS

generate, generate_batch = CleanModelLoader.generate, CleanModelLoader.generate_batch

PROMPTS = [
    "The capital of France is",
    "3 plus 4 is",
    "The opposite of hot is",
    "Here are three colors:",
    "Instruction: Name the capital of Japan.\nResponse:",
    "The child said cat two times:",
    "A dog",
    "In the shop there were four fruits:",
]


def old_way(raw: tuple[Any, Any], prompt: str, **options: Any) -> str:
    """Tokenise, generate, slice, decode: what the scripts did before."""
    model, tokenizer = raw
    inputs = tokenizer(prompt, return_tensors="pt")
    with torch.no_grad():
        output = model.generate(**inputs, pad_token_id=tokenizer.eos_token_id, **options)
    return str(
        tokenizer.decode(output[0][inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0},
        {"temperature": 0.0, "do_sample": False},
        {"temperature": 0.7, "do_sample": False},
        {"num_beams": 3},
        {"num_beams": 3, "length_penalty": 0.3, "early_stopping": True},
        {"repetition_penalty": 1.3},
        {"no_repeat_ngram_size": 2},
        {"min_new_tokens": 12},
        {"use_cache": False},
        {"stop_strings": ["."]},
        {"stop_strings": ["ris", "\n"]},
        {"eos_token_id": 16},
    ],
    ids=str,
)
def test_greedy_text_is_what_the_old_code_gave(
    tiny: Loaded, raw: tuple[Any, Any], options: dict[str, Any]
) -> None:
    theirs = {k: v for k, v in options.items() if k != "temperature"}
    theirs |= {"tokenizer": raw[1]} if "stop_strings" in options else {}
    for prompt in PROMPTS:
        mine = generate(tiny.model, tiny.tokenizer, prompt, max_new_tokens=24, **options)
        assert mine == old_way(raw, prompt, max_new_tokens=24, **theirs)


def test_max_length_counts_the_prompt(tiny: Loaded, raw: tuple[Any, Any]) -> None:
    prompt = PROMPTS[0]
    mine = generate(tiny.model, tiny.tokenizer, prompt, max_length=12)
    assert mine == old_way(raw, prompt, max_length=12)
    batch = generate_batch(tiny.model, tiny.tokenizer, PROMPTS, max_length=20)
    assert batch == [generate(tiny.model, tiny.tokenizer, p, max_length=20) for p in PROMPTS]


def test_batches_keep_order_and_texts(tiny: Loaded) -> None:
    single = [generate(tiny.model, tiny.tokenizer, p, max_new_tokens=16) for p in PROMPTS]
    for size in (1, 3, 64):
        batch = generate_batch(
            tiny.model, tiny.tokenizer, PROMPTS, max_new_tokens=16, batch_size=size
        )
        assert batch == single


def test_special_tokens_are_shown_on_request(tiny: Loaded) -> None:
    options: dict[str, Any] = {"max_new_tokens": 30, "skip_special_tokens": False}
    single = [generate(tiny.model, tiny.tokenizer, p, **options) for p in PROMPTS]
    assert any(text.endswith("<|endoftext|>") for text in single)
    # The padding behind a row that ended early is not text.
    assert generate_batch(tiny.model, tiny.tokenizer, PROMPTS, **options) == single


def test_full_text_begins_with_the_prompt(tiny: Loaded) -> None:
    plain = generate(tiny.model, tiny.tokenizer, PROMPTS[0], max_new_tokens=8)
    full = generate(tiny.model, tiny.tokenizer, PROMPTS[0], max_new_tokens=8, return_full_text=True)
    assert full == PROMPTS[0] + plain


def test_a_list_of_one_text_is_that_text(tiny: Loaded) -> None:
    text = generate(tiny.model, tiny.tokenizer, PROMPTS[0], max_new_tokens=4)
    assert generate(tiny.model, tiny.tokenizer, [PROMPTS[0]], max_new_tokens=4) == text  # type: ignore[call-overload]
    with pytest.raises(SettingsError, match="one prompt, not list"):
        generate(tiny.model, tiny.tokenizer, PROMPTS[:2], max_new_tokens=4)  # type: ignore[call-overload]


def test_several_texts_come_as_a_list(tiny: Loaded) -> None:
    texts = generate(
        tiny.model,
        tiny.tokenizer,
        "Here are two animals:",
        max_new_tokens=8,
        temperature=1.0,
        num_return_sequences=4,
        seed=1,
    )
    assert isinstance(texts, list)
    assert len(set(texts)) > 1
    beams = generate(
        tiny.model,
        tiny.tokenizer,
        PROMPTS[0],
        max_new_tokens=8,
        num_beams=3,
        num_return_sequences=3,
    )
    assert len(beams) == 3


def test_finish_reasons_and_ids(tiny: Loaded) -> None:
    found = CleanModelLoader.complete(tiny.model, tiny.tokenizer, PROMPTS, max_new_tokens=24)
    assert {c.finish_reason for c in found} == {"eos", "length"}
    for completion in found:
        assert (completion.ids[-1] == 0) == (completion.finish_reason == "eos")
        assert completion.seed is None
    stopped = CleanModelLoader.complete(
        tiny.model, tiny.tokenizer, PROMPTS, max_new_tokens=24, stop_strings="."
    )
    assert {c.finish_reason for c in stopped} <= {"stop", "length"}
    assert all(c.text.count(".") == 1 for c in stopped if c.finish_reason == "stop")


def test_sampling_does_not_depend_on_batch_or_order(tiny: Loaded) -> None:
    options: dict[str, Any] = {"max_new_tokens": 12, "temperature": 0.8, "top_p": 0.95, "seed": 7}
    together = generate_batch(tiny.model, tiny.tokenizer, PROMPTS, **options)
    reverse = generate_batch(tiny.model, tiny.tokenizer, PROMPTS[::-1], batch_size=3, **options)
    assert together == reverse[::-1]
    assert together == [generate(tiny.model, tiny.tokenizer, p, **options) for p in PROMPTS]


def test_missing_seed_is_drawn_once_and_recorded(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    texts = {
        generate(model, tokenizer, "Here are two animals:", max_new_tokens=8, temperature=1.0)
        for _ in range(6)
    }
    assert len(texts) > 1
    [event] = [e for e in provenance_of(model).events if e.kind == "seed-drawn"]
    assert event.code == "CG304"
    assert isinstance(event.detail["seed"], int)


def test_settings_without_effect_are_told(tiny: Loaded) -> None:
    [found] = CleanModelLoader.complete(
        tiny.model, tiny.tokenizer, ["A dog"], max_new_tokens=2, do_sample=False, temperature=0.7
    )
    assert found.ignored == ("temperature",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "how long"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": 4, "do_sample": True, "temperature": 0}, "temperature"),
        ({"max_new_tokens": 4, "temperature": -1}, "temperature"),
        ({"max_new_tokens": 4, "temperature": 1, "num_beams": 2}, "num_beams"),
        ({"max_new_tokens": 4, "num_return_sequences": 2}, "same text"),
    ],
)
def test_contradictions_are_refused(tiny: Loaded, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        generate(tiny.model, tiny.tokenizer, "A dog", **options)


def test_misspelt_keyword_is_refused(tiny: Loaded) -> None:
    with pytest.raises(LoaderCallError, match="max_new_tokens"):
        generate(tiny.model, tiny.tokenizer, "A dog", max_new_token=4)
    assert "stop_strings" in GENERATION_KEYWORDS


def test_bad_prompts_are_refused(tiny: Loaded) -> None:
    model, tokenizer, _ = tiny
    with pytest.raises(ContaminationError):
        generate(model, tokenizer, "<|im_start|>user", max_new_tokens=4)
    with pytest.raises(SettingsError, match="generate_batch"):
        generate(model, tokenizer, ["A dog", "A cat"], max_new_tokens=4)
    with pytest.raises(SettingsError, match="empty"):
        generate(model, tokenizer, "", max_new_tokens=4)
    with pytest.raises(SettingsError, match="batch_size"):
        generate_batch(model, tokenizer, ["A dog"], max_new_tokens=4, batch_size=0)
    with pytest.raises(TruncatedPromptError, match="max_length"):
        generate(model, tokenizer, PROMPTS[0], max_length=3)
    with pytest.raises(TruncatedPromptError, match="512 fit"):
        generate(model, tokenizer, "cat " * 600, max_new_tokens=4)


def test_running_past_the_context_is_warned_of(fresh: Loaded) -> None:
    with pytest.warns(GuardWarning, match="512"):
        generate(fresh.model, fresh.tokenizer, "cat " * 250 + "The capital", max_new_tokens=300)
    assert provenance_of(fresh.model).events[0].code == "CG205"


def test_unguarded_model_and_foreign_tokenizer_are_refused(
    tiny: Loaded, raw: tuple[Any, Any]
) -> None:
    with pytest.raises(UnguardedModelError):
        generate(raw[0], tiny.tokenizer, "A dog", max_new_tokens=4)
    import copy

    other = copy.deepcopy(raw[1])
    other.add_tokens(["dogcat"])
    with pytest.raises(TokenizerMismatchError):
        generate(tiny.model, other, "A dog", max_new_tokens=4)
    # The same tokenizer loaded by hand is the model's own.
    assert generate(tiny.model, raw[1], "A dog", max_new_tokens=4)


def test_training_mode_is_put_back(fresh: Loaded) -> None:
    fresh.model.train()
    generate(fresh.model, fresh.tokenizer, "A dog", max_new_tokens=2)
    assert fresh.model.training


def test_unguarded_lifts_generate_too(fresh: Loaded) -> None:
    with unguarded(fresh.model, reason="what does it say to a chat prompt?"):
        assert isinstance(
            generate(fresh.model, fresh.tokenizer, "<|im_start|>user\nhi", max_new_tokens=4), str
        )


def test_full_memory_halves_the_batch(fresh: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = generate_batch(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=6)
    real, sizes = fresh.model.generate, []

    def crowded(**options: Any) -> Any:
        sizes.append(len(options["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("full")
        return real(**options)

    monkeypatch.setattr(fresh.model, "generate", crowded)
    assert generate_batch(fresh.model, fresh.tokenizer, PROMPTS, max_new_tokens=6) == wanted
    assert sizes == [8, 4, 2, 2, 2, 2]


def test_code_that_says_no_dtype_gets_the_same_texts(tiny_dir: Path) -> None:
    theirs = (
        AutoModelForCausalLM.from_pretrained(tiny_dir),
        AutoTokenizer.from_pretrained(tiny_dir),
    )
    model, tokenizer, _ = CleanModelLoader(tiny_dir).load()
    for prompt in PROMPTS:
        mine = generate(model, tokenizer, prompt, max_new_tokens=16)
        assert mine == old_way(theirs, prompt, max_new_tokens=16)


def test_every_module_is_left_in_its_mode(fresh: Loaded) -> None:
    model = fresh.model.train()
    model.model.layers[1].eval()  # a layer that its owner froze
    before = [module.training for module in model.modules()]
    seen: list[bool] = []
    model.model.register_forward_hook(lambda module, *_: seen.append(module.training))
    CleanModelLoader.generate(model, fresh.tokenizer, "3 plus 4 is", max_new_tokens=2)
    list(CleanModelLoader.stream(model, fresh.tokenizer, "3 plus 4 is", max_new_tokens=2))
    assert seen
    assert not any(seen)
    assert [module.training for module in model.modules()] == before
