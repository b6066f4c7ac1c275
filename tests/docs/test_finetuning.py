"""The code of docs/finetuning.md runs, on the embedded model; what needs a GPU says so."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from transformers import AutoTokenizer

from guard import CleanModelLoader, provenance_of
from guard.errors import ContaminationError, GuardError, TemplateOnBaseError
from stages.tiny import model_path

PAGE = Path(__file__).parents[2] / "docs" / "finetuning.md"
NOT_RUN = "# not run: needs a GPU"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that the page's code leaves behind."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    code = "".join(block for block in blocks if not block.startswith(NOT_RUN))
    code = code.replace('"Qwen/Qwen2.5-7B"', repr(str(model_path())))
    code = code.replace("report_to=[]", "report_to=[], use_cpu=True, bf16=False, disable_tqdm=True")
    names: dict[str, Any] = {"OUTPUT": str(tmp_path_factory.mktemp("output"))}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


@pytest.mark.slow
def test_the_adapter_is_judged_beside_its_base(ran: dict[str, Any]) -> None:
    assert isinstance(ran["before"], str)
    assert provenance_of(ran["base"]).adapters == ()
    [adapter] = provenance_of(ran["tuned"]).adapters
    assert adapter.name == "sft"


@pytest.mark.slow
def test_the_trainer_saved_the_original_tokenizer(ran: dict[str, Any]) -> None:
    saved = Path(ran["OUTPUT"])
    for name in ("tokenizer.json", "chat_template.jinja"):
        assert (saved / name).read_bytes() == (model_path() / name).read_bytes()
    assert AutoTokenizer.from_pretrained(saved).chat_template


@pytest.mark.slow
def test_rows_end_with_eos_and_learn_only_the_completion(ran: dict[str, Any]) -> None:
    row = ran["tokenised"]({"prompt": "Instruction: Say cat.\nResponse:", "completion": " cat"})
    assert row["input_ids"][-1] == row["labels"][-1] == ran["tokenizer"].eos_token_id
    learnt = [i for i in row["labels"] if i != -100]
    assert ran["tokenizer"].decode(learnt) == " cat<|endoftext|>"
    with pytest.raises(ContaminationError):
        ran["tokenised"]({"prompt": "Hi", "completion": "<|im_end|>"})


@pytest.mark.slow
def test_ids_for_another_engine_are_the_guards(ran: dict[str, Any]) -> None:
    assert ran["rows"] == [
        AutoTokenizer.from_pretrained(model_path())(p)["input_ids"] for p in ran["prompts"]
    ]


COLUMNS: dict[str, tuple[list[dict[str, Any]], type[GuardError]]] = {
    "messages": (
        [{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}],
        TemplateOnBaseError,
    ),
    "text": ([{"text": "<|im_start|>user\nhi<|im_end|>"}], ContaminationError),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_chat_data_is_stopped_in_the_trainer(column: str, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer, _ = CleanModelLoader(model_path(), for_training=True).load()
    settings = SFTConfig(
        output_dir=str(tmp_path), report_to=[], use_cpu=True, bf16=False, disable_tqdm=True
    )
    rows, error = COLUMNS[column]

    def train() -> None:
        data = Dataset.from_list(rows * 2)
        SFTTrainer(model, args=settings, train_dataset=data, processing_class=tokenizer).train()

    with pytest.raises(error):
        train()
