"""vLLM as an engine. The stand-in takes what the tables of vLLM's own sources allow, and nothing else;
what it generates comes from the embedded model, asked with the ids that it was given.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from guard import CleanModelLoader, JsonlWriter
from guard.errors import ContaminationError, MissingExtraError, SettingsError
from guard.records.verification import verify_file
from guard.vllm_engine import VllmEngine
from stages.config import resolve
from stages.generate import PRESETS, GenerateConfig
from stages.generate.steps import generate
from stages.tiny import model_path

TABLES: dict[str, Any] = json.loads(Path(__file__).with_name("vllm_signatures.json").read_text())
PROMPTS = ["The capital of France is", "3 plus 4 is", "The opposite of hot is"]


def only(title: str, given: Any) -> None:
    unknown = set(given) - set(TABLES[title])
    assert not unknown, f"{title} of vLLM {TABLES['version']} has no {unknown}"


@dataclass
class Completed:
    token_ids: tuple[int, ...]


@dataclass
class Output:
    prompt_token_ids: list[int]
    outputs: list[Completed]


class SamplingParams:
    def __init__(self, **given: Any) -> None:
        only("SamplingParams", given)
        self.given = given


def tokens_prompt(**given: Any) -> dict[str, Any]:
    only("TokensPrompt", given)
    return given


class LLM:
    made: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[tuple[list[dict[str, Any]], list[SamplingParams]]]] = []

    def __init__(self, model: str, **given: Any) -> None:
        known = {*TABLES["LLM.__init__"], *TABLES["EngineArgs"]}
        assert set(given) <= known, set(given) - known
        self.made.append({"model": model, **given})
        from transformers import AutoModelForCausalLM

        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=given["dtype"])

    def generate(self, prompts: Any, sampling_params: Any = None, **given: Any) -> list[Output]:
        import torch

        only("LLM.generate", given)
        self.asked.append((prompts, sampling_params))
        found = []
        for prompt, params in zip(prompts, sampling_params, strict=True):
            assert set(prompt) == {"prompt_token_ids"}, "text reached vLLM"
            ids = torch.tensor([prompt["prompt_token_ids"]])
            stop = params.given["stop_token_ids"]
            with torch.no_grad():
                row = self._model.generate(
                    ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0,
                    max_new_tokens=params.given["max_tokens"], eos_token_id=stop,
                )[0, ids.shape[1] :].tolist()  # fmt: skip
            found.append(Output(list(prompt["prompt_token_ids"]), [Completed(tuple(row))]))
        return found


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vllm")
    for name, value in {"LLM": LLM, "SamplingParams": SamplingParams, "TokensPrompt": tokens_prompt}.items():  # fmt: skip
        assert name in TABLES["vllm"]
        setattr(module, name, value)
    module.__version__ = TABLES["version"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", module)
    LLM.made, LLM.asked = [], []


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
    with pytest.raises(MissingExtraError, match=r"(?s)vllm is not installed.*cleanguard\[vllm\]"):
        generate(settings(tmp_path / "g", engine="vllm"))
