"""Generations by hand: what folds into one guarded call, what becomes text in place, what stays and why."""

from __future__ import annotations

import pytest

BEFORE = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""
AFTER = """\
import torch
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
model, tokenizer, provenance = loader.load()
"""

CHANGED = [
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
outputs = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(outputs[0], skip_special_tokens=True))
""",
        """\
print(CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True))
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
print(CleanModelLoader.generate(
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
out = model.generate(**inputs, max_new_tokens=5, temperature=0.7)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
text = CleanModelLoader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    temperature=0.7,
    do_sample=False,
    return_full_text=True,
)
""",
        id="a temperature that never sampled",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, do_sample=True)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
text = CleanModelLoader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    do_sample=True,
    top_k=50,
    return_full_text=True,
)
""",
        id="sampling keeps the silent top_k",
    ),
    pytest.param(
        """\
prompts = ["a", "b"]
inputs = tokenizer(prompts, return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
texts = tokenizer.batch_decode(out[:, inputs.input_ids.shape[1]:], skip_special_tokens=True)
""",
        """\
prompts = ["a", "b"]
texts = CleanModelLoader.generate_batch(model, tokenizer, prompts, max_new_tokens=5)
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
text = CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
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
texts = CleanModelLoader.generate_batch(
    model,
    tokenizer,
    ["a", "b"],
    max_new_tokens=5,
    return_full_text=True,
)
lines = [row for row in texts]
""",
        id="rows in a comprehension",
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
texts = CleanModelLoader.generate_batch(
    model,
    tokenizer,
    prompts,
    max_new_tokens=5,
    return_full_text=True,
)
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
texts = CleanModelLoader.generate_batch(
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
with torch.autocast("cuda"):
    out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0], skip_special_tokens=True))
""",
        """\
with torch.autocast("cuda"):
    text = CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
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
    text = CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
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
    text = CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
except RuntimeError:
    text = None
if text is not None:
    print(text)
""",
        id="try around the call",
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
    text = CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=n, return_full_text=True)
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
inputs = CleanModelLoader.encode(tokenizer, "a")
short_text = CleanModelLoader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    return_full_text=True,
)
long_text = CleanModelLoader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=50,
    return_full_text=True,
)
print(short_text)
print(long_text)
""",
        id="two generations of one encoding",
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
    inputs = CleanModelLoader.encode(tokenizer, prompt)
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
    inputs = CleanModelLoader.encode(tokenizer, prompt)
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
text = CleanModelLoader.generate(
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
inputs = tokenizer("a", return_tensors="pt", add_special_tokens=False)
out = model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, output_scores=True)
print(tokenizer.decode(out.sequences[0]), out.scores)
""",
        """\
inputs = CleanModelLoader.encode(tokenizer, "a")
out = model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, output_scores=True)
print(tokenizer.decode(out.sequences[0]), out.scores)
""",
        id="scores are used",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, output_scores=True)
print(tokenizer.decode(out.sequences[0]))
""",
        """\
print(CleanModelLoader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    skip_special_tokens=False,
    return_full_text=True,
))
""",
        id="scores are asked for and not used",
    ),
    pytest.param(
        """\
from transformers import GenerationConfig

config = GenerationConfig(max_new_tokens=5, num_beams=2)
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, generation_config=config)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
from transformers import GenerationConfig

config = GenerationConfig(max_new_tokens=5, num_beams=2)
text = CleanModelLoader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    num_beams=2,
    return_full_text=True,
)
""",
        id="a GenerationConfig",
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
text = CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
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
text = CleanModelLoader.generate(model, tokenizer, "a", max_new_tokens=5, return_full_text=True)
""",
        id="comments survive",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, stop_strings=["\\\\n\\\\n"], tokenizer=tokenizer)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
text = CleanModelLoader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    stop_strings=["\\\\n\\\\n"],
    return_full_text=True,
)
""",
        id="literal faults are kept",
    ),
    pytest.param(
        """\
inputs = tokenizer(["a", "b"], return_tensors="pt", padding=True)
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0]))
""",
        """\
texts = CleanModelLoader.generate_batch(
    model,
    tokenizer,
    ["a", "b"],
    max_new_tokens=5,
    skip_special_tokens=False,
    return_full_text=True,
)
print(texts[0])
""",
        id="one row of a batch is decoded",
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
        self.inputs = CleanModelLoader.encode(tokenizer, prompt)
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
SAME = [
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
        "the call names no length: transformers stops at 20 tokens, silently",
        id="no length",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, streamer=STREAMER)
print(tokenizer.decode(out[0]))
""",
        "the keyword `streamer` of generate has no place in the guarded call",
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
        None,
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
        None,
        id="a tokenizer that is none of ours",
    ),
]


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_is_rewritten(before, after, migrate):
    plan = migrate(BEFORE + before)
    assert plan.refusal is None
    assert plan.manual == ()
    rewritten = plan.after.decode()
    assert rewritten.removeprefix("import torch\n") == AFTER.removeprefix("import torch\n") + after
    assert migrate(rewritten).after.decode() == rewritten


@pytest.mark.parametrize(("before", "reason"), SAME)
def test_stays(before, reason, migrate):
    plan = migrate(BEFORE + before)
    assert plan.refusal is None
    assert plan.after.decode().endswith(before)
    assert [site.reason for site in plan.manual if site.code == "CG301"] == (
        [] if reason is None else [reason]
    )
