"""What objects are set to goes along with the walk: later settings do not reach earlier uses."""

from __future__ import annotations

import pytest

from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source

_PAIR = (
    "import random, torch\n"
    "from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, set_seed\n"
    "tok = AutoTokenizer.from_pretrained('Qwen/Qwen2.5-7B')\n"
    "lm = AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-7B')\n"
)
_SAMPLE = "lm.generate(**tok('a', return_tensors='pt'), do_sample=True)"
_BATCH = "lm.generate(**tok(texts, padding=True, return_tensors='pt'))"
_PLAIN = "lm.generate(**tok('a', return_tensors='pt'))"


def rows(code: str, body: str) -> list[int]:
    """Rows, counted in the body, of the findings of one code."""
    found = check_source("a.py", (_PAIR + body).encode(), Settings(select=(code,)))
    return [finding.location.row - _PAIR.count("\n") for finding in found]


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        pytest.param("CG304", f"set_seed(0)\n{_SAMPLE}", [], id="seeded"),
        pytest.param("CG304", f"{_SAMPLE}\nset_seed(0)", [1], id="seeded-too-late"),
        pytest.param("CG304", f"for _ in range(2):\n    {_SAMPLE}\n    set_seed(0)", [], id="seeded-for-the-next-round"),
        pytest.param("CG304", f"def seed():\n    torch.manual_seed(1)\nseed()\n{_SAMPLE}", [], id="by-a-function"),
        pytest.param("CG304", f"def seed():\n    random.seed(1)\nseed()\n{_SAMPLE}", [4], id="another-generator"),
        pytest.param("CG304", f"def run():\n    {_SAMPLE}\nset_seed(0)\nrun()", [], id="a-function-called-afterwards"),
        pytest.param("CG304", f"def run():\n    {_SAMPLE}\nrun()\nset_seed(0)", [2], id="a-function-called-before"),
        pytest.param("CG304", f"set_seed(0)\ntorch.seed()\n{_SAMPLE}", [3], id="unseeded-again"),
        pytest.param("CG302", f"tok.padding_side = 'left'\n{_BATCH}\ntok.padding_side = 'right'", [], id="left-then-right"),
        pytest.param("CG302", f"tok.padding_side = 'right'\n{_BATCH}\ntok.padding_side = 'left'", [1], id="right-then-left"),
        pytest.param("CG302", f"def prepare(t):\n    t.padding_side = 'left'\nprepare(tok)\n{_BATCH}", [], id="by-a-function-of-its-argument"),
        pytest.param("CG302", f"if right:\n    tok.padding_side = 'right'\nelse:\n    tok.padding_side = 'left'\n{_BATCH}", [2], id="on-one-way"),
        pytest.param("CG302", f"setattr(tok, 'padding_side', 'right')\n{_BATCH}", [1], id="by-setattr"),
        pytest.param("CG303", f"lm.generation_config.do_sample = False\n{_PLAIN}", [], id="decided"),
        pytest.param("CG303", f"{_PLAIN}\nlm.generation_config.do_sample = False", [1], id="decided-too-late"),
        pytest.param("CG303", f"lm.generation_config = GenerationConfig(do_sample=False)\n{_PLAIN}", [], id="replaced"),
        pytest.param(
            "CG303",
            "config = GenerationConfig(max_new_tokens=8)\nconfig.do_sample = False\n"
            "lm.generate(**tok('a', return_tensors='pt'), generation_config=config)",
            [],
            id="decided-in-the-config",
        ),
        pytest.param(
            "CG303",
            "config = GenerationConfig(max_new_tokens=8)\n"
            "lm.generate(**tok('a', return_tensors='pt'), generation_config=config)\nconfig.do_sample = False",
            [2],
            id="decided-in-the-config-too-late",
        ),
    ],
)  # fmt: skip
def test_order(code, body, expected):
    assert rows(code, body) == expected


def test_what_a_class_sets_where_it_loads_holds_for_its_methods():
    body = (
        "class Runner:\n"
        "    def __init__(self, path):\n"
        "        self.tok = AutoTokenizer.from_pretrained(path)\n"
        "        self.tok.padding_side = 'right'\n"
        "        self.lm = AutoModelForCausalLM.from_pretrained(path)\n"
        "    def run(self, texts):\n"
        "        return self.lm.generate(**self.tok(texts, padding=True, return_tensors='pt'))\n"
    )
    assert rows("CG302", body) == [4]


def test_an_object_that_is_made_anew_has_no_settings_of_the_one_before():
    body = (
        "from peft import PeftModel\n"
        "def load():\n"
        "    return AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-7B')\n"
        "for path in paths:\n"
        "    model = PeftModel.from_pretrained(load(), path)\n"
    )
    assert rows("CG111", body) == []
