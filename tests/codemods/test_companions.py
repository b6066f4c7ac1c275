"""Template, pad and padding lines leave with the load that makes them needless, and with no other."""

from __future__ import annotations

import pytest

TOKENIZER = (
    'from transformers import AutoTokenizer\ntokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("tokenizer.chat_template = None\n", id="the template"),
        pytest.param(
            'if hasattr(tokenizer, "default_chat_template"):\n    tokenizer.default_chat_template = None\n',
            id="the hasattr dance",
        ),
        pytest.param('setattr(tokenizer, "chat_template", None)\n', id="setattr"),
        pytest.param("tokenizer.pad_token = tokenizer.eos_token\n", id="pad is eos"),
        pytest.param(
            "if tokenizer.pad_token is None:\n    tokenizer.pad_token = tokenizer.eos_token\n",
            id="pad is eos where there is none",
        ),
        pytest.param('tokenizer.padding_side = "left"\n', id="left padding"),
    ],
)
def test_leaves(line, migrate):
    plan = migrate(TOKENIZER + line + "x = 1\n")
    assert plan.refusal is None
    assert plan.manual == ()
    assert plan.after.decode().endswith('CleanModelLoader("gpt2").load_tokenizer()\nx = 1\n')


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('tokenizer.pad_token = "<pad>"\n', id="another pad token"),
        pytest.param('tokenizer.padding_side = "right"\n', id="right padding"),
        pytest.param("tokenizer.chat_template = open('t.jinja').read()\n", id="a template of one's own"),
        pytest.param("if look(tokenizer):\n    tokenizer.chat_template = None\n", id="a test with effects"),
        pytest.param("if a:\n    x = 1\nelif hasattr(tokenizer, 'a'):\n    tokenizer.chat_template = None\n", id="elif"),
        pytest.param("tokenizer.chat_template = None; x = 1\n", id="two statements on a line"),
        pytest.param("if tokenizer.pad_token is None:\n    tokenizer.pad_token = tokenizer.eos_token\nelse:\n    x = 1\n", id="else"),
    ],
)  # fmt: skip
def test_stays(line, migrate):
    plan = migrate(TOKENIZER + line)
    assert plan.refusal is None
    assert plan.after.decode().endswith(line)


def test_a_block_of_template_lines_alone_leaves_no_empty_block(migrate):
    source = (
        TOKENIZER
        + "if a:\n    tokenizer.chat_template = None\n    tokenizer.pad_token = tokenizer.eos_token\n"
    )
    plan = migrate(source)
    assert plan.refusal is None
    compile(plan.after, "script.py", "exec")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            'from transformers import AutoTokenizer\ntokenizer = AutoTokenizer.from_pretrained("gpt2", subfolder="x")\n',
            id="a load that stays",
        ),
        pytest.param(
            'from transformers import AutoTokenizer\ntokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")\n',
            id="a chat model's tokenizer",
        ),
        pytest.param("def f(tokenizer):\n  pass\n", id="a tokenizer from elsewhere"),
    ],
)
def test_stays_with_a_load_that_stays(head, migrate):
    lines = "tokenizer.pad_token = tokenizer.eos_token\ntokenizer.chat_template = None\n"
    other = 'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("gpt2-xl")\n'
    if head.startswith("def"):
        lines = "def g(tokenizer):\n    tokenizer.pad_token = tokenizer.eos_token\n    tokenizer.chat_template = None\n"
        head = ""
    plan = migrate(other + head + lines)
    assert plan.refusal is None
    assert plan.after.decode().endswith(head + lines)


PAD_TEST = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token
"""
MORE = "    model.config.pad_token_id = model.config.eos_token_id\n"


def told(plan) -> list[str]:
    notes = [note for site in plan.automatic for note in site.notes if note.kind == "changed"]
    return [note.text for note in notes if "no longer holds" in note.text]


def test_a_pad_test_that_holds_more_is_told(migrate):
    plan = migrate(PAD_TEST + MORE)
    assert plan.refusal is None
    [text] = told(plan)
    assert "`if tokenizer.pad_token is None`" in text
    assert "eos" not in text


def test_a_pad_test_of_a_training_is_told(migrate):
    plan = migrate(PAD_TEST + "Trainer(model)\n")
    [text] = told(plan)
    assert "does not mask eos" in text


def test_a_pad_test_that_leaves_whole_is_not(migrate):
    assert told(migrate(PAD_TEST)) == []
