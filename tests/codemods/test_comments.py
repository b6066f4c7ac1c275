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


def test_comments_of_arguments_stay_beside_them(check_transformed):
    check_transformed(
        "import torch\n"
        "from transformers import AutoModelForCausalLM, BitsAndBytesConfig\n"
        "bits = BitsAndBytesConfig(\n"
        "    load_in_4bit=True,  # QLoRA\n"
        "    # the paper's\n"
        "    # own choice\n"
        "    bnb_4bit_compute_dtype=torch.bfloat16\n"
        ")\n"
        "model = AutoModelForCausalLM.from_pretrained(\n"
        '    "gpt2",  # small\n'
        "    quantization_config=bits,\n"
        '    torch_dtype=torch.bfloat16,  # not "auto" # here\n'
        "    # spread over all GPUs\n"
        '    device_map="auto",\n'
        ")\n",
        "import torch\n"
        "from guard import CleanModelLoader\n"
        "# small\n"
        "loader = CleanModelLoader(\n"
        '    "gpt2",\n'
        "    load_in_4bit=True,  # QLoRA\n"
        '    bnb_4bit_quant_type="fp4",\n'
        "    bnb_4bit_use_double_quant=False,\n"
        "    # the paper's\n"
        "    # own choice\n"
        "    bnb_4bit_compute_dtype=torch.bfloat16,\n"
        '    dtype=torch.bfloat16,  # not "auto" # here\n'
        "    # spread over all GPUs\n"
        '    device_map="auto",\n'
        ")\n"
        "model, _, provenance = loader.load()\n",
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_comment_above_a_nested_argument_is_not_the_outer_ones(newline, migrate):
    text = newline.join(
        [
            "from transformers import AutoModelForCausalLM",
            "model = AutoModelForCausalLM.from_pretrained(",
            '    "gpt2",',
            "    device_map={  # by hand",
            '        "": 0,  # all of it',
            "    },",
            '    attn_implementation="sdpa",  # fast',
            '    revision="1234567",',
            "    local_files_only=True,",
            ")",
            "",
        ]
    )
    after = migrate(text).after.decode()
    assert f'attn_implementation="sdpa",  # fast{newline}' in after
    assert [after.count(one) for one in ("# by hand", "# all of it", "# fast")] == [1, 1, 1]
