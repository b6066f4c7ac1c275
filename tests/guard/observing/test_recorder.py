"""The recorder sees what reaches a model and what was asked for, and changes none of it."""

from __future__ import annotations

import copy
import json
import pickle
import random
import subprocess
import sys
import threading
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    pipeline,
    set_seed,
)

import guard
from guard.observing.events import as_json

PROMPTS = ["The capital of France is", "2 plus 2 is 4. 3 plus 2 is"]
HERE = __file__


@pytest.fixture
def pair(tiny_dir: Path) -> tuple[Any, Any]:
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(tiny_dir)


def test_a_load_says_what_was_asked_and_what_came(tiny_dir: Path) -> None:
    with guard.observe() as seen:
        AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32, token="secret")
        AutoTokenizer.from_pretrained(tiny_dir, padding_side="left")

    model, tokenizer = seen.loads
    assert (model.what, tokenizer.what) == ("model", "tokenizer")
    assert model.name == tokenizer.name == str(tiny_dir)
    assert model.asked["dtype"] == model.loaded["dtype"] == "torch.float32"
    assert model.asked["token"] == "…"
    assert model.loaded["generation_config"]["do_sample"] is False
    assert tokenizer.loaded["padding_side"] == "left"
    assert tokenizer.loaded["template_sha256"]


def test_a_load_that_fails_is_seen_with_its_exception(tmp_path: Path) -> None:
    with guard.observe() as seen, pytest.raises(OSError, match="nothing"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "nothing")

    (load,) = seen.loads
    assert load.raised == "OSError"
    assert load.subject is None


