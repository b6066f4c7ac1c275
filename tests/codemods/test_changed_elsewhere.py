"""What other files of a run change of a model or a tokenizer, or put in the place of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.migration import Migration
from tests.codemods.plans import planned

LOADS = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tok = AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-2-7b-hf")
"""
ASKS = """\
enc = tok("The lamp", return_tensors="pt")
print(tok.decode(model.generate(**enc, max_new_tokens=4, do_sample=False)[0]))
"""
LM = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

class LM:
    kind = AutoModelForCausalLM
    def __init__(self, name):
        self.tok = AutoTokenizer.from_pretrained(name)
        self.model = AutoModelForCausalLM.from_pretrained(name)
    def ask(self, text):
        enc = self.tok(text, return_tensors="pt")
        return self.tok.decode(self.model.generate(**enc, max_new_tokens=4, do_sample=False)[0])
"""


def held(folder: Path, texts: dict[str, str], name: str = "main.py") -> list[str]:
    plan: Migration = planned(folder, texts)[name]
    assert not plan.changed or not plan.manual
    return [] if plan.changed else [site.reason or "" for site in plan.manual]


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("setup(tok)\n", "def setup(t):\n    t.add_bos_token = False\n"),
        ("setup(tok, add_bos_token=False)\n", "def setup(t, **kw):\n    for k, v in kw.items():\n        setattr(t, k, v)\n"),
        ("setup(model)\n", "def setup(m):\n    m.generation_config.repetition_penalty = 1.8\n"),
        ("setup(model)\n", "def setup(m):\n    g = m.generation_config\n    g.max_new_tokens = 3\n"),
        ("", "from transformers import AutoTokenizer\ndef setup(n): ...\nAutoTokenizer.from_pretrained = setup\n"),
    ],
)  # fmt: skip
def test_a_helper_of_another_file_sets_it(tmp_path: Path, line: str, does: str) -> None:
    main = "from helpers import setup\n" + LOADS + line + ASKS
    assert held(tmp_path, {"main.py": main, "helpers.py": does})


def test_a_helper_that_only_takes_settings_back(tmp_path: Path) -> None:
    does = "def setup(m):\n    m.generation_config.pad_token_id = 0\n    m.generation_config.top_p = None\n"
    main = "from helpers import setup\n" + LOADS + "setup(model)\n" + ASKS
    assert not any(
        "sets a `generation_config`" in one
        for one in held(tmp_path, {"main.py": main, "helpers.py": does})
    )


@pytest.mark.parametrize(
    "main",
    [
        "from lm import LM\nl = LM('gpt2')\nl.model.generation_config.repetition_penalty = 1.9\nprint(l.ask('a'))\n",
        "from lm import LM\nl = LM('gpt2')\nl.tok = print\nprint(l.ask('a'))\n",
        "import lm\nlm.AutoModelForCausalLM = print\nprint(lm.LM('gpt2').ask('a'))\n",
    ],
)
def test_a_file_that_uses_a_class_changes_what_it_holds(tmp_path: Path, main: str) -> None:
    assert held(tmp_path, {"main.py": main, "lm.py": LM}, "lm.py")
    plain = "from lm import LM\nprint(LM('gpt2').ask('a'))\n"
    assert not held(tmp_path, {"main.py": plain, "lm.py": LM}, "lm.py")


def test_a_class_attribute_that_loads_may_be_another_one(tmp_path: Path) -> None:
    texts = {
        "lm.py": LM.replace("AutoModelForCausalLM.from", "self.kind.from"),
        "main.py": "from lm import LM\n",
    }
    assert any("another class for `self.kind`" in one for one in held(tmp_path, texts, "lm.py"))


@pytest.mark.parametrize(
    "stars",
    [
        {"main.py": "from own import *\n", "own.py": "class AutoTokenizer:\n    from_pretrained = print\n"},
        {"main.py": "from own import *\n", "own.py": "try:\n    import x\nexcept ImportError:\n    class AutoModelForCausalLM: ...\n"},
    ],
)  # fmt: skip
def test_a_star_import_brings_a_name_of_the_library(tmp_path: Path, stars: dict[str, str]) -> None:
    head, _, rest = LOADS.partition("\n")
    assert held(tmp_path, stars | {"main.py": head + "\n" + stars["main.py"] + rest + ASKS})


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("from own import *\n", "from transformers import AutoTokenizer\nimport torch\nx = 1\n"),
        ("", ""),
    ],
)
def test_a_star_import_that_brings_the_same(tmp_path: Path, line: str, own: str) -> None:
    head, _, rest = LOADS.partition("\n")
    assert not held(tmp_path, {"main.py": head + "\n" + line + rest + ASKS, "own.py": own})


def test_a_star_import_between_tokenising_and_generating(tmp_path: Path) -> None:
    main = (
        LOADS
        + 'text = "a"\nenc = tok(text, return_tensors="pt")\nfrom data import *\n'
        + ASKS.split("\n", 1)[1]
    )
    assert held(tmp_path, {"main.py": main, "data.py": "text = 'b'\n"})
    assert not held(tmp_path / "other", {"main.py": main, "data.py": "rows = ['b']\n"})


SCORES = "def run(model, tok, p):\n    e = tok(p, return_tensors='pt', add_special_tokens=False)\n    return model.generate(**e)\n"


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (SCORES + "TABLE = {'a': run}\n", "from table import TABLE\n{}print(TABLE['a'](model, tok, 'a'))\n"),
        (SCORES + "TABLE = {'a': run}\n", "from table import TABLE\n{}for f in TABLE.values():\n    print(f(model, tok, 'a'))\n"),
        (SCORES, "import importlib\n{}print(importlib.import_module('table').run(model, tok, 'a'))\n"),
    ],
)  # fmt: skip
def test_functions_that_are_not_called_by_name_get_the_model(
    tmp_path: Path, table: str, line: str
) -> None:
    assert held(tmp_path, {"main.py": line.format(LOADS), "table.py": table})


@pytest.mark.parametrize(
    "common",
    [
        "from transformers import AutoTokenizer\nAutoTokenizer = print\n",
        "from transformers import AutoTokenizer\nglobals()['AutoTokenizer'] = print\n",
        "from transformers import AutoTokenizer\nfrom own import *\n",
    ],
)
def test_a_name_that_another_file_binds_again(tmp_path: Path, common: str) -> None:
    main = LOADS.replace("AutoModelForCausalLM, AutoTokenizer", "AutoModelForCausalLM").replace(
        "\n\n", "\nfrom common import AutoTokenizer\n\n", 1
    )
    texts = {"main.py": main + ASKS, "common.py": common, "own.py": "class AutoTokenizer: ...\n"}
    assert held(tmp_path, texts)
    plain = "from transformers import AutoTokenizer\n"
    assert not held(tmp_path / "plain", texts | {"common.py": plain})


def test_what_the_script_puts_into_another_files_module(tmp_path: Path) -> None:
    common = "def enc(t, p):\n    return t(p, return_tensors='pt')\n"
    main = "import common\n" + LOADS + "common.enc = lambda t, p: t(p)\n" + ASKS
    assert held(tmp_path, {"main.py": main, "common.py": common})
    config = "import argparse\nargs = argparse.Namespace()\n"
    main = "from config import args\n" + LOADS + "args.rate = 1\n" + ASKS
    assert not held(tmp_path / "plain", {"main.py": main, "config.py": config})


@pytest.mark.parametrize(
    "line",
    [
        "from kit import ask\n{}print(ask(model, tok, 'a'))\n",
        "import kit\n{}print(kit.ask(model, tok, 'a'))\n",
    ],
)
def test_a_package_with_two_of_one_name(tmp_path: Path, line: str) -> None:
    ask = "def ask(model, tok, p):\n    enc = tok(p, return_tensors='pt')\n    return tok.decode(model.generate(**enc, max_new_tokens=4, do_sample=False)[0])\n"
    texts = {
        "main.py": line.format(LOADS),
        "kit/gen.py": ask,
        "kit/other.py": SCORES.replace("run", "ask"),
    }
    once = texts | {"kit/__init__.py": "from .gen import ask\n"}
    assert not held(tmp_path / "once", once)
    assert held(
        tmp_path, texts | {"kit/__init__.py": "from .gen import ask\nfrom .other import *\n"}
    )


def test_what_is_called_by_a_made_up_name_in_a_helper(tmp_path: Path) -> None:
    runs = "import importlib\ndef run(path, *given):\n    name, _, what = path.partition(':')\n    return getattr(importlib.import_module(name), what)(*given)\n"
    main = "from runs import run\n" + LOADS + "print(run('gens:raw', model, tok, 'a'))\n"
    assert held(
        tmp_path, {"main.py": main, "runs.py": runs, "gens.py": SCORES.replace("run", "raw")}
    )


def test_a_collator_that_is_only_imported_pads_nothing(tmp_path: Path) -> None:
    score = "enc = tok('a', return_tensors='pt')\nprint(model(**enc).logits)\n"
    head = "from transformers import DataCollatorWithPadding\n"
    assert not held(tmp_path / "only", {"main.py": head + LOADS + score})
    assert held(
        tmp_path, {"main.py": head + LOADS + "collate = DataCollatorWithPadding(tok)\n" + score}
    )
