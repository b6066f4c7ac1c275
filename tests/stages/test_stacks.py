"""An adapter that was trained on top of another one is put on top of it, and nowhere else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from cleanguard.errors import JobError
from stages import audit, dpo, evaluate
from stages.config import resolve
from stages.dpo.steps import prefer
from stages.preferences import PRESETS as PREFERENCES_PRESETS
from stages.preferences import PreferencesConfig
from stages.preferences.steps import make_pairs
from stages.reports.results import read_results
from stages.tiny import model_path


@pytest.fixture(scope="module")
def above(pairs: Path, sft_adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dpo adapter on the merged sft model, far enough from it to be told apart."""
    out = tmp_path_factory.mktemp("above") / "dpo"
    overrides = {
        "data": str(pairs), "sft": str(sft_adapter), "out": str(out), "init": "merged",
        "train.steps": "12", "train.learning_rate": "3e-3", "train.save_steps": "0",
    }  # fmt: skip
    prefer(resolve(dpo.CONFIG, dpo.PRESETS, overrides=overrides))
    return out / "adapter"


def config(out: Path, **changes: str) -> evaluate.EvaluateConfig:
    quick = {"out": str(out), "plan.resamples": "100", "limit": "60", "html": "false"}
    return resolve(evaluate.CONFIG, evaluate.PRESETS, overrides={**quick, **changes})


def answers(folder: Path, subject: str) -> dict[str, str]:
    return {r.item: r.text for r in read_results(folder) if r.subject == subject}


@pytest.mark.slow
def test_the_lineage_puts_the_stack_together(
    above: Path, sft_adapter: Path, tmp_path: Path
) -> None:
    evaluate.run(
        config(
            tmp_path / "run", adapters=f"sft={sft_adapter},dpo={above},said={sft_adapter}+{above}"
        )
    )
    found = {name: answers(tmp_path / "run", name) for name in ("base", "sft", "dpo", "said")}
    assert found["dpo"] == found["said"]
    assert sum(found["dpo"][item] != found["sft"][item] for item in found["sft"]) > 3
    sources = json.loads((tmp_path / "run" / "report.json").read_text())["sources"]
    assert [one["path"] for one in sources["dpo"]["adapters"]] == [
        str(sft_adapter.resolve()), str(above.resolve()),
    ]  # fmt: skip
    assert [one["on"] for one in sources["dpo"]["adapters"]] == [None, "default"]
    assert len(sources["sft"]["adapters"]) == 1
    assert _merged_by_hand(sft_adapter, above, found["dpo"]) == found["dpo"]
    raw = _merged_by_hand(None, above, found["dpo"])
    assert raw != found["dpo"], "on the bare base it is another model"


def _merged_by_hand(below: Path | None, above: Path, wanted: dict[str, str]) -> dict[str, str]:
    """What transformers and peft by themselves make of the adapters, merged one after the other."""
    tokenizer = AutoTokenizer.from_pretrained(model_path(), padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(model_path(), dtype=torch.float32)
    for path in filter(None, (below, above)):
        model = PeftModel.from_pretrained(model, path).merge_and_unload()
    prompts = [f"Instruction: {item}\nResponse:" for item in wanted]
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    with torch.no_grad():
        output = model.generate(**batch, max_new_tokens=20, do_sample=False)
    texts = tokenizer.batch_decode(output[:, batch.input_ids.shape[1] :], skip_special_tokens=True)
    return dict(zip(wanted, texts, strict=True))


@pytest.mark.slow
def test_a_stack_can_be_audited(above: Path, tmp_path: Path) -> None:
    settings = {"adapter": str(above), "quick": "true", "out": str(tmp_path / "a")}
    audit.run(resolve(audit.CONFIG, audit.PRESETS, overrides=settings))
    provenance = json.loads((tmp_path / "a" / "audit.json").read_text())["provenance"]
    assert len(provenance["adapters"]) == 2


@pytest.mark.slow
def test_a_stack_that_cannot_be_is_refused(above: Path, sft_adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="below it would count twice"):
        evaluate.run(config(tmp_path / "twice", adapters=f"x={sft_adapter}+{sft_adapter}"))
    other = tmp_path / "moved" / "dpo" / "adapter"
    shutil.copytree(above, other)
    lineage = json.loads((other / "lineage.json").read_text())
    lineage["on"][0]["path"] = str(tmp_path / "gone" / "sft" / "adapter")
    (other / "lineage.json").write_text(json.dumps(lineage))
    with pytest.raises(JobError, match=r"which is not there; say where it is: dpo=THAT\+"):
        evaluate.run(config(tmp_path / "gone", adapters=f"dpo={other}"))
    beside = tmp_path / "moved" / "sft" / "adapter"
    shutil.copytree(above, beside)
    with pytest.raises(JobError, match="which holds another adapter now"):
        evaluate.run(config(tmp_path / "changed", adapters=f"dpo={other}"))
    shutil.rmtree(beside)
    shutil.copytree(sft_adapter, beside)
    evaluate.run(config(tmp_path / "found", adapters=f"dpo={other}"))
    assert answers(tmp_path / "found", "dpo")


@pytest.mark.slow
def test_stages_that_take_one_adapter_say_so(above: Path, tmp_path: Path) -> None:
    settings = {"adapter": str(above), "out": str(tmp_path / "p")}
    with pytest.raises(JobError, match="stands on another adapter"):
        make_pairs(
            resolve(PreferencesConfig, PREFERENCES_PRESETS, preset="tiny", overrides=settings)
        )


def test_merging_into_quantized_weights_is_refused() -> None:
    with pytest.raises(JobError, match="merging rounds the sft adapter"):
        resolve(dpo.CONFIG, dpo.PRESETS, preset="qwen2.5-32b", overrides={"init": "merged"})
