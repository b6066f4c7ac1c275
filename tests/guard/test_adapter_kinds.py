"""Kinds of adapters beside LoRA: those that fit and do not run, and prompts that were learned."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch

from guard import CleanModelLoader, Loaded, provenance_of
from guard.errors import AdapterAsBaseError, AdapterMismatch, SettingsError

IDS = torch.tensor([[271, 319, 269]])
CAUSAL: dict[str, Any] = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 3}
attach, select = CleanModelLoader.attach_adapter, CleanModelLoader.adapter


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(IDS).logits
    return found


def saved(config: Any, base: Any, folder: Path, by: float = 0.05) -> Any:
    """A base with an adapter whose trained part has moved, saved to a folder."""
    trained = peft.get_peft_model(copy.deepcopy(base), config).eval()
    for parameter in trained.parameters():
        if parameter.requires_grad:
            parameter.data.add_(by * torch.randn_like(parameter))
    trained.save_pretrained(folder)
    return trained


@pytest.mark.parametrize(
    ("config", "said"),
    [
        pytest.param(
            peft.LoraConfig(target_modules=["q_proj"], layer_replication=[[0, 2], [1, 3]]),
            "IndexError",
            id="layers-that-are-repeated",
        ),
        pytest.param(
            peft.MultitaskPromptTuningConfig(**CAUSAL, num_tasks=2),
            "task_ids",
            id="a-prompt-for-each-task",
        ),
        pytest.param(
            peft.PolyConfig(target_modules=["q_proj"], r=2, n_tasks=2, n_skills=2),
            "task_ids",
            id="a-mixture-for-each-task",
        ),
    ],
)
def test_an_adapter_that_fits_and_does_not_run_is_refused(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path, config: Any, said: str
) -> None:
    saved(config, raw[0], tmp_path)
    before = logits(fresh.model)
    with pytest.raises(AdapterMismatch, match=f"cannot compute with it.*{said}") as caught:
        attach(fresh.model, tmp_path)
    assert type(config).__name__ in caught.value.remedy
    assert torch.equal(logits(fresh.model), before)
    assert provenance_of(fresh.model).adapters == ()


@pytest.mark.parametrize(
    "kind", [peft.PromptTuningConfig, peft.PrefixTuningConfig, peft.PromptEncoderConfig]
)
def test_learned_prompts_are_chosen_like_other_adapters(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path, kind: Any
) -> None:
    wanted = {n: logits(saved(kind(**CAUSAL), raw[0], tmp_path / n)) for n in ("one", "two")}
    base = logits(fresh.model)
    model = attach(fresh.model, tmp_path / "one", name="one")
    attach(model, tmp_path / "two", name="two")
    for name in ("two", "one"):
        with select(model, name):
            assert torch.equal(logits(model), wanted[name])
            assert provenance_of(model).active_adapters == (name,)
    with select(model, "base"):
        assert provenance_of(model).active_adapters == ()
        assert torch.equal(logits(model), base)
        assert CleanModelLoader.generate(model, fresh.tokenizer, "The cat", max_new_tokens=2)
    assert torch.equal(logits(model), wanted["one"])
    assert provenance_of(model).active_adapters == ("one",)
    assert "adapters-chosen" not in {event.kind for event in provenance_of(model).events}
    with (
        pytest.raises(SettingsError, match="one stands before a text"),
        select(model, ["one", "two"]),
    ):
        pass  # pragma: no cover


def test_a_hot_swapped_adapter_is_another_one(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path
) -> None:
    """PEFT copies the other adapter's numbers into the tensors that are there, behind their versions."""
    from peft.utils.hotswap import hotswap_adapter

    for name in ("one", "two"):
        saved(peft.LoraConfig(target_modules=["q_proj"]), raw[0], tmp_path / name)
    model = attach(fresh.model, tmp_path / "one")
    [before] = provenance_of(model).adapters
    hotswap_adapter(model, str(tmp_path / "two"), adapter_name="default")
    [after] = provenance_of(model).adapters
    assert after.changed
    assert after.live != before.live
    assert [event.kind for event in provenance_of(model).events] == ["adapter-changed"]
    swapped = provenance_of(model).adapters[0].live
    model.base_model.model.model.layers[0].self_attn.q_proj.lora_B["default"].weight.data.mul_(2.0)
    assert provenance_of(model).adapters[0].live != swapped


