"""vLLM as an engine, with the stand-in of `vllm_stand_in.py`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from guard import CleanModelLoader, JsonlWriter
from guard.errors import (
    BrokenModelError,
    ContaminationError,
    EngineStartError,
    GuardWarning,
    MissingExtraError,
    MissingWeightsError,
    SettingsError,
    TokenizerMismatchError,
    TruncatedPromptError,
)
from guard.records.verification import verify_file
from guard.vllm_engine import VllmEngine
from stages.config import resolve
from stages.generate import PRESETS, GenerateConfig
from stages.generate.steps import generate
from stages.tiny import model_path
from tests.guard.vllm_stand_in import LLM, TABLES, Output, SamplingParams, put_in_place

PROMPTS = ["The capital of France is", "3 plus 4 is", "The opposite of hot is"]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(monkeypatch)


@pytest.fixture
def engine() -> VllmEngine:
    return VllmEngine(CleanModelLoader(model_path(), dtype="float32").request)


def test_the_fields_that_are_read_exist() -> None:
    assert {"prompt_token_ids", "outputs"} <= set(TABLES["RequestOutput"])
    assert "token_ids" in TABLES["CompletionOutput"]


def test_vllm_has_no_tokenizer_and_inherits_nothing(engine: VllmEngine) -> None:
    [made] = LLM.made
    assert made["model"] == str(model_path().resolve())
    assert made["skip_tokenizer_init"] is True
    assert made["generation_config"] == "vllm"
    assert (made["load_format"], made["dtype"]) == ("safetensors", "float32")
    assert made["trust_remote_code"] is False


def test_greedy_texts_are_those_of_transformers(engine: VllmEngine, tiny: Any) -> None:
    mine = engine.complete(PROMPTS, max_new_tokens=12)
    theirs = CleanModelLoader.complete(tiny.model, tiny.tokenizer, PROMPTS, max_new_tokens=12)
    assert [(a.text, a.ids, a.finish_reason, a.prompt_tokens) for a in mine] == [
        (b.text, b.ids, b.finish_reason, b.prompt_tokens) for b in theirs
    ]
    [(prompts, params)] = LLM.asked
    rows = [CleanModelLoader.encode(tiny.tokenizer, p)["input_ids"][0].tolist() for p in PROMPTS]
    assert [one["prompt_token_ids"] for one in prompts] == rows
    first = params[0].given
    assert (first["temperature"], first["max_tokens"], first["seed"]) == (0.0, 12, None)
    assert first["stop_token_ids"] == [tiny.tokenizer.eos_token_id]
    assert first["detokenize"] is False


def test_each_text_has_its_own_seed_whatever_the_order(engine: VllmEngine, tiny: Any) -> None:
    asked = {"max_new_tokens": 4, "temperature": 0.7, "seed": 5, "num_return_sequences": 2}
    seeds = [
        [one.seed for one in engine.complete(texts, **asked)] for texts in (PROMPTS, PROMPTS[::-1])
    ]
    assert len(set(seeds[0])) == 6
    assert seeds[1] == [*seeds[0][4:], *seeds[0][2:4], *seeds[0][:2]]
    ours = CleanModelLoader.complete(tiny.model, tiny.tokenizer, PROMPTS, **asked)
    assert [one.seed for one in ours] == seeds[0]
    assert [p.given["seed"] for p in LLM.asked[0][1]] == seeds[0]
    assert LLM.asked[0][1][0].given["temperature"] == 0.7


def test_no_prompt_of_a_chat_reaches_vllm(engine: VllmEngine) -> None:
    with pytest.raises(ContaminationError, match="CG204"):
        engine.complete(["fine", "<|im_start|>user\nHi<|im_end|>"], max_new_tokens=4)
    assert not LLM.asked


def test_other_ids_than_were_given_are_told(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LLM.generate

    def templated(self: LLM, *args: Any, **given: Any) -> list[Output]:
        found = real(self, *args, **given)
        found[1].prompt_token_ids.insert(0, 1)
        return found

    monkeypatch.setattr(LLM, "generate", templated)
    with pytest.raises(ContaminationError, match="prompt 1 had other ids"):
        engine.complete(PROMPTS, max_new_tokens=4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_beams": 2}, "num_beams"),
        ({"stop_strings": ["."]}, "stop_strings"),
        ({"no_repeat_ngram_size": 2}, "no_repeat_ngram_size"),
    ],
)
def test_what_vllm_does_not_have_is_refused(
    engine: VllmEngine, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        engine.complete(PROMPTS, max_new_tokens=4, **settings)


def test_an_end_beyond_the_models_ids_is_refused(engine: VllmEngine, tiny: Any) -> None:
    rows = tiny.model.get_input_embeddings().weight.shape[0]
    with pytest.raises(SettingsError, match=f"eos_token_id={rows}"):
        engine.complete(["A dog"], max_new_tokens=2, eos_token_id=rows)


@pytest.mark.parametrize("asked", ["load_in_8bit", "load_in_4bit", "for_training", "allow_pickle"])
def test_loads_that_vllm_cannot_follow_are_refused(asked: str) -> None:
    with pytest.raises(SettingsError, match="vLLM was asked for with"):
        VllmEngine(CleanModelLoader(model_path(), **{asked: True}).request)  # type: ignore[arg-type]
    assert not LLM.made


def test_records_say_which_engine_made_them(engine: VllmEngine, tmp_path: Path) -> None:
    with JsonlWriter(tmp_path / "out.jsonl", engine.provenance) as out:
        out.write("a", engine.complete(PROMPTS[:1], max_new_tokens=4)[0])
    verdict = verify_file(tmp_path / "out.jsonl")
    assert verdict.ok
    assert any(f"engine: vllm {TABLES['version']}" in note for note in verdict.notes)
    load = engine.provenance.to_dict()
    assert load["model"]["weights"]["digest"]
    assert load["model"]["devices"] == []  # not measured, so not said


def settings(out: Path, **changes: str) -> GenerateConfig:
    overrides = {"out": str(out), "count": "24", **changes}
    return resolve(GenerateConfig, PRESETS, preset="tiny", overrides=overrides)


def test_the_stage_writes_the_same_data_with_either_engine(tmp_path: Path) -> None:
    generate(settings(tmp_path / "vllm", engine="vllm"))
    generate(settings(tmp_path / "hf"))
    for name in ("dataset.jsonl", "dropped.jsonl"):
        mine, theirs = (
            [
                {field: one[field] for field in one if field != "provenance"}
                for one in map(json.loads, (tmp_path / side / name).read_text().splitlines())
            ]
            for side in ("vllm", "hf")
        )
        assert mine == theirs
    manifest = json.loads((tmp_path / "vllm" / "manifest.json").read_text())
    assert manifest["params"]["engine"] == f"vllm {TABLES['version']}"


def test_a_missing_vllm_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtraError, match=r"(?s)vllm is not installed.*\[vllm\]"):
        generate(settings(tmp_path / "g", engine="vllm"))


def request_of(path: Path | None = None, **options: Any) -> Any:
    return CleanModelLoader(path or model_path(), dtype="float32", **options).request


def altered(target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the embedded model with other tensors."""
    shutil.copytree(model_path(), target)
    tensors = load_file(target / "model.safetensors")
    change(tensors)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    return target


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda tensors: tensors.pop(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("model.layers.1.mlp.up_proj.weight"), "lack 1 of"),
        (without("model.layers.0.self_attn.q_proj.bias"), "lack 1 of"),
        (without("model.norm.weight"), "lack 1 of"),
        (lambda t: t.update({"model.norm.weight": t["model.norm.weight"][:64].clone()}), "shape"),
        (
            lambda t: t.update({"model.layers.9.mlp.up_proj.weight": t["model.norm.weight"].clone()}),
            "leaves out",
        ),
    ],
    ids=["no linear", "no bias", "no norm", "another shape", "a layer too many"],
)  # fmt: skip
def test_weights_that_are_not_whole_never_start(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    with pytest.raises(MissingWeightsError, match=said):
        VllmEngine(request_of(altered(tmp_path / "m", change)))
    assert not LLM.made


@pytest.mark.parametrize("name", ["model-00002-of-00002.safetensors", "old.safetensors", "consolidated.safetensors"])  # fmt: skip
def test_a_second_file_of_weights_is_refused(tmp_path: Path, name: str) -> None:
    target = altered(tmp_path / "m", lambda tensors: None)
    save_file({"model.norm.weight": load_file(target / "model.safetensors")["model.norm.weight"]}, target / name)  # fmt: skip
    with pytest.raises(SettingsError, match=f"holds {name} beside model.safetensors"):
        VllmEngine(request_of(target))
    assert not LLM.made


def configured(target: Path, **changes: Any) -> Path:
    shutil.copytree(model_path(), target)
    file = target / "config.json"
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return target


def test_a_quantization_in_the_config_is_refused(tmp_path: Path) -> None:
    for number, stored in enumerate(({"quant_method": "fp8"}, {"quant_method": "gptq", "bits": 4})):
        path = configured(tmp_path / str(number), quantization_config=stored)
        with pytest.raises(SettingsError, match=rf"says {stored['quant_method']}, which vLLM"):
            VllmEngine(request_of(path))
    assert not LLM.made


def test_the_dtype_is_the_one_that_transformers_takes(tmp_path: Path) -> None:
    for number, (named, taken) in enumerate(((None, "bfloat16"), ("float16", "float16"))):
        path = configured(tmp_path / str(number), dtype=named)
        VllmEngine(CleanModelLoader(path).request)
        assert LLM.made[-1]["dtype"] == taken
        assert LLM.made[-1]["config_format"] == "hf"


def test_ids_beyond_the_embedding_never_reach_vllm(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guard.vllm_engine.encode_rows", lambda *_, **__: [[5], [7, 702, 9]])
    with pytest.raises(TokenizerMismatchError, match=r"prompt 1 has id 702.*702 rows"):
        engine.complete(["a", "b"], max_new_tokens=2)
    assert not LLM.asked


def test_texts_end_where_the_context_ends(tiny: Any) -> None:
    engine = VllmEngine(request_of(), context=16)
    with pytest.warns(
        GuardWarning, match=r"may reach \d+ positions and vLLM reads 16; 3 texts end"
    ):
        found = engine.complete(PROMPTS, max_new_tokens=40)
    [(_, params)] = LLM.asked
    rows = [len(CleanModelLoader.encode(tiny.tokenizer, p)["input_ids"][0]) for p in PROMPTS]
    assert [one.given["max_tokens"] for one in params] == [16 - row for row in rows]
    assert all(one.prompt_tokens + len(one.ids) <= 16 for one in found)
    assert any(event.kind == "warning" for event in engine._state.events)


@pytest.mark.parametrize(
    ("words", "asked"), [(16, {}), (12, {"min_new_tokens": 8}), (17, {})], ids=["full", "less", "over"]
)  # fmt: skip
def test_a_prompt_without_room_is_refused(words: int, asked: dict[str, Any], tiny: Any) -> None:
    engine = VllmEngine(request_of(), context=16)
    prompt = tiny.tokenizer.decode(CleanModelLoader.encode(tiny.tokenizer, "A dog" + " is" * 40)["input_ids"][0][:words])  # fmt: skip
    with pytest.raises(TruncatedPromptError, match=rf"prompt 0 has {words} tokens"):
        engine.complete([prompt], max_new_tokens=8, **asked)
    assert not LLM.asked


@pytest.mark.parametrize("temperature", [0.001, 0.0099, 2.5, 1e-7])
def test_a_temperature_that_vllm_would_change_is_refused(
    engine: VllmEngine, temperature: float
) -> None:
    with pytest.raises(SettingsError, match=r"0\.01 to 2"):
        engine.complete(PROMPTS, max_new_tokens=2, temperature=temperature, seed=1)


def test_a_setting_that_vllm_changes_or_refuses_is_told(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Changing(SamplingParams):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.min_p = 0.5

    monkeypatch.setattr(engine._vllm, "SamplingParams", Changing)
    with pytest.raises(SettingsError, match=r"takes min_p=0.5 for min_p=0.0"):
        engine.complete(PROMPTS, max_new_tokens=2)

    def refusing(**given: Any) -> None:
        raise ValueError("top_k must be a prime")

    monkeypatch.setattr(engine._vllm, "SamplingParams", refusing)
    with pytest.raises(SettingsError, match="top_k must be a prime"):
        engine.complete(PROMPTS, max_new_tokens=2)


@pytest.mark.parametrize("given", ["abc", b"abc", {"a": 1}, 3])
def test_one_text_is_no_list_of_prompts(engine: VllmEngine, given: Any) -> None:
    with pytest.raises(SettingsError, match="takes a list of prompts"):
        engine.complete(given, max_new_tokens=2)
    assert engine.complete([], max_new_tokens=2) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("device_map", "auto"),
        ("attn_implementation", "eager"),
        ("key_mapping", {"a": "b"}),
        ("variant", "fp16"),
        ("tp_plan", "auto"),
        ("max_memory", {0: "1GiB"}),
        ("experts_implementation", "grouped_mm"),
        ("disable_mmap", True),
        ("offload_buffers", True),
        ("allow_adapter", True),
        ("bnb_4bit_quant_type", "nf4"),
    ],
)
def test_what_vllm_would_not_follow_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"asked for with .*{option}"):
        VllmEngine(request_of(**{option: value}))
    assert not LLM.made


