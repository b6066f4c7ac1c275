"""Where a tokenizer is first used decides where it is loaded; what trains decides how."""

from __future__ import annotations

import pytest

HEAD = "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
MODEL = 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
ENC = "def enc(r):\n    return tokenizer(r)\n\n\n"


@pytest.mark.parametrize(
    ("before", "between"),
    [
        pytest.param(ENC, 'rows = enc("a")\n', id="a function"),
        pytest.param(ENC, "rows = list(map(enc, data))\n", id="passed to map"),
        pytest.param(ENC, "data = data.map(enc, batched=True)\n", id="passed to a method"),
        pytest.param(ENC, "rows = [enc(r) for r in data]\n", id="a comprehension"),
        pytest.param(ENC + 'table = {"a": enc}\n', 'rows = table["a"]("b")\n', id="through a dict"),
        pytest.param(ENC + "def outer(r):\n    return enc(r)\n\n\n", 'rows = outer("a")\n', id="through another"),
        pytest.param("enc = lambda r: tokenizer(r)\n", 'rows = enc("a")\n', id="a lambda"),
        pytest.param(
            "class Rows:\n    def get(self, r):\n        return tokenizer(r)\n\n\nrows = Rows()\n",
            'row = rows.get("a")\n',
            id="a method",
        ),
        pytest.param("", 'rows = (lambda r: tokenizer(r))("a")\n', id="a lambda on the spot"),
        pytest.param(ENC, "data.set_transform(enc)\nrow = data[0]\n", id="kept and called later"),
    ],
)  # fmt: skip
def test_a_tokenizer_is_loaded_before_its_first_use(before, between, migrate):
    plan = migrate(HEAD + before + TOKENIZER + between + MODEL)
    after = plan.after.decode()
    assert 'tokenizer = CleanModelLoader("gpt2").load_tokenizer()\n' + between in after
    assert "model, _, provenance = loader.load()" in after


@pytest.mark.parametrize(
    "between",
    ["", "x = 1\n", ENC, "print(len(data))\n", "def other():\n    return 1\n\n\nother()\n"],
)
def test_a_tokenizer_that_is_not_used_yet_comes_with_its_model(between, migrate):
    after = migrate(HEAD + ENC + TOKENIZER + between + MODEL).after.decode()
    assert "model, tokenizer, provenance = loader.load()" in after


def test_in_a_class(migrate):
    after = migrate(
        HEAD
        + "class E:\n    def __init__(self):\n"
        + '        self.tokenizer = AutoTokenizer.from_pretrained("gpt2")\n        self.check()\n'
        + '        self.model = AutoModelForCausalLM.from_pretrained("gpt2")\n\n'
        + "    def check(self):\n        return len(self.tokenizer)\n"
    ).after.decode()
    assert (
        'self.tokenizer = CleanModelLoader("gpt2").load_tokenizer()\n        self.check()' in after
    )


@pytest.mark.parametrize(
    ("rest", "trains"),
    [
        ("accelerator = Accelerator()\nmodel = accelerator.prepare(model)\n", False),
        ("accelerator = Accelerator()\naccelerator.backward(loss)\noptimizer.step()\n", True),
        ("loss.backward()\noptimizer.step()\n", True),
        ("loss.backward()\n", False),
        ("trainer = transformers.Trainer(model)\ntrainer.train()\n", True),
        ("trainer = Trainer(model)\ntrainer.train()\n", True),
        ("trainer = SFTTrainer(model)\n", True),
        ("trainer = Trainer(model)\nprint(trainer.evaluate())\n", False),
        ("trainer = Trainer(model, TrainingArguments(o))\nprint(trainer.predict(rows))\n", False),
        ("trainer = Trainer(model)\ntrainer.train()\ntrainer.evaluate()\n", True),
        ("model = get_peft_model(model, config)\n", True),
    ],
)
def test_only_what_trains_trains(rest, trains, migrate):
    after = migrate(HEAD + MODEL + rest).after.decode()
    assert ("for_training=True" in after) is trains


# --- bytes


@pytest.mark.parametrize("place", ["tokenizer", "model", "x", "def"])
@pytest.mark.parametrize("indent", ["", "    "])
def test_form_feeds_keep_their_places(place, indent, migrate):
    lines = ["x = 1", TOKENIZER.strip(), MODEL.strip(), "print(x)"]
    body = "".join(f"{indent}{line}\n" for line in lines)
    text = HEAD + ("def main():\n" if indent else "") + body + "def last():\n    pass\n"
    text = "".join(
        f"\f{line}" if line.strip().startswith(place) and "from " not in line[:5] else line
        for line in text.splitlines(keepends=True)
    )
    plan = migrate(text)
    assert plan.refusal is None
    assert plan.manual == ()
    assert plan.after.count(b"\f") == text.count("\f")
    assert not any(b"\f\f" in line for line in plan.after.split(b"\n"))


@pytest.mark.parametrize(
    ("decoding", "method"),
    [
        ("tokenizer.decode(out[0], skip_special_tokens=True)", "generate("),
        ("tokenizer.batch_decode(out, skip_special_tokens=True)[0]", "generate("),
    ],
)
def test_one_prompt_that_is_padded_is_one_prompt(decoding, method, migrate):
    after = migrate(
        HEAD + TOKENIZER + MODEL + 'ids = tokenizer(prompt, padding=True, return_tensors="pt")\n'
        f"out = model.generate(**ids, max_new_tokens=5)\nprint({decoding})\n"
    ).after.decode()
    assert f"loader.{method}" in after.replace("\n    ", "")


def test_one_prompt_that_is_padded_to_a_length_stays(check_noop):
    plan = check_noop(
        HEAD + TOKENIZER + MODEL + "ids = tokenizer(\n"
        '    prompt, padding="max_length", max_length=64, return_tensors="pt"\n)\n'
        "out = model.generate(**ids, max_new_tokens=5)\nprint(tokenizer.decode(out[0]))\n"
    )
    assert any("padded to a length" in (site.reason or "") for site in plan.sites)


def test_a_prompt_that_is_tokenised_in_two_steps_stays(check_noop):
    plan = check_noop(
        "import torch\n" + HEAD + TOKENIZER + MODEL + "tokens = tokenizer.tokenize(prompt)\n"
        "ids = torch.tensor([tokenizer.convert_tokens_to_ids(tokens)])\n"
        "out = model.generate(ids, max_new_tokens=5)\nprint(tokenizer.decode(out[0]))\n"
    )
    assert any("in two steps" in (site.reason or "") for site in plan.sites)


def test_whether_one_is_padded_or_several_cannot_be_told(check_ids):
    check_ids(
        HEAD + TOKENIZER + MODEL,
        'ids = tokenizer(prompt, padding=True, return_tensors="pt")\n'
        "out = model.generate(**ids, max_new_tokens=5)\n"
        "print(tokenizer.batch_decode(out, skip_special_tokens=True))\n",
    )
