"""Generations that stay, each with its reason."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import Migrate

SAME = [
    pytest.param(
        """\
prompt = "a"
def change():
    global prompt
    prompt = "b"
inputs = tokenizer(prompt, return_tensors="pt")
change()
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "the prompt may change between tokenising and generating",
        id="a function changes the prompt by global",
    ),
    pytest.param(
        """\
tokenizer.add_bos_token = True
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "line 6 sets `add_bos_token`, and the guard puts the family's BOS, no other",
        id="a BOS that the script asks for",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][5:]))
""",
        "it cannot be told that what is cut off is just the prompt",
        id="a fixed number of tokens is cut off",
    ),
    pytest.param(
        """\
prompt = "a"
inputs = tokenizer(prompt, return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][len(prompt):]))
""",
        "it cannot be told that what is cut off is just the prompt",
        id="letters are counted and tokens cut off",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][inputs.input_ids.shape[0]:]))
""",
        "it cannot be told that what is cut off is just the prompt",
        id="the rows are counted",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][len(inputs.input_ids):]))
""",
        "it cannot be told that what is cut off is just the prompt",
        id="the batch is counted",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
n = inputs.input_ids.shape[1]
n = n + 1
print(tokenizer.decode(out[0][n:]))
""",
        "it cannot be told that what is cut off is just the prompt",
        id="one more token is cut off",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][inputs.input_ids.shape[1]:-1]))
""",
        "the end of what is generated is cut off before it is decoded",
        id="the last token is cut off",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
row = out[0][:9]
print(tokenizer.decode(row))
""",
        "the end of what is generated is cut off before it is decoded",
        id="the end is cut off on the way",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
mask = torch.ones_like(inputs.input_ids)
mask[:, 0] = 0
out = model.generate(inputs.input_ids, attention_mask=mask, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "its attention mask is made by hand",
        id="a mask that is changed",
    ),
    pytest.param(
        """\
other = load()
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(other.decode(out[0]))
""",
        "what it generates is not decoded in this function",
        id="decoded by a tokenizer from elsewhere",
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
prompts = ["a", "b"]
inputs = tokenizer(prompts, return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[-1][2:]))
""",
        "it cannot be told that what is cut off is just the prompt",
        id="a fixed cut in a batch",
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
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
for row in out:
    print(len(row), tokenizer.decode(row))
""",
        "a generated row is used for more than its text",
        id="the tokens of a row are counted",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
texts = [tokenizer.decode(row) for row in out if len(row) > 3]
""",
        "a generated row is used for more than its text",
        id="the tokens of a row decide",
    ),
    pytest.param(
        """\
def f(prompt):
    global out
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.decode(out[0])


def g():
    return out
""",
        "what generate returns is used for more than its text",
        id="the ids are global",
    ),
    pytest.param(
        """\
class A:
    def f(self, prompt):
        inputs = tokenizer(prompt, return_tensors="pt")
        self.out = model.generate(**inputs, max_new_tokens=5)
        return tokenizer.decode(self.out[0])
""",
        "what is tokenised or generated is not assigned to a plain name",
        id="the ids go to an attribute",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(out.shape, tokenizer.decode(out[0]))
""",
        "what generate returns is used for more than its text",
        id="the ids are counted",
    ),
    pytest.param(
        """\
queue = ["a"]
inputs = tokenizer(queue.pop(), return_tensors="pt")
queue.append("b")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "the prompt may change between tokenising and generating",
        id="making the prompt has effects",
    ),
    pytest.param(
        """\
prompts = ["a"]
inputs = tokenizer(prompts, return_tensors="pt", padding=True)
prompts.append("b")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.batch_decode(out))
""",
        "the prompt may change between tokenising and generating",
        id="the prompt list grows meanwhile",
    ),
    pytest.param(
        """\
prompt = "a"
inputs = tokenizer(prompt, return_tensors="pt")
prompt = "b"
out = model.generate(**inputs, max_new_tokens=5)
print(prompt, tokenizer.decode(out[0]))
""",
        "the prompt may change between tokenising and generating",
        id="the prompt is another one by then",
    ),
    pytest.param(
        """\
prompt = "a"
inputs = tokenizer(prompt, return_tensors="pt")
for n in range(3):
    out = model.generate(**inputs, max_new_tokens=n)
    prompt = tokenizer.decode(out[0])
""",
        "the prompt may change between tokenising and generating",
        id="the prompt changes in the loop",
    ),
    pytest.param(
        """\
inputs = tokenizer(input("> "), return_tensors="pt")
print(inputs.input_ids)
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        "making the prompt may have effects, and it would be made twice",
        id="an asked-for prompt whose encoding is kept",
    ),
    pytest.param(
        """\
if inputs := tokenizer("a", return_tensors="pt"):
    out = model.generate(**inputs, max_new_tokens=5)
    print(tokenizer.decode(out[0]))
""",
        "it stands in the header of a compound statement",
        id="a walrus in a header",
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
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, streamer=STREAMER)
print(tokenizer.decode(out[0]))
""",
        "a streamer shows the text while it grows: "
        "`CleanModelLoader.stream(model, tokenizer, prompt, …)` gives it in pieces",
        id="a streamer",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
print(tokenizer.decode(out[0][inputs.input_ids.shape[1]:]))
""",
        "it is decoded once with and once without the prompt",
        id="decoded with and without the prompt",
    ),
    pytest.param(
        """\
def f(texts):
    inputs = tokenizer(texts, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.batch_decode(out)
""",
        "it cannot be told whether one prompt or a batch is encoded",
        id="one prompt or several",
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
        "where the model is loaded cannot be seen in this file",
        id="a model from elsewhere",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print([tokenizer.decode(row) for row in out[1:]])
""",
        "it cannot be told which of the generated rows is decoded",
        id="row by row from a slice",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print([tokenizer.decode(row) for row in sorted(out)])
""",
        "it cannot be told which of the generated rows is decoded",
        id="rows sorted",
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