def test_a_longer_context_than_the_model_has_is_refused() -> None:
    with pytest.raises(SettingsError, match="made for 512"):
        VllmEngine(request_of(), context=4096)


def test_an_engine_that_cannot_start_says_why_before_weights_are_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(self: LLM, **given: Any) -> None:
        try:
            raise ValueError("Free memory on device is less than desired")
        except ValueError as error:
            raise RuntimeError("Engine core initialization failed") from error

    def measured(*_: Any) -> None:
        raise AssertionError("the weights were measured")

    monkeypatch.setattr(LLM, "__init__", failing)
    monkeypatch.setattr("guard.loading.vllm_record.weights_record", measured)
    with pytest.raises(EngineStartError, match=r"could not start: ValueError: Free memory"):
        VllmEngine(request_of())


def test_an_engine_that_ends_is_told(engine: VllmEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(self: LLM, *_: Any, **__: Any) -> None:
        raise RuntimeError("EngineCore encountered an issue")

    monkeypatch.setattr(LLM, "generate", dying)
    with pytest.raises(EngineStartError, match="gave up: RuntimeError: EngineCore"):
        engine.complete(PROMPTS, max_new_tokens=2)


def test_what_vllm_prints_goes_to_standard_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import random

    real, told = LLM.__init__, LLM.generate

    def noisy(self: LLM, **given: Any) -> None:
        sys.stdout.write("from Python\n")
        os.write(1, b"from a library\n")
        random.seed(0)
        real(self, **given)

    def saying(self: LLM, *args: Any, **given: Any) -> list[Output]:
        sys.stdout.write("while it generates\n")
        return told(self, *args, **given)

    monkeypatch.setattr(LLM, "__init__", noisy)
    monkeypatch.setattr(LLM, "generate", saying)
    random.seed(11)
    state = random.getstate()
    VllmEngine(request_of()).complete(PROMPTS[:1], max_new_tokens=2)
    out, err = capfd.readouterr()
    assert out == ""
    assert all(words in err for words in ("from Python", "from a library", "while it generates"))
    assert random.getstate() == state


def test_its_environment_is_set_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_NO_USAGE_STATS", "VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_LOGGING_STREAM"):
        monkeypatch.delenv(name, raising=False)
    engine = VllmEngine(request_of())
    [check] = [one for one in engine.provenance.checks if one.name == "engine-environment"]
    assert "VLLM_NO_USAGE_STATS=1" in check.detail
    # With one device nothing of vLLM outlives this process.
    assert "VLLM_ENABLE_V1_MULTIPROCESSING=0" in check.detail


def test_a_script_that_vllm_would_import_again_is_told(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    body = "from guard.base.script import refuse_unguarded_script as look\n"
    for call, code in (
        ("look(2)", 1),
        ("look(1)", 0),
        ('if __name__ == "__main__":\n    look(2)', 0),
    ):
        script.write_text(body + call + "\n")
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        if code:
            assert f"{script}:2: vLLM starts processes" in done.stderr


def test_a_finished_run_starts_no_engine(tmp_path: Path) -> None:
    first = generate(settings(tmp_path / "g", engine="vllm"))
    assert len(LLM.made) == 1
    again = generate(settings(tmp_path / "g", engine="vllm"))
    assert len(LLM.made) == 1
    assert again.lines == ("every answer was there already: vLLM was not started", *first.lines)


QUESTIONS = [
    ("The capital of France is", [" Paris.", " Berlin.", " a city and"]),
    ("", ["A dog is an animal."]),
    ("The capital of France is ", ["Paris."]),
]


def test_scores_are_those_of_the_loader(engine: VllmEngine, tiny: Any) -> None:
    mine = engine.score_batch(QUESTIONS)
    theirs = CleanModelLoader.score_batch(tiny.model, tiny.tokenizer, QUESTIONS)
    for ours, others in zip(mine, theirs, strict=True):
        for one, other in zip(ours, others, strict=True):
            assert (one.ids, one.context, one.borrowed) == (
                other.ids,
                other.context,
                other.borrowed,
            )
            assert (one.is_greedy, one.ties) == (other.is_greedy, other.ties)
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_what_cannot_be_scored_is_refused(engine: VllmEngine) -> None:
    with pytest.raises(ContaminationError):
        engine.score_batch([("fine", [" yes"]), ("<|im_start|>user", [" Hi"])])
    with pytest.raises(SettingsError):
        engine.score_batch([("fine", " yes")])  # type: ignore[list-item]
    with pytest.raises(TruncatedPromptError):
        VllmEngine(request_of(), context=8).score_batch([("A dog is an animal. " * 4, [" It is."])])
    assert engine.score_batch([]) == []
    assert not LLM.asked


def test_scores_that_are_no_numbers_are_told(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LLM.generate

    def broken(self: LLM, *args: Any, **given: Any) -> list[Output]:
        found = real(self, *args, **given)
        for told in (found[0].prompt_logprobs or [])[1:]:
            assert told is not None
            for one in told.values():
                one.logprob = float("nan")
        return found

    monkeypatch.setattr(LLM, "generate", broken)
    with pytest.raises(BrokenModelError, match="no numbers"):
        engine.score_batch(QUESTIONS[:1])


TEXTS = ["The capital of France is Paris. 3 plus 4 is 7.", "A dog is an animal. " * 60]


def test_perplexity_is_that_of_the_loader(engine: VllmEngine, tiny: Any) -> None:
    mine = engine.perplexity(TEXTS, window=40, overlap=8)
    theirs = CleanModelLoader.perplexity(tiny.model, tiny.tokenizer, TEXTS, window=40, overlap=8)
    assert (mine.window, mine.overlap) == (theirs.window, theirs.overlap) == (40, 8)
    assert mine.texts[1].windows > 4
    for one, other in zip((mine, *mine.texts), (theirs, *theirs.texts), strict=True):
        assert (one.tokens, one.bytes, one.windows) == (other.tokens, other.bytes, other.windows)
        assert one.logprob == pytest.approx(other.logprob, abs=1e-3)
    # It reads a window's last token too, and writes one behind it.
    assert engine.perplexity(TEXTS).window == 510
    assert max(len(one["prompt_token_ids"]) for one in LLM.asked[-1][0]) <= 511


def test_a_row_is_read_once(engine: VllmEngine) -> None:
    engine.score_batch([*QUESTIONS, *QUESTIONS, ("The capital of France", [" is Paris."])])
    [(prompts, _)] = LLM.asked
    assert len(prompts) == 4  # a prompt that ends in the space gives the same ids, too


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"window": 511}, "window=511, and vLLM can score 510 positions"),
        ({"window": 8, "overlap": 9}, "no room for a token"),
        ({"texts": "one"}, "not a list"),
        ({"texts": []}, "no text"),
        ({"texts": [""]}, "text 0 is ''"),
    ],
)
def test_windows_and_texts_that_cannot_be_scored_are_refused(
    engine: VllmEngine, given: dict[str, Any], said: str
) -> None:
    asked = {"texts": TEXTS, **given}
    with pytest.raises(SettingsError, match=said):
        engine.perplexity(**asked)
    with pytest.raises(SettingsError, match=said):
        engine.check_texts(**asked)
    assert not LLM.asked


