"""Tokenise, generate, slice, decode: the shapes that become one guarded call, and what stands around them."""

from __future__ import annotations

import pytest

CHANGED = [
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
n = inputs["input_ids"].shape[1]
out = model.generate(**inputs, max_new_tokens=256 - n)
print(tokenizer.decode(out[0][n:], skip_special_tokens=True))
""",
        """\
inputs = tokenizer("a", return_tensors="pt")
n = inputs["input_ids"].shape[1]
print(loader.generate(model, tokenizer, "a", max_new_tokens=256 - n))
""",
        id="a setting that counts the prompt",
    ),
    pytest.param(
        """\
try:
    inputs = tokenizer("a", return_tensors="pt")
    n = inputs["input_ids"].shape[1]
    out = model.generate(**inputs, max_length=n + 9)
except ValueError:
    raise
print(tokenizer.decode(out[0], skip_special_tokens=True))
""",
        """\
try:
    inputs = tokenizer("a", return_tensors="pt")
    n = inputs["input_ids"].shape[1]
    text = loader.generate(model, tokenizer, "a", max_length=n + 9, return_full_text=True)
except ValueError:
    raise
print(text)
""",
        id="a setting that counts the prompt, in try",
    ),
    pytest.param(
        """\
model.generation_config.pad_token_id = tokenizer.eos_token_id
model.generation_config.temperature = None
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, do_sample=False)
print(tokenizer.decode(out[0][inputs.input_ids.size(1):], skip_special_tokens=True))
""",
        """\
model.generation_config.pad_token_id = tokenizer.eos_token_id
model.generation_config.temperature = None
print(loader.generate(model, tokenizer, "a", max_new_tokens=5, do_sample=False))
""",
        id="settings that say nothing",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
outputs = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(outputs[0], skip_special_tokens=True))
""",
        """\
print(loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True))
""",
        id="prompt and answer",
    ),
    pytest.param(
        """\
def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
    n = inputs["input_ids"].shape[1]
    with torch.no_grad():
        outputs = model.generate(**inputs, max_new_tokens=5)
    new = outputs[0][n:]
    return tokenizer.decode(new, skip_special_tokens=True).strip()
""",
        """\
def f(prompt):
    return CleanModelLoader.generate(model, tokenizer, prompt, max_new_tokens=5).strip()
""",
        id="the answer alone",
    ),
    pytest.param(
        """\
ids = tokenizer.encode("a", return_tensors="pt")
print(tokenizer.decode(model.generate(ids, max_length=9)[0]))
""",
        """\
print(loader.generate(
    model,
    tokenizer,
    "a",
    max_length=9,
    skip_special_tokens=False,
    return_full_text=True,
))
""",
        id="special tokens are shown",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
with torch.autocast("cuda"):
    out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0], skip_special_tokens=True))
""",
        """\
with torch.autocast("cuda"):
    text = loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
print(text)
""",
        id="an autocast around the call stays",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
with torch.no_grad(), torch.autocast("cuda"):
    out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0], skip_special_tokens=True))
""",
        """\
with torch.no_grad(), torch.autocast("cuda"):
    text = loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
print(text)
""",
        id="no_grad beside an autocast stays",
    ),
    pytest.param(
        """\
@torch.no_grad()
def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
@torch.no_grad()
def f(prompt):
    return CleanModelLoader.generate(
        model,
        tokenizer,
        prompt,
        max_new_tokens=5,
        return_full_text=True,
    )
""",
        id="a decorator stays",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
try:
    out = model.generate(**inputs, max_new_tokens=5)
except RuntimeError:
    out = None
if out is not None:
    print(tokenizer.decode(out[0], skip_special_tokens=True))
""",
        """\
try:
    text = loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
except RuntimeError:
    text = None
if text is not None:
    print(text)
""",
        id="try around the call",
    ),
    pytest.param(
        """\
def f(prompt, t):
    inputs = tokenizer(prompt, return_tensors="pt")
    if t:
        out = model.generate(**inputs, max_new_tokens=5, do_sample=True, top_k=0, temperature=t)
    else:
        out = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    return tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
def f(prompt, t):
    if t:
        text = CleanModelLoader.generate(
            model,
            tokenizer,
            prompt,
            max_new_tokens=5,
            do_sample=True,
            top_k=0,
            temperature=t,
            return_full_text=True,
        )
    else:
        text = CleanModelLoader.generate(
            model,
            tokenizer,
            prompt,
            max_new_tokens=5,
            do_sample=False,
            return_full_text=True,
        )
    return text
""",
        id="one of two ways to generate",
    ),
    pytest.param(
        """\
def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(model.device)
    print(inputs.input_ids)
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.decode(out[0][inputs.input_ids.shape[1]:], skip_special_tokens=True)
""",
        """\
def f(prompt):
    inputs = CleanModelLoader.encode(tokenizer, prompt).to(model.device)
    print(inputs.input_ids)
    return CleanModelLoader.generate(model, tokenizer, prompt, max_new_tokens=5)
""",
        id="the encoding is used elsewhere",
    ),
    pytest.param(
        """\
def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    n = inputs["input_ids"].shape[1]
    out = model.generate(**inputs, max_new_tokens=5)
    text = tokenizer.decode(out[0][n:], skip_special_tokens=True)
    return text, lambda: n
""",
        """\
def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    n = inputs["input_ids"].shape[1]
    text = CleanModelLoader.generate(model, tokenizer, prompt, max_new_tokens=5)
    return text, lambda: n
""",
        id="a name that a nested function captures",
    ),
    pytest.param(
        """\
def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    if inputs.input_ids.shape[1] > 9:
        return None
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    if inputs.input_ids.shape[1] > 9:
        return None
    return CleanModelLoader.generate(
        model,
        tokenizer,
        prompt,
        max_new_tokens=5,
        return_full_text=True,
    )
""",
        id="a return in the middle",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(f"said: {tokenizer.decode(out[0])}")
""",
        """\
text = loader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    skip_special_tokens=False,
    return_full_text=True,
)
print(f"said: {text}")
""",
        id="in an f-string",
    ),
    pytest.param(
        """\
async def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
async def f(prompt):
    return CleanModelLoader.generate(
        model,
        tokenizer,
        prompt,
        max_new_tokens=5,
        return_full_text=True,
    )
""",
        id="async",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
start = clock()
out = model.generate(**inputs, max_new_tokens=5)
took = clock() - start
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
start = clock()
text = loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
took = clock() - start
""",
        id="a clock between the calls",
    ),
    pytest.param(
        """\
# the prompt
inputs = tokenizer("a", return_tensors="pt")  # ids
# run
out = model.generate(
    **inputs,
    max_new_tokens=5,  # short
)
text = tokenizer.decode(out[0], skip_special_tokens=True)  # done
""",
        """\
# the prompt
# run
# ids
# short
# done
text = loader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
""",
        id="comments survive",
    ),
    pytest.param(
        """\
class A:
    def f(self, prompt):
        self.inputs = tokenizer(prompt, return_tensors="pt")
        out = model.generate(**self.inputs, max_new_tokens=5)
        return tokenizer.decode(out[0])
""",
        """\
class A:
    def f(self, prompt):
        self.inputs = tokenizer(prompt, return_tensors="pt")
        text = CleanModelLoader.generate(
            model,
            tokenizer,
            prompt,
            max_new_tokens=5,
            skip_special_tokens=False,
            return_full_text=True,
        )
        return text
""",
        id="the encoding goes to an attribute and is kept",
    ),
]


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_is_rewritten(before, after, check_generation):
    check_generation(before, after)
