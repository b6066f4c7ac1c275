"""`model_max_length=` of a tokenizer's load: rows that are cut to it stay as long as they were."""

from __future__ import annotations

import pytest

IMPORTS = "from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer\n"
TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained("gpt2", model_max_length=args.length)\n'
MODEL = 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
SET = "tokenizer.model_max_length = args.length\n"
USES = [
    pytest.param(
        'rows = tokenizer("a", max_length=tokenizer.model_max_length)\n', id="the attribute is read"
    ),
    pytest.param("trainer = Trainer(model=model)\n", id="the script trains"),
    pytest.param('rows = tokenizer("a", truncation=True)\n', id="a text is cut to it"),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("loads", [TOKENIZER + MODEL, MODEL + TOKENIZER])
def test_it_is_set_on_the_loaded_tokenizer(use, loads, migrate):
    plan = migrate(IMPORTS + loads + use)
    assert plan.refusal is None
    assert f"model, tokenizer, provenance = loader.load()\n{SET}" in plan.after.decode()
    assert [n.kind for s in plan.automatic for n in s.notes if "max_length" in n.text] == [
        "carried"
    ]


def test_it_is_set_on_an_attribute(migrate):
    before = (
        IMPORTS
        + """\
class A:
    def __init__(self, name):
        self.tok = AutoTokenizer.from_pretrained(name, model_max_length=512)
        self.model = AutoModelForCausalLM.from_pretrained(name)

    def rows(self, texts):
        return self.tok(texts, max_length=self.tok.model_max_length)
"""
    )
    assert "        self.tok.model_max_length = 512\n" in migrate(before).after.decode()


@pytest.mark.parametrize("use", [USES[0], USES[2]])
def test_it_is_set_on_a_tokenizer_alone(use, migrate):
    plan = migrate(f"{IMPORTS}{TOKENIZER}{use}")
    assert plan.refusal is None
    assert f".load_tokenizer()\n{SET}" in plan.after.decode()


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        pytest.param(
            'use(AutoTokenizer.from_pretrained("gpt2", model_max_length=9))\n',
            "`model_max_length` of the tokenizer is to be set after the load",
            id="no name to set it on",
        ),
        pytest.param(
            'tokenizer = AutoTokenizer.from_pretrained("gpt2", model_max_length=None)\n',
            "`model_max_length=None` takes away the length that rows are cut to",
            id="none at all",
        ),
    ],
)
def test_what_cannot_be_set_stays(load, reason, migrate):
    plan = migrate(f"{IMPORTS}{load}print(x.model_max_length)\n")
    assert [site.reason for site in plan.manual if site.code == "CG102"] == [reason]


def test_where_nothing_reads_it_it_falls_away(migrate):
    plan = migrate(IMPORTS + TOKENIZER + MODEL)
    assert b"model_max_length" not in plan.after
    assert [n.kind for s in plan.automatic for n in s.notes if "max_length" in n.text] == [
        "dropped"
    ]