def test_the_merge_of_a_single_layer_leaves_the_base_alone(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path
) -> None:
    saved(peft.LoraConfig(target_modules=["q_proj"]), raw[0], tmp_path)
    before = logits(fresh.model)
    model = attach(fresh.model, tmp_path)
    layers = [module for module in model.modules() if hasattr(module, "base_layer")]
    for layer in layers:
        layer.merge()
        layer.unmerge()
    assert torch.equal(logits(fresh.model), before)
    assert [event.kind for event in provenance_of(model).events] == ["adapters-merged"]
    with pytest.raises(SettingsError, match="was merged"), select(model, "base"):
        pass  # pragma: no cover
    copied = copy.deepcopy(model)
    copied.merge_and_unload()
    assert torch.equal(logits(fresh.model), before)


def next_to_next(model: Any, tokenizer: Any, prompt: str, new: int) -> tuple[int, ...]:
    """The greedy continuation without an end by forward passes over the whole text, without a cache."""
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    start = ids.shape[1]
    with torch.no_grad():
        for _ in range(new):
            last = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, -1]
            last[:, tokenizer.eos_token_id] = -torch.inf
            ids = torch.cat([ids, last.argmax(-1, keepdim=True)], dim=1)
    return tuple(ids[0, start:].tolist())


LEARNED = {
    "prompt": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=40),
    "prefix": peft.PrefixTuningConfig(**CAUSAL),
    "encoder": peft.PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=40, encoder_hidden_size=16
    ),
    "cartridge": peft.CartridgeConfig(**CAUSAL),
    "context": peft.CPTConfig(
        task_type="CAUSAL_LM",
        cpt_token_ids=[5, 6, 7],
        cpt_mask=[1, 1, 1],
        cpt_tokens_type_mask=[1, 2, 3],
    ),
}


@pytest.mark.parametrize("kind", LEARNED)
def test_what_a_learned_prompt_generates_is_what_it_scores(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path, kind: str
) -> None:
    """transformers 5.24 calls PEFT's `past_key_values` `cache`: its own decoding loop forgets them."""
    torch.manual_seed(3)
    saved(LEARNED[kind], raw[0], tmp_path, by=20.0)
    tokenizer = fresh.tokenizer
    prompts = ["The cat", "2 plus 2 is", "A longer one that has more tokens"]
    plain = [tokenizer.decode(next_to_next(fresh.model, tokenizer, one, 6)) for one in prompts]
    model = attach(fresh.model, tmp_path)
    wanted = [tokenizer.decode(next_to_next(model, tokenizer, one, 6)) for one in prompts]
    assert (wanted != plain) == (kind != "prompt")  # such noise does not move this model's choice
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "skip_special_tokens": False}
    for size in (1, 3):
        found = CleanModelLoader.generate_batch(
            model, tokenizer, prompts, batch_size=size, **settings
        )
        assert found == wanted


@pytest.mark.parametrize(
    ("kind", "option", "said"),
    [
        ("prefix", {"use_cache": False}, r"use_cache=False, and the adapter \(PREFIX_TUNING\)"),
        ("encoder", {"batch_invariant": True}, r"batch_invariant pads every row, and .*P_TUNING"),
        ("activated", {"use_cache": False}, r"use_cache=False, and PEFT counts the tokens"),
        ("activated", {"num_beams": 2}, r"num_beams=2, and PEFT has no beams"),
    ],
)
def test_what_such_an_adapter_cannot_have_is_told(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path, kind: str, option: Any, said: str
) -> None:
    activated = peft.LoraConfig(target_modules=["q_proj"], alora_invocation_tokens=[5])
    saved(LEARNED.get(kind, activated), raw[0], tmp_path)
    model = attach(fresh.model, tmp_path)

    def texts() -> Any:
        return CleanModelLoader.generate_batch(
            model, fresh.tokenizer, ["The cat"], max_new_tokens=2, **option
        )

    with pytest.raises(SettingsError, match=said):
        texts()
    with select(model, "base"):
        assert len(texts()) == 1


