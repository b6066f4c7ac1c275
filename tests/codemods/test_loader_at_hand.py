"""Where the model's own loader is certainly bound the calls are written on it, elsewhere on the class."""

from __future__ import annotations

import pytest

TOP = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

"""
LOAD = """\
tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""
SAY = """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("body", "head"),
    [
        pytest.param(LOAD + SAY, "loader.generate(", id="after the load"),
        pytest.param("def f():\n" + indented(LOAD + SAY), "loader.generate(", id="in its function"),
        pytest.param(LOAD + "for i in range(3):\n" + indented(SAY), "loader.generate(", id="in a loop after it"),
        pytest.param("if x:\n" + indented(LOAD + SAY), "loader.generate(", id="in its branch"),
        pytest.param("if x:\n" + indented(LOAD) + SAY, "CleanModelLoader.generate(", id="after its branch"),
        pytest.param("try:\n" + indented(LOAD) + "finally:\n" + indented(SAY), "CleanModelLoader.generate(", id="where the load may have failed"),
        pytest.param(LOAD + "def f():\n" + indented(SAY), "CleanModelLoader.generate(", id="in another function"),
        pytest.param("for x in y:\n" + indented(SAY + LOAD), "CleanModelLoader.generate(", id="before the load"),
        pytest.param('model = AutoModelForCausalLM.from_pretrained("opt")\n' + LOAD + SAY, "CleanModelLoader.generate(", id="two loaders of one name"),
        pytest.param(LOAD + 'm = PeftModel.from_pretrained(model, "a")\n', "loader.attach_adapter(", id="an adapter"),
        pytest.param(LOAD + "def f(p):\n    return PeftModel.from_pretrained(model, p)\n", "CleanModelLoader.attach_adapter(", id="an adapter elsewhere"),
    ],
)  # fmt: skip
def test_head(body, head, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert head in plan.after.decode()


def test_of_two_loaders_the_model_s_own(migrate):
    body = LOAD + LOAD.replace("model =", "small_model =").replace(
        '"gpt2"', '"gpt2-medium"'
    ).replace("tokenizer =", "other =")
    plan = migrate(TOP + body + SAY.replace("model.", "small_model.").replace("tokenizer", "other"))
    assert plan.refusal is None
    assert "small_loader = CleanModelLoader(" in plan.after.decode()
    assert "small_loader.generate(small_model, other," in plan.after.decode()


def test_a_loader_that_was_there(migrate):
    source = (
        "from guard import CleanModelLoader\n\n"
        'mine = CleanModelLoader("gpt2")\nmodel, tokenizer, provenance = mine.load()\n'
    )
    plan = migrate(source + SAY)
    assert plan.refusal is None
    assert "print(mine.generate(model, tokenizer," in plan.after.decode()


def test_a_loader_that_is_another_one_by_then(migrate):
    source = (
        "from guard import CleanModelLoader\n\n"
        'mine = CleanModelLoader("gpt2")\nmodel, tokenizer, provenance = mine.load()\nmine = None\n'
    )
    plan = migrate(source + SAY)
    assert "CleanModelLoader.generate(" in plan.after.decode()