def test_sites_are_those_of_the_person(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair

    def ask(text: str) -> Any:
        batch = tokenizer(text, return_tensors="pt")
        return model.generate(**batch, max_new_tokens=2)

    with guard.observe() as seen:
        ask(PROMPTS[0])

    (encode,), (generate,), (prefill,) = seen.encodings, seen.generations, seen.prefills
    assert encode.site.filename == generate.site.filename == prefill.site.filename == HERE
    assert generate.site.line == encode.site.line + 1 == prefill.site.line
    assert encode.site.function == "ask"
    assert [caller.function for caller in encode.callers[:1]] == [
        "test_sites_are_those_of_the_person"
    ]
    if sys.version_info >= (3, 11):
        line = Path(HERE).read_text().splitlines()[encode.site.line - 1]
        assert line[encode.site.column - 1 :].startswith("tokenizer(text")


def test_ids_masks_positions_and_settings_are_those_of_the_model(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    batch = tokenizer(PROMPTS, return_tensors="pt", padding=True, padding_side="left")
    with guard.observe() as seen:
        output = model.generate(**batch, max_new_tokens=3, repetition_penalty=1.5)

    (generate,), (prefill,) = seen.generations, seen.prefills
    assert prefill.ids == tuple(map(tuple, batch["input_ids"].tolist())) == generate.ids
    assert prefill.mask == tuple(map(tuple, batch["attention_mask"].tolist()))
    assert prefill.padding == "left"
    assert prefill.positions is not None
    assert prefill.positions[1][-1] == sum(prefill.mask[1]) - 1
    assert prefill.generation == generate.number
    assert generate.output == tuple(map(tuple, output.tolist()))
    assert generate.settings["repetition_penalty"] == 1.5
    assert generate.origins["repetition_penalty"] == "call"
    assert generate.origins["do_sample"] == "model"
    assert generate.origins["top_k"] == "default"


def test_a_passed_config_is_an_origin_of_its_own(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    model.generation_config.repetition_penalty = 1.3
    settings = GenerationConfig(max_new_tokens=2, do_sample=True, temperature=0.5)
    with guard.observe() as seen:
        model.generate(**tokenizer(PROMPTS[0], return_tensors="pt"), generation_config=settings)

    (generate,) = seen.generations
    assert generate.origins["temperature"] == "config"
    assert generate.origins["repetition_penalty"] == "model"
    assert generate.settings["repetition_penalty"] == 1.3


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_generation_has_one_prefill(pair: tuple[Any, Any], use_cache: bool) -> None:
    model, tokenizer = pair
    with guard.observe() as seen:
        batch = tokenizer(PROMPTS[0], return_tensors="pt")
        model.generate(**batch, max_new_tokens=6, use_cache=use_cache)

    assert len(seen.prefills) == 1


def test_a_scoring_pass_and_a_loop_by_hand_are_seen(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    ids = tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    with guard.observe() as seen, torch.no_grad():
        out = model(ids)
        for _ in range(3):
            out = model(out.logits[:, -1:].argmax(-1), past_key_values=out.past_key_values)

    (prefill,) = seen.prefills
    assert prefill.ids == tuple(map(tuple, ids.tolist()))
    assert prefill.mask is None
    assert prefill.padding == "unknown"
    assert not prefill.grad


def test_one_position_without_a_cache_is_a_prompt(pair: tuple[Any, Any]) -> None:
    with guard.observe() as seen:
        pair[0](torch.tensor([[5]]))

    assert seen.prefills[0].ids == ((5,),)


@pytest.mark.parametrize(
    "texts", ["A.", ["A.", "2 plus 2 is"], ("A.", "B.")], ids=["one", "several", "tuple"]
)
def test_texts_and_their_ids(pair: tuple[Any, Any], texts: Any) -> None:
    with guard.observe() as seen:
        expected = pair[1](texts, add_special_tokens=False)["input_ids"]

    (encode,) = seen.encodings
    rows = [expected] if isinstance(texts, str) else expected
    assert encode.ids == tuple(map(tuple, rows))
    assert encode.texts == ((texts,) if isinstance(texts, str) else tuple(texts))
    assert not encode.special


def test_every_road_to_ids_is_one_event(pair: tuple[Any, Any]) -> None:
    tokenizer = pair[1]
    with guard.observe() as seen:
        plain = tokenizer.encode(PROMPTS[0])
        tokens = tokenizer.tokenize(PROMPTS[0])
        tokenizer.convert_tokens_to_ids(tokens)
        tokenizer.pad([{"input_ids": plain}, {"input_ids": plain[:2]}])
        tokenizer.apply_chat_template([{"role": "user", "content": "Hi."}], tokenize=True)
        tokenizer.decode(plain)
        tokenizer.batch_decode([plain, plain[:2]])

    assert [event.method for event in seen.encodings] == [
        "encode",
        "tokenize",
        "convert_tokens_to_ids",
        "pad",
    ]
    assert seen.encodings[2].ids == seen.encodings[0].ids == (tuple(plain),)
    assert len(seen.renders) == 1
    assert seen.renders[0].ids
    assert seen.renders[0].messages[0]["content"] == "Hi."
    assert [len(event.texts) for event in seen.decodings] == [1, 2]


def test_pipelines_are_seen_at_the_persons_line(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    ask = pipeline("text-generation", model=model, tokenizer=tokenizer)
    with guard.observe() as seen:
        ask(PROMPTS[0], max_new_tokens=2)

    (generate,) = seen.generations
    assert generate.site.filename == HERE
    assert len(seen.encodings) == 1
    assert generate.origins["max_new_tokens"] == "call"


def test_a_seed_is_a_seed_of_the_generator_that_samples(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    batch = tokenizer(PROMPTS[0], return_tensors="pt")
    with guard.observe() as seen:
        torch.seed()
        random.seed(0)
        model.generate(**batch, max_new_tokens=1, do_sample=True)
        set_seed(7)
        model.generate(**batch, max_new_tokens=1, do_sample=True)
        torch.default_generator.manual_seed(11)
        model.generate(**batch, max_new_tokens=1, do_sample=True)

    first, second, third = (event.seed for event in seen.generations)
    assert not first.seeded
    assert (second.seeded, second.value) == (True, 7)
    assert second.site is not None
    assert second.site.filename == HERE
    assert (third.seeded, third.value) == (True, 11)


def test_nothing_that_is_computed_changes(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    batch = tokenizer(PROMPTS, return_tensors="pt", padding=True)

    def work() -> tuple[Any, ...]:
        torch.manual_seed(1)
        ids = model.generate(**batch, max_new_tokens=8, do_sample=True, temperature=0.8)
        settings = model.generation_config.to_dict()
        texts = tokenizer.batch_decode(ids)
        return ids.tolist(), texts, settings, torch.get_rng_state().tolist(), model.training

    plain = work()
    with guard.observe():
        watched = work()

    assert watched == plain


def test_nothing_stays_on_classes_and_models(pair: tuple[Any, Any]) -> None:
    model, _ = pair
    before = {owner: dict(vars(owner)) for owner in (PreTrainedModel, PreTrainedTokenizerBase)}
    held = set(vars(model))
    with guard.observe():
        assert dict(vars(PreTrainedModel)) != before[PreTrainedModel]
        copied = copy.deepcopy(model)
        pickled = pickle.loads(pickle.dumps(model))
        model(torch.tensor([[5, 6]]))

    for owner, attributes in before.items():
        assert dict(vars(owner)) == attributes
    assert set(vars(model)) == set(vars(copied)) == set(vars(pickled)) == held


def test_what_raises_goes_on_raising(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    with guard.observe() as seen:
        with pytest.raises(ValueError, match="max_new_token"):
            model.generate(**tokenizer("A.", return_tensors="pt"), max_new_token=1)
        with pytest.raises(IndexError):
            model(torch.tensor([[10**6, 1]]))
        model.generate(**tokenizer("A.", return_tensors="pt"), max_new_tokens=1)

    assert [event.raised for event in seen.generations] == ["ValueError", None]
    assert len(seen.prefills) == 2


def test_threads_do_not_mix_their_generations(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    batches = [tokenizer(text, return_tensors="pt") for text in PROMPTS * 2]

    def ask(batch: Any) -> None:
        model.generate(**batch, max_new_tokens=3)

    with guard.observe() as seen:
        threads = [
            threading.Thread(target=ask, args=(batch,), name=f"asks-{number}")
            for number, batch in enumerate(batches)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(seen.generations) == len(seen.prefills) == 4
    by_number = {event.number: event for event in seen.generations}
    for prefill in seen.prefills:
        assert prefill.generation is not None
        assert by_number[prefill.generation].ids == prefill.ids
        assert by_number[prefill.generation].thread == prefill.thread


def test_two_observers_see_the_same(pair: tuple[Any, Any]) -> None:
    with guard.observe() as outer:
        with guard.observe() as inner:
            pair[1]("A.")
        pair[1]("B.")

    assert [event.texts for event in inner.encodings] == [("A.",)]
    assert [event.texts for event in outer.encodings] == [("A.",), ("B.",)]


def test_a_listener_gets_events_instead_of_a_list(pair: tuple[Any, Any]) -> None:
    heard: list[Any] = []
    with guard.observe(heard.append) as seen:
        pair[1]("A.")

    assert seen.events == ()
    assert [event.kind for event in heard] == ["encode"]


def test_events_are_frozen_and_json(pair: tuple[Any, Any]) -> None:
    model, tokenizer = pair
    with guard.observe() as seen:
        model.generate(**tokenizer("A.", return_tensors="pt"), max_new_tokens=1)

    with pytest.raises(FrozenInstanceError):
        seen.generations[0].ids = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        seen.generations[0].settings["top_k"] = 3  # type: ignore[index]
    assert json.loads(json.dumps(as_json(seen.events)))[-1]["kind"] == "prefill"


def test_a_guarded_call_says_so(tiny: guard.Loaded) -> None:
    model, tokenizer, _ = tiny
    with guard.observe() as seen:
        guard.CleanModelLoader.generate(model, tokenizer, "A.", max_new_tokens=1, engine="plain")

    assert all(event.guarded for event in (*seen.generations, *seen.prefills))
    assert seen.generations[0].site.filename == HERE


def test_a_guarded_call_that_decodes_by_itself_is_seen_by_its_prefills(tiny: guard.Loaded) -> None:
    model, tokenizer, _ = tiny
    with guard.observe() as seen:
        guard.CleanModelLoader.generate(model, tokenizer, "A.", max_new_tokens=2)

    assert seen.prefills
    assert all(event.guarded for event in seen.prefills)


@pytest.mark.parametrize("how", ["module", "forward", "in place"])
def test_compiled_models_are_seen(pair: tuple[Any, Any], how: str) -> None:
    model, tokenizer = pair
    ids = tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    plain = model(ids).logits
    with guard.observe() as seen, torch.no_grad():
        called = model
        if how == "module":
            called = torch.compile(model, backend="eager", fullgraph=True)
        elif how == "forward":
            model.forward = torch.compile(model.forward, backend="eager")
        else:
            model.compile(backend="eager")
        for _ in range(2):
            logits = called(ids).logits

    assert torch.equal(logits, plain)
    assert [event.ids for event in seen.prefills] == [tuple(map(tuple, ids.tolist()))] * 2
    assert not seen.blind


def test_adapters_are_seen_and_run_as_the_model_below(
    pair: tuple[Any, Any], tmp_path: Path, tiny_dir: Path
) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
    peft.get_peft_model(pair[0], config).save_pretrained(tmp_path / "adapter")
    with guard.observe() as seen:
        base = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
        tuned = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")
        batch = pair[1]("A.", return_tensors="pt")
        tuned.generate(**batch, max_new_tokens=2)
        tuned(**batch)
        tuned.save_pretrained(tmp_path / "again")
        AutoModelForCausalLM.from_pretrained(tmp_path / "adapter")

    base_load, adapter_load, silent = seen.loads
    assert (base_load.what, adapter_load.what) == ("model", "adapter")
    assert adapter_load.loaded["adapters"] == ("default",)
    assert silent.loaded["adapters"] == ("default",), "the adapter that nobody asked for"
    assert len(seen.generations) == 1
    assert len(seen.prefills) == 2
    assert [save.folder for save in seen.saves] == [str(tmp_path / "again")]


def test_a_trainers_batches_are_seen_with_their_labels(
    pair: tuple[Any, Any], tmp_path: Path
) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    model, tokenizer = pair
    rows = datasets.Dataset.from_dict({"text": PROMPTS * 2})
    with guard.observe() as seen:
        trainer = trl.SFTTrainer(
            model=model,
            args=trl.SFTConfig(
                output_dir=str(tmp_path),
                per_device_train_batch_size=2,
                max_steps=2,
                report_to=[],
                use_cpu=True,
                save_strategy="no",
                bf16=False,
            ),
            train_dataset=rows,
            processing_class=tokenizer,
        )
        trainer.train()

    assert len(seen.batches) == 2
    batch = seen.batches[0]
    assert batch.trainer == "SFTTrainer"
    assert set(batch.tensors) >= {"input_ids", "labels"}
    passes = [event for event in seen.prefills if event.batch == batch.number]
    assert len(passes) == 1
    assert passes[0].training
    assert passes[0].labels == batch.tensors["labels"]
    assert batch.site.filename == HERE


def test_importing_it_and_observing_imports_no_library() -> None:
    code = (
        "import sys, guard\n"
        "with guard.observe() as seen:\n"
        "    import json\n"
        "heavy = {'torch', 'transformers', 'tokenizers', 'numpy', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert seen.events == ()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_script_that_imports_inside_is_seen(tiny_dir: Path, tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    script.write_text(
        "import guard\n"
        "with guard.observe() as seen:\n"
        "    from transformers import AutoTokenizer\n"
        f"    tok = AutoTokenizer.from_pretrained({str(tiny_dir)!r})\n"
        "    tok(\n"
        "        'é', add_special_tokens=False)\n"
        "import transformers.tokenization_utils_base as base\n"
        "assert type(base.__spec__.loader).__module__.startswith('_frozen')\n"
        "for event in seen.events:\n"
        "    print(event.kind, event.site.line, event.site.end_line)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["load 4 4", "encode 5 6"], done.stderr
