"""Generations that stay, each with its reason."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import Migrate

SAME = [
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
mask = torch.ones_like(inputs.input_ids)
mask[:, 0] = 0
out = model.generate(inputs.input_ids, attention_mask=mask, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "its attention mask is changed by hand",
        id="a mask that is changed",
    ),
    pytest.param(
        """\
model.generation_config.do_sample = True
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "line 6 sets `generation_config`, which the guard replaces; say it in the call",
        id="settings on the model",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
for row in model.generate(**inputs, max_new_tokens=5):
    print(len(row), tokenizer.decode(row))
""",
        "it stands in the header of a compound statement",
        id="rows of a call in a header",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs)[0]))
""",
        "the call names no length: it is what the model's generation_config.json says, else "
        "20 new tokens; name it, or take 20 with --unsafe",
        id="no length",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="np")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "the prompt is not encoded to PyTorch tensors",
        id="encoded to numpy",
    ),
    pytest.param(
        """\
def f(prompt, **kw):
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, **kw)
    return tokenizer.decode(out[0])
""",
        "generate takes `**` arguments that cannot be followed",
        id="arguments that cannot be followed",
    ),
    pytest.param(
        """\
def f(other_model, prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    return tokenizer.decode(other_model.generate(**inputs, max_new_tokens=5)[0])
""",
        "where its model comes from is not followed",
        id="a model from elsewhere",
    ),
    pytest.param(
        """\
other = make()
ids = other("a", return_tensors="pt")
out = model.generate(**ids, max_new_tokens=5)
print(other.decode(out[0]))
""",
        "the prompt's tokenisation cannot be followed to this call",
        id="a tokenizer that is none of ours",
    ),
]


@pytest.mark.parametrize(("before", "reason"), SAME)
def test_stays(before, reason, check_generation_stays):
    check_generation_stays(before, reason)


def test_a_value_head_around_the_model(migrate: Migrate) -> None:
    plan = migrate(
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "from trl import AutoModelForCausalLMWithValueHead\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
        'base = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        "model = AutoModelForCausalLMWithValueHead.from_pretrained(base)\n"
        'inputs = tokenizer("a", return_tensors="pt")\n'
        "out = model.generate(**inputs, max_new_tokens=5, do_sample=False)\n"
        "print(tokenizer.decode(out[0], skip_special_tokens=True))\n"
    )
    assert "model.generate(**inputs" in plan.after.decode()
    (left,) = [site for site in plan.sites if site.code == "CG301"]
    assert left.reason == "line 6 puts a value head around a model: the guard knows none"
