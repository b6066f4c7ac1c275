"""Adapters on migrated models, and prompts that are scored."""

from __future__ import annotations

import pytest

BASE = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('model = PeftModel.from_pretrained(model, "a")\n', 'model = loader.attach_adapter(model, "a")\n', id="plain"),
        pytest.param('m = PeftModel.from_pretrained(model, model_id="a").eval()\n', 'm = loader.attach_adapter(model, "a").eval()\n', id="by keyword, chained"),
        pytest.param('m = PeftModel.from_pretrained(model, "a", is_trainable=True)\n', 'm = loader.attach_adapter(model, "a", is_trainable=True)\n', id="trainable"),
        pytest.param('m = PeftModel.from_pretrained(model, "a", adapter_name="x")\n', 'm = loader.attach_adapter(model, "a", name="x")\n', id="a name"),
        pytest.param('m = PeftModel.from_pretrained(model, "a", torch_dtype="auto")\n', 'm = loader.attach_adapter(model, "a")\n', id="a dtype that peft takes no notice of"),
        pytest.param('x = tokenizer("a", return_tensors="pt", add_special_tokens=False)\ny = model(**x).logits\n', 'x = CleanModelLoader.encode(tokenizer, "a")\ny = model(**x).logits\n', id="scored"),
        pytest.param('x = tokenizer.encode("a", return_tensors="pt", add_special_tokens=False)\ny = model(x).logits\n', 'x = CleanModelLoader.encode(tokenizer, "a")["input_ids"]\ny = model(x).logits\n', id="scored ids"),
        pytest.param('x = tokenizer("a", return_tensors="pt", add_special_tokens=False, truncation=True, max_length=9)\ny = model(**x).logits\n', 'x = CleanModelLoader.encode(tokenizer, "a", max_length=9)\ny = model(**x).logits\n', id="scored and cut"),
    ],
)  # fmt: skip
def test_is_rewritten(before, after, migrate):
    plan = migrate(BASE + before)
    assert plan.refusal is None
    assert plan.manual == ()
    assert plan.after.decode().endswith("loader.load()\n" + after)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param('m = PeftModel.from_pretrained(model, "a", config=c)\n', id="a keyword without a place"),
        pytest.param('m = PeftModel.from_pretrained(other(), "a")\n', id="a model from elsewhere"),
        pytest.param('m = PeftModel.from_pretrained(*both)\n', id="spread"),
        pytest.param('n = len(tokenizer("a", add_special_tokens=False)["input_ids"])\n', id="counted"),
        pytest.param('stop = tokenizer.encode("END", add_special_tokens=False)\n', id="a stop string"),
        pytest.param('x = tokenizer("a", return_tensors="np", add_special_tokens=False)\ny = model(**x).logits\n', id="scored from numpy"),
        pytest.param('x = tokenizer("a", return_tensors="pt", add_special_tokens=False, stride=2)\ny = model(**x).logits\n', id="scored with a stride"),
    ],
)  # fmt: skip
def test_stays(before, migrate):
    plan = migrate(BASE + before)
    assert plan.refusal is None
    assert plan.after.decode().endswith(before)
