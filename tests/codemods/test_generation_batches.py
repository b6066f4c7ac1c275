"""Generations of several prompts, several texts, or in loops."""

from __future__ import annotations

import pytest

CHANGED = [
    pytest.param(
        """\
prompts = ["a", "b"]
inputs = tokenizer(prompts, return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
texts = tokenizer.batch_decode(out[:, inputs.input_ids.shape[1]:], skip_special_tokens=True)
""",
        """\
prompts = ["a", "b"]
texts = loader.generate_batch(model, tokenizer, prompts, max_new_tokens=5)
""",
        id="a batch",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a"], return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
text = tokenizer.batch_decode(out, skip_special_tokens=True)[0]
""",
        """\
text = loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
""",
        id="the only row of a batch",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
lines = [tokenizer.decode(row, skip_special_tokens=True) for row in out]
""",
        """\
lines = loader.generate_batch(model, tokenizer, ["a", "b"], max_new_tokens=5, return_full_text=True)
""",
        id="rows in a comprehension",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print([tokenizer.decode(row, skip_special_tokens=True) for row in out])
""",
        """\
texts = loader.generate_batch(model, tokenizer, ["a", "b"], max_new_tokens=5, return_full_text=True)
print(texts)
""",
        id="a comprehension of rows alone",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print([tokenizer.decode(row, skip_special_tokens=True).strip() for row in out if prompts])
""",
        """\
texts = loader.generate_batch(model, tokenizer, ["a", "b"], max_new_tokens=5, return_full_text=True)
print([row.strip() for row in texts if prompts])
""",
        id="a comprehension that does more",
    ),
    pytest.param(
        """\
prompts = ["a", "b"]
inputs = tokenizer(prompts, return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
for p, row in zip(prompts, out):
    print(p, tokenizer.decode(row, skip_special_tokens=True))
""",
        """\
prompts = ["a", "b"]
texts = loader.generate_batch(model, tokenizer, prompts, max_new_tokens=5, return_full_text=True)
for p, row in zip(prompts, texts):
    print(p, row)
""",
        id="rows in a loop with zip",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, do_sample=True, top_k=0, num_return_sequences=2)
for i in range(2):
    print(tokenizer.decode(out[i], skip_special_tokens=True))
""",
        """\
texts = loader.generate_batch(
    model,
    tokenizer,
    ["a"],
    max_new_tokens=5,
    do_sample=True,
    top_k=0,
    num_return_sequences=2,
    return_full_text=True,
)
for i in range(2):
    print(texts[i])
""",
        id="several texts of one prompt",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
for n in range(3):
    out = model.generate(**inputs, max_new_tokens=n)
    print(tokenizer.decode(out[0], skip_special_tokens=True))
""",
        """\
for n in range(3):
    text = loader.generate(model, tokenizer, "a", max_new_tokens=n, return_full_text=True)
    print(text)
""",
        id="tokenised before a loop",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
short = model.generate(**inputs, max_new_tokens=5)
long = model.generate(**inputs, max_new_tokens=50)
print(tokenizer.decode(short[0], skip_special_tokens=True))
print(tokenizer.decode(long[0], skip_special_tokens=True))
""",
        """\
short_text = loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
long_text = loader.generate(model, tokenizer, "a", max_new_tokens=50, return_full_text=True)
print(short_text)
print(long_text)
""",
        id="two generations of one encoding",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0], skip_special_tokens=True))
""",
        """\
texts = loader.generate_batch(model, tokenizer, ["a", "b"], max_new_tokens=5, return_full_text=True)
print(texts[0])
""",
        id="one row of a batch is decoded",
    ),
]


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_is_rewritten(before, after, check_generation):
    check_generation(before, after)


BATCH = """\
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("gpt2"SIDE)
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer(["a", "b c"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.batch_decode(out, skip_special_tokens=True))
"""


@pytest.mark.parametrize(
    ("side", "told"),
    [("", True), (', padding_side="right"', True), (', padding_side="left"', False)],
    ids=["none", "right", "left"],
)
def test_a_batch_that_was_padded_on_another_side_is_told(side, told, migrate):
    plan = migrate(BATCH.replace("SIDE", side))
    assert "loader.generate_batch(" in plan.after.decode()
    notes = [n for site in plan.automatic for n in site.notes if site.code == "CG301"]
    found = [n for n in notes if "padded on the left" in n.text]
    assert [(n.kind, n.unless is not None) for n in found] == [("changed", True)] * told
