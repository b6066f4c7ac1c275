"""No comment is lost, wherever it stands in what is rewritten."""

from __future__ import annotations

import pytest

LOAD = 'AutoTokenizer.from_pretrained(  # one\n    "gpt2",\n    use_fast=True,  # two\n)'
MODEL = 'AutoModelForCausalLM.from_pretrained("gpt2",  # one\n)  # two'
TOP = "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(f"use({LOAD})\n", id="in an argument"),
        pytest.param(f"def f():\n    return {LOAD}\n", id="in a return"),
        pytest.param(f"if len({LOAD}) > 1:\n    pass\n", id="in a header"),
        pytest.param(f"model = {MODEL}\n", id="in an assignment"),
        pytest.param(f"m = PeftModel.from_pretrained({MODEL}, 'a')\n".replace("# two, 'a')", "# two\n, 'a')"), id="under an adapter"),
    ],
)  # fmt: skip
def test_comments_move_above(body, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert plan.manual == ()
    after = plan.after.decode()
    assert "CleanModelLoader(" in after
    assert [after.count(comment) for comment in ("# one", "# two")] == [1, 1]


def test_a_call_in_a_larger_expression_stays_short(check_transformed):
    check_transformed(
        "from transformers import AutoTokenizer, AutoModelForCausalLM\n"
        "pair = both(\n"
        '    AutoTokenizer.from_pretrained("gpt2"),\n'
        '    AutoModelForCausalLM.from_pretrained("gpt2"),\n'
        "    more=1,\n"
        ")\n",
        "from guard import CleanModelLoader\n"
        "pair = both(\n"
        '    CleanModelLoader("gpt2").load_tokenizer(),\n'
        '    CleanModelLoader("gpt2").load().model,\n'
        "    more=1,\n"
        ")\n",
    )