def test_what_would_be_asked_is_looked_at_without_asking(tiny: Any) -> None:
    engine = VllmEngine(request_of(), context=16, lazy=True)
    long = tiny.tokenizer.decode(CleanModelLoader.encode(tiny.tokenizer, "A dog" + " is" * 40)["input_ids"][0][:16])  # fmt: skip
    engine.check_prompts(PROMPTS)
    engine.check_questions(QUESTIONS)
    with pytest.raises(TruncatedPromptError, match="15 fit"):
        engine.check_prompts([long])
    with pytest.raises(TruncatedPromptError):
        engine.check_questions([(long, [" yes"])])
    with pytest.raises(ContaminationError):
        engine.check_texts(["<|im_start|>user"])
    assert not engine.started


def test_records_have_what_happened_to_the_engine(tmp_path: Path) -> None:
    engine = VllmEngine(request_of(), context=16)
    with JsonlWriter(tmp_path / "out.jsonl", engine) as out:
        with pytest.warns(GuardWarning, match="texts end there"):
            found = engine.complete(PROMPTS[:1], max_new_tokens=40)
        engine.score_batch([("a <s> tag", [" yes"])], special_tokens="text")
        out.write("a", found[0])
    statement = json.loads((tmp_path / "out.jsonl.intoto.json").read_text())
    [run] = statement["predicate"]["runs"]
    kinds = [event["kind"] for event in run["events"]["model"]]
    assert kinds == ["warning", "special-tokens-as-text"]
    assert [event.kind for event in engine.provenance.events] == kinds
    assert verify_file(tmp_path / "out.jsonl").ok


def test_a_log_probability_that_is_not_told_is_an_error(
    engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LLM.generate

    def silent(self: LLM, *args: Any, **given: Any) -> list[Output]:
        found = real(self, *args, **given)
        for one in found:
            one.prompt_logprobs = None
        return found

    monkeypatch.setattr(LLM, "generate", silent)
    with pytest.raises(BrokenModelError, match="no numbers"):
        engine.score_batch(QUESTIONS[:1])
