"""Generations whose text cannot take the place of the ids: `generate_ids`, and all around it stays."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import BEFORE, Check, Migrate

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


HANDED = """\
def ask(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    given = {"input_ids": inputs["input_ids"], "max_new_tokens": 5, "do_sample": False}

    def run(**kwargs):
        return model.generate(**kwargs)

    return tokenizer.decode(run(**given)[0])
"""


def test_what_a_caller_hands_on(migrate: Migrate) -> None:
    plan = migrate(BEFORE + HANDED)
    assert plan.manual == ()
    assert "return CleanModelLoader.generate_ids(model, **kwargs)" in plan.after.decode()


@pytest.mark.parametrize(
    "other", [HANDED.replace('"max_new_tokens": 5, ', ""), HANDED.replace('"do_sample"', '"typical_p"')]
)  # fmt: skip
def test_what_a_caller_may_hand_on_stays(other: str, migrate: Migrate) -> None:
    """Without a length, or with a setting that the guard does not take."""
    plan = migrate(BEFORE + other)
    assert plan.after == plan.before


def test_a_window_of_a_padded_batch_with_its_mask(check_ids: Check) -> None:
    check_ids(
        BEFORE,
        """\
inputs = tokenizer(texts, return_tensors="pt", padding=True)
ids = inputs["input_ids"][:, -8:]
mask = inputs["attention_mask"][:, -8:]
out = model.generate(ids, attention_mask=mask, max_new_tokens=5, do_sample=False, return_dict_in_generate=True)
print(tokenizer.batch_decode(out.sequences, skip_special_tokens=True))
""",
    )


def test_scores_that_nobody_reads_are_not_asked_for(migrate: Migrate) -> None:
    body = """\
inputs = tokenizer("a", return_tensors="pt")
cut = inputs["input_ids"][:, :1]
out = model.generate(cut, max_new_tokens=5, return_dict_in_generate=True, output_scores=True)
print(tokenizer.decode(out.sequences[0]))
"""
    after = migrate(BEFORE + body).after.decode()
    assert "return_dict_in_generate=True" in after
    assert "output_scores" not in after
    assert "output_scores=True" in migrate(BEFORE + body + "print(out.scores)\n").after.decode()


def test_every_load_that_reaches_the_call_may_lack_bos(migrate: Migrate) -> None:
    before = BEFORE.replace(
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n',
        "if big:\n    model = AutoModelForCausalLM.from_pretrained(NAME, dtype=half)\n"
        "else:\n    model = AutoModelForCausalLM.from_pretrained(NAME)\n",
    ).replace('"gpt2"', "NAME")
    after = migrate(
        before + "out = model.generate(ids, max_new_tokens=5)\nprint(out)\n"
    ).after.decode()
    assert after.count("allow_missing_bos=True") == 2


@pytest.mark.parametrize(
    ("tokenizer", "model", "folded"),
    [
        ('"one/words"', '"one/model"', False),
        ("args.words or args.model", "args.model", False),
        ("args.model", "args.model", True),
        ('"one/model"', "'one/model'", True),
    ],
)
def test_a_tokenizer_of_another_name(
    tokenizer: str, model: str, folded: bool, migrate: Migrate
) -> None:
    """Its text may not be the model's, which the guard looks at; its ids are what they were."""
    loads = BEFORE.replace(
        'AutoTokenizer.from_pretrained("gpt2")', f"AutoTokenizer.from_pretrained({tokenizer})"
    )
    loads = loads.replace('from_pretrained("gpt2")', f"from_pretrained({model})")
    ask = 'inputs = tokenizer("a", return_tensors="pt")\nout = model.generate(**inputs, max_new_tokens=5)\n'
    after = migrate(loads + ask + "print(tokenizer.decode(out[0]))\n").after.decode()
    assert (".generate_ids(" in after, ".generate(" in after) == (not folded, folded)
