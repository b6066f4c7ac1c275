"""Which tokenizer load joins which model load in one `loader.load()`."""

from __future__ import annotations

import pytest

TOP = "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
MODEL = 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(TOKENIZER + MODEL, id="before"),
        pytest.param(MODEL + TOKENIZER, id="after"),
        pytest.param(MODEL + "print(model.device)\n" + TOKENIZER, id="after, with a line between"),
        pytest.param(MODEL + "model.eval()\n\n" + TOKENIZER + "tokenizer.pad_token = tokenizer.eos_token\n", id="after, with its own lines"),
        pytest.param(TOKENIZER.replace(")", ', revision="a")') + MODEL.replace(")", ', revision="a")'), id="one revision"),
    ],
)  # fmt: skip
def test_one_load_gives_both(body, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert "model, tokenizer, provenance = loader.load()" in plan.after.decode()
    assert "load_tokenizer" not in plan.after.decode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(MODEL + "use(tokenizer)\n" + TOKENIZER, id="another tokenizer until then"),
        pytest.param('name = "gpt2"\n' + MODEL.replace('"gpt2"', "name") + "name = other()\n" + TOKENIZER.replace('"gpt2"', "name"), id="another name by then"),
        pytest.param(MODEL + "box = Box()\nbox." + TOKENIZER, id="into what is not there yet"),
        pytest.param(TOKENIZER.replace(")", ', revision="a")') + MODEL, id="a revision of its own"),
        pytest.param(TOKENIZER.replace(")", ', revision="a")') + MODEL.replace(")", ', revision="b")'), id="another revision"),
        pytest.param(MODEL + "if x:\n    " + TOKENIZER, id="another block"),
        pytest.param(TOKENIZER + "use(tokenizer)\n" + MODEL, id="used before the model"),
    ],
)  # fmt: skip
def test_two_loads_stay_two(body, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert "model, _, provenance = " in plan.after.decode()
    assert ".load_tokenizer()" in plan.after.decode()


def test_a_revision_that_a_dict_may_say_is_the_models_alone(migrate):
    text = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'kwargs = dict(revision="float16") if BIG else {}\n'
        'model = AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)\n'
        'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
        'print(model(**tokenizer("a", return_tensors="pt")).logits)\n'
    )
    plan = migrate(text)
    assert b"model, tokenizer," not in plan.after


def test_a_global_tokenizer_that_a_helper_reads_between_the_loads(migrate):
    text = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        "def count(text):\n    return len(tokenizer(text).input_ids)\n\n"
        "def main():\n    global tokenizer\n"
        '    tokenizer = AutoTokenizer.from_pretrained("gpt2")\n    print(count("a"))\n'
        '    model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        '    print(model(**tokenizer("a", return_tensors="pt")).logits)\n\nmain()\n'
    )
    after = migrate(text).after.decode()
    assert after.index("load_tokenizer()") < after.index('print(count("a"))')
