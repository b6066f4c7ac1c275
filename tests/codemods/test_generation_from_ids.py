"""Generations whose text cannot take the place of the ids: `generate_ids`, and all around it stays."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import BEFORE, Check

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
        id="a function changes the prompt by global",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][5:]))
""",
        id="a fixed number of tokens is cut off",
    ),
    pytest.param(
        """\
prompt = "a"
inputs = tokenizer(prompt, return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][len(prompt):]))
""",
        id="letters are counted and tokens cut off",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][inputs.input_ids.shape[0]:]))
""",
        id="the rows are counted",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][len(inputs.input_ids):]))
""",
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
        id="one more token is cut off",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0][inputs.input_ids.shape[1]:-1]))
""",
        id="the last token is cut off",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
row = out[0][:9]
print(tokenizer.decode(row))
""",
        id="the end is cut off on the way",
    ),
    pytest.param(
        """\
other = load()
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(other.decode(out[0]))
""",
        id="decoded by a tokenizer from elsewhere",
    ),
    pytest.param(
        """\
prompts = ["a", "b"]
inputs = tokenizer(prompts, return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[-1][2:]))
""",
        id="a fixed cut in a batch",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
for row in out:
    print(len(row), tokenizer.decode(row))
""",
        id="the tokens of a row are counted",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
texts = [tokenizer.decode(row) for row in out if len(row) > 3]
""",
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
        id="the ids go to an attribute",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(out.shape, tokenizer.decode(out[0]))
""",
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
        id="the prompt changes in the loop",
    ),
    pytest.param(
        """\
inputs = tokenizer(input("> "), return_tensors="pt")
print(inputs.input_ids)
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        id="an asked-for prompt whose encoding is kept",
    ),
    pytest.param(
        """\
if inputs := tokenizer("a", return_tensors="pt"):
    out = model.generate(**inputs, max_new_tokens=5)
    print(tokenizer.decode(out[0]))
""",
        id="a walrus in a header",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, streamer=STREAMER)
print(tokenizer.decode(out[0]))
""",
        id="a streamer",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
print(tokenizer.decode(out[0][inputs.input_ids.shape[1]:]))
""",
        id="decoded with and without the prompt",
    ),
    pytest.param(
        """\
def f(texts):
    inputs = tokenizer(texts, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.batch_decode(out)
""",
        id="one prompt or several",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print([tokenizer.decode(row) for row in out[1:]])
""",
        id="row by row from a slice",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print([tokenizer.decode(row) for row in sorted(out)])
""",
        id="rows sorted",
    ),
]


@pytest.mark.parametrize("before", SAME)
def test_goes_on_with_ids(before: str, check_ids: Check) -> None:
    check_ids(BEFORE, before)
