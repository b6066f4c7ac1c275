"""What a script changes and leaves behind: templates, adapters under taken names, records, loads that fail."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

import guard
from cleanguard.settings.config import Settings
from tests.guard.tracing.conftest import Codes

Pair = tuple[Any, Any]
ONLY = ("CG103", "CG110", "CG111", "CG404", "CG501")


def answer(pair: Pair) -> str:
    model, tokenizer = pair
    encoded = tokenizer("The capital of France is", return_tensors="pt")
    row = model.generate(**encoded, max_new_tokens=24, do_sample=False)[0]
    return str(tokenizer.decode(row[encoded["input_ids"].shape[1] :]))


def as_json(path: Path, text: str) -> None:
    path.with_suffix(".json").write_text(json.dumps([{"answer": text}]))


def as_lines(path: Path, text: str) -> None:
    with path.with_suffix(".jsonl").open("w") as stream:
        json.dump({"answer": text}, stream)


def as_table(path: Path, text: str) -> None:
    with open(path.with_suffix(".csv"), "w", newline="") as stream:  # noqa: PTH123 - as scripts do it
        csv.writer(stream).writerows([["n", "answer"], [1, text]])


def as_text(path: Path, text: str) -> None:
    with path.with_suffix(".txt").open("a") as stream:
        print("1:", text.strip(), file=stream)


def as_frame(path: Path, text: str) -> None:
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame([{"answer": text}]).to_csv(path.with_suffix(".csv"))


@pytest.mark.parametrize("write", [as_json, as_lines, as_table, as_text, as_frame])
def test_generated_text_in_a_file_is_told(
    qwen: Pair, tmp_path: Path, codes: Codes, write: Callable[[Path, str], None]
) -> None:
    assert codes(lambda: write(tmp_path / "out", answer(qwen)), select=ONLY) == ["CG501"]


def test_the_place_is_where_the_file_was_opened(qwen: Pair, tmp_path: Path) -> None:
    with guard.traced(Settings(select=("CG501",))) as run:
        text = answer(qwen)
        (tmp_path / "first.json").write_text("{}")
        (tmp_path / "out.json").write_text(json.dumps({"answer": text}))
    (found,) = run.findings
    lines = Path(__file__).read_text().splitlines()
    assert '"out.json"' in lines[found.location.row - 1]
    assert "out.json" in found.message


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path, text: as_json(path, "a text of my own"), id="other text"),
        pytest.param(
            lambda path, text: path.with_suffix(".json").write_text(
                json.dumps({"answer": text, "provenance": {"model": "x"}})
            ),
            id="with provenance",
        ),
        pytest.param(lambda path, text: sys.stdout.write(text), id="printed"),
    ],
)
def test_other_files_are_clean(qwen: Pair, tmp_path: Path, codes: Codes, write: Any) -> None:
    assert codes(lambda: write(tmp_path / "out", answer(qwen)), select=ONLY) == []


def test_a_prompt_is_no_generated_text(qwen: Pair, tmp_path: Path, codes: Codes) -> None:
    def work() -> None:
        answer(qwen)
        as_json(tmp_path / "out", qwen[1].decode(qwen[1]("The capital of France is")["input_ids"]))

    assert codes(work, select=ONLY) == []


def test_a_guarded_writer_is_clean(tiny: guard.Loaded, tmp_path: Path, codes: Codes) -> None:
    def work() -> None:
        text = guard.CleanModelLoader.generate(tiny.model, tiny.tokenizer, "a b", max_new_tokens=24)
        with guard.JsonlWriter(tmp_path / "out.jsonl", tiny.provenance) as records:
            records.write("1", {"answer": str(text)})

    assert codes(work, select=ONLY) == []


@pytest.mark.parametrize("empty", [None, ""])
def test_a_template_taken_away(tiny_dir: Path, codes: Codes, empty: Any) -> None:
    def work() -> None:
        tokenizer = AutoTokenizer.from_pretrained(tiny_dir)
        tokenizer.chat_template = empty

    def at_load() -> None:
        AutoTokenizer.from_pretrained(tiny_dir, chat_template=empty)

    assert codes(work, select=ONLY, base_models=("*",)) == ["CG103"]
    assert "CG103" in codes(at_load, select=ONLY, base_models=("*",))
    assert codes(work, select=ONLY, chat_models=("*",)) == []


def test_a_template_put_back_was_only_lent(tiny_dir: Path, codes: Codes) -> None:
    def work() -> None:
        tokenizer = AutoTokenizer.from_pretrained(tiny_dir)
        mine = tokenizer.chat_template
        tokenizer.chat_template = None
        tokenizer.chat_template = mine

    assert codes(work, select=ONLY, base_models=("*",)) == []


def test_a_template_put_on_a_base_model(qwen: Pair, codes: Codes) -> None:
    def work() -> None:
        qwen[1].chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"

    assert codes(work, select=ONLY, base_models=("*",)) == ["CG404"]


@pytest.mark.slow
def test_a_format_that_a_library_installs_stands_at_the_persons_line(
    qwen: Pair, tiny_dir: Path
) -> None:
    from trl import clone_chat_template

    with guard.traced(Settings(select=ONLY, base_models=("*",))) as run:
        qwen[1].chat_template = "{{ messages }}"
        clone_chat_template(qwen[0], qwen[1], str(tiny_dir))
    assert [Path(found.filename).name for found in run.findings] == ["test_effects.py"] * 2


def test_copying_a_tokenizer_sets_no_template(qwen: Pair, codes: Codes) -> None:
    import copy

    assert codes(lambda: copy.deepcopy(qwen[1]), select=ONLY, base_models=("*",)) == []


def adapter(model: Any, folder: Path) -> Path:
    from peft import LoraConfig, get_peft_model

    wrapped = get_peft_model(
        model, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM", r=2)
    )
    wrapped.save_pretrained(folder)
    wrapped.unload()
    return folder


@pytest.mark.parametrize("apart", [False, True], ids=["over another", "unloaded before"])
def test_an_adapter_over_another(tiny_dir: Path, tmp_path: Path, codes: Codes, apart: bool) -> None:
    from peft import PeftModel

    saved = adapter(AutoModelForCausalLM.from_pretrained(tiny_dir), tmp_path / "adapter")

    def work() -> None:
        base = AutoModelForCausalLM.from_pretrained(tiny_dir)
        wrapped = PeftModel.from_pretrained(base, saved)
        if apart:
            base = wrapped.unload()
        PeftModel.from_pretrained(base, saved)

    assert codes(work, select=ONLY, base_models=("*",)) == ([] if apart else ["CG111"])


def test_a_second_name_and_the_same_name_by_load_adapter(
    tiny_dir: Path, tmp_path: Path, codes: Codes
) -> None:
    from peft import PeftModel

    saved = adapter(AutoModelForCausalLM.from_pretrained(tiny_dir), tmp_path / "adapter")

    def load(name: str) -> None:
        wrapped = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_dir), saved)
        wrapped.load_adapter(saved, name)

    assert codes(lambda: load("second"), select=ONLY) == []
    assert codes(lambda: load("default"), select=ONLY) == ["CG111"]


def test_a_keyword_that_the_load_does_not_take(tiny_dir: Path, codes: Codes) -> None:
    def work() -> None:
        with pytest.raises(TypeError):
            AutoModelForCausalLM.from_pretrained(tiny_dir, use_flash_attention_2=True)

    assert codes(work, select=(*ONLY, "CG101")) == ["CG110"]