def test_a_prompt_that_decoding_loses_is_refused(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(LEARNED["prefix"], raw[0], tmp_path)
    inputs = peft.PeftModelForCausalLM.prepare_inputs_for_generation

    def forgetful(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = inputs(self, *args, **kwargs)
        for name in ("cache", "past_key_values"):
            cache = found.get(name)
            if cache is not None and cache.get_seq_length() == 3:
                cache.reset()
        return found

    monkeypatch.setattr(peft.PeftModelForCausalLM, "prepare_inputs_for_generation", forgetful)
    before = logits(fresh.model)
    with pytest.raises(AdapterMismatch, match="loses it, or repeats it, while it decodes"):
        attach(fresh.model, tmp_path)
    assert torch.equal(logits(fresh.model), before)


def test_an_activated_lora_works_behind_its_tokens_on_every_road(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path
) -> None:
    """PEFT looks for the tokens in its own `forward`, which shared beginnings and fast steps go around."""
    torch.manual_seed(3)
    tokenizer = fresh.tokenizer
    [invoked] = tokenizer(" is", add_special_tokens=False).input_ids
    config = peft.LoraConfig(
        target_modules=["q_proj", "v_proj"],
        alora_invocation_tokens=[invoked],
        task_type="CAUSAL_LM",
    )
    trained = saved(config, raw[0], tmp_path, by=0.3)
    prompts = ["The cat is", "2 plus 2 is"]
    plain = [tokenizer.decode(next_to_next(fresh.model, tokenizer, one, 5)) for one in prompts]
    wanted = []
    for one in prompts:  # behind the tokens of the prompt: those that are generated begin nothing
        ids = tokenizer(one, return_tensors="pt").input_ids
        out = trained.generate(input_ids=ids, max_new_tokens=5, min_new_tokens=5, do_sample=False)
        wanted.append(tokenizer.decode(out[0, ids.shape[1] :]))
    assert not set(wanted) & set(plain)
    model = attach(fresh.model, tmp_path)
    found = CleanModelLoader.generate_batch(
        model,
        tokenizer,
        prompts,
        max_new_tokens=5,
        min_new_tokens=5,
        skip_special_tokens=False,
    )
    assert found == wanted
    head = "The sum of 2 and 3 is 5. The sum of 1 and 4 is 5. The dog is"
    choices = [" a kind of animal", " 5", " red. The"]
    [scores] = CleanModelLoader.score_batch(model, tokenizer, [(head, choices)])
    for score in scores:
        ids = torch.tensor([[*score.context, *score.ids]])
        with torch.no_grad():
            steps = model(ids).logits[0].log_softmax(-1)
        start = len(score.context) - 1
        each = [float(steps[start + at, one]) for at, one in enumerate(score.ids)]
        assert score.logprobs == pytest.approx(each, abs=1e-4)


def test_an_adapter_that_looks_around_is_refused(
    fresh: Loaded, raw: tuple[Any, Any], tmp_path: Path
) -> None:
    """Lily weighs its experts by the mean over all tokens of the batch."""
    torch.manual_seed(3)
    config = peft.LilyConfig(target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    saved(config, raw[0], tmp_path, by=0.3)
    with pytest.raises(AdapterMismatch, match="depends on what comes after it, or on the other"):
        attach(fresh.model, tmp_path)


@pytest.mark.parametrize("activated", [True, False])
def test_an_adapter_that_the_library_attaches_without_its_model_is_refused(
    tiny_dir: Path, raw: tuple[Any, Any], tmp_path: Path, activated: bool
) -> None:
    """transformers puts an activated LoRA's layers in, and nothing looks for its tokens."""
    shutil.copytree(tiny_dir, tmp_path / "model")
    config = peft.LoraConfig(
        target_modules=["q_proj"],
        alora_invocation_tokens=[5] if activated else None,
        task_type="CAUSAL_LM",
    )
    base = copy.deepcopy(raw[0])
    base.config._name_or_path = str(tiny_dir)
    saved(config, base, tmp_path / "model")
    loader = CleanModelLoader(tmp_path / "model", allow_adapter=True)
    if activated:
        with pytest.raises(AdapterAsBaseError, match="works through PEFT's own model alone"):
            loader.load()
    else:
        assert loader.load().provenance.checks
