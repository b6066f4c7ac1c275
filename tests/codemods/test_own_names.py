"""Names that functions bind for themselves are not the module's."""

from __future__ import annotations

import libcst as cst
import pytest

from cleanguard.settings.config import Settings
from codemods.script.script import Script
from lint_rules._run.source import decode

START = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
base = AutoModelForCausalLM.from_pretrained("gpt2")
"""
GUARDED = """\
from guard import CleanModelLoader

loader = CleanModelLoader("gpt2")
base, tokenizer, provenance = loader.load()
"""


def offsets(text: str, name: str, function: str | None = None) -> list[int]:
    """The lines, from 1, on which the name is used."""
    script = Script("script.py", decode(text.encode()), Settings())
    named = {
        node.name.value: node for node in script.module.body if isinstance(node, cst.FunctionDef)
    }
    within = None if function is None else named[function]
    return [text.encode()[: use.offset].count(b"\n") + 1 for use in script.uses(name, within)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("o = 1\ndef f(o):\n    print(o)\nprint(o)\n", [1, 4], id="a parameter"),
        pytest.param("o = 1\ndef f(*o, k=o):\n    print(o)\n", [1, 2], id="a default is outside"),
        pytest.param("o = 1\ndef f():\n    o = 2\n    print(o)\n", [1], id="a store"),
        pytest.param("o = 1\ndef f():\n    print(o)\n    o = 2\n", [1], id="stored further down"),
        pytest.param("o = 1\ndef f():\n    print(o)\n", [1, 3], id="only read"),
        pytest.param(
            "o = 1\ndef f():\n    global o\n    o = 2\n", [1, 3, 4], id="global is the module's"
        ),
        pytest.param(
            "o = 1\ndef f(o):\n    def g():\n        nonlocal o\n        o = 2\n",
            [1],
            id="nonlocal is not",
        ),
        pytest.param(
            "o = 1\ndef f(o):\n    def g():\n        global o\n        print(o)\n",
            [1, 4, 5],
            id="global past a function",
        ),
        pytest.param(
            "o = 1\ndef f():\n    for o in x: pass\n    print(o)\n", [1], id="a loop's variable"
        ),
        pytest.param(
            "o = 1\ndef f():\n    a = [o for o in x]\n    print(o)\n",
            [1, 3, 3, 4],
            id="a comprehension binds nothing",
        ),
        pytest.param("o = 1\nf = lambda o: o\ng = lambda: o\n", [1, 3], id="a lambda"),
        pytest.param(
            "o = 1\nclass A:\n    o = 2\n    def f(self):\n        print(o)\n",
            [1, 3, 5],
            id="methods do not see their class",
        ),
        pytest.param(
            "o = 1\n@o\ndef f(a: o) -> o:\n    o = 2\n", [1, 2, 3, 3], id="decorator and types"
        ),
    ],
)
def test_the_modules_own_uses(text, lines):
    assert offsets(text, "o") == lines


def test_uses_in_a_function_are_all():
    assert offsets("o = 1\ndef f(o):\n    print(o)\n", "o", "f") == [2, 3]


def test_a_function_with_the_same_names(check_transformed):
    plan = check_transformed(
        START
        + """

def gen(p):
    i = tokenizer(p, return_tensors="pt")
    o = base.generate(**i, max_new_tokens=5)
    return tokenizer.decode(o[0][i.input_ids.size(1):], skip_special_tokens=True)


print(gen("a"))
i = tokenizer("b", return_tensors="pt")
o = base.generate(**i, max_new_tokens=5)
print(tokenizer.decode(o[0], skip_special_tokens=True))
""",
        GUARDED
        + """

def gen(p):
    return CleanModelLoader.generate(base, tokenizer, p, max_new_tokens=5)


print(gen("a"))
print(loader.generate(base, tokenizer, "b", max_new_tokens=5, return_full_text=True))
""",
    )
    assert plan.manual == ()


def test_a_function_that_sets_the_modules_name(migrate):
    plan = migrate(
        START
        + """

def again():
    global o
    print(o.shape)


i = tokenizer("b", return_tensors="pt")
o = base.generate(**i, max_new_tokens=5)
print(tokenizer.decode(o[0], skip_special_tokens=True))
"""
    )
    assert "o = loader.generate_ids(base, **i, max_new_tokens=5" in plan.after.decode()
    assert "print(o.shape)" in plan.after.decode()


def test_rows_of_two_loops(check_transformed):
    plan = check_transformed(
        START
        + """

def show(rows):
    for row in rows:
        print(row)


i = tokenizer(["a", "b"], return_tensors="pt", padding=True)
outputs = base.generate(**i, max_new_tokens=5)
for row in outputs:
    print(tokenizer.decode(row, skip_special_tokens=True))
""",
        GUARDED
        + """

def show(rows):
    for row in rows:
        print(row)


texts = loader.generate_batch(base, tokenizer, ["a", "b"], max_new_tokens=5, return_full_text=True)
for row in texts:
    print(row)
""",
    )
    assert plan.manual == ()


def test_a_dict_of_keywords_beside_a_functions_own(check_transformed):
    check_transformed(
        """\
from transformers import AutoModelForCausalLM

kwargs = {"low_cpu_mem_usage": True, "torch_dtype": "float16"}


def plot():
    kwargs = {"color": "red"}
    kwargs["low_cpu_mem_usage"] = 1
    draw(**kwargs)


model = AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)
""",
        """\
from guard import CleanModelLoader

kwargs = {"dtype": "float16"}


def plot():
    kwargs = {"color": "red"}
    kwargs["low_cpu_mem_usage"] = 1
    draw(**kwargs)


loader = CleanModelLoader("gpt2", **kwargs)
model, _, provenance = loader.load()
""",
    )


def test_a_dict_of_keywords_of_the_function_around(check_transformed):
    check_transformed(
        """\
from transformers import AutoModelForCausalLM


def main():
    kwargs = {"torch_dtype": "float16"}

    def load():
        return AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)

    return load()
""",
        """\
from guard import CleanModelLoader


def main():
    kwargs = {"dtype": "float16"}

    def load():
        return CleanModelLoader("gpt2", **kwargs).load().model

    return load()
""",
    )


def test_a_generation_config_of_an_enclosing_function(migrate):
    plan = migrate(
        "from transformers import GenerationConfig\n" + START + "\n\ndef outer():\n"
        "    config = GenerationConfig(max_new_tokens=5, do_sample=False)\n\n"
        "    def ask(text):\n"
        '        inputs = tokenizer(text, return_tensors="pt")\n'
        "        out = base.generate(**inputs, generation_config=config)\n"
        "        return tokenizer.decode(out[0], skip_special_tokens=True)\n\n"
        "    return ask\n"
    )
    assert plan.refusal is None
    after = "".join(plan.after.decode().split())
    assert "base,tokenizer,text,max_new_tokens=5,do_sample=False," in after
