"""Names that other files take from a file: they stay what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import migrate_source
from codemods.planning import Planner

CONFIG = """\
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

nf4 = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
"""
LOAD = 'model = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=nf4)\n'


def plan(path: Path, *texts: tuple[str, str]):
    files = [SourceFile(str(path / name), path / name) for name, _ in texts if name.endswith(".py")]
    for name, text in texts:
        (path / name).write_text(text)
    found = Planner(files, Settings()).plans()
    return {Path(one.filename).name: one for one in found}


@pytest.mark.parametrize(
    "user",
    [
        ("use.py", "from options import nf4\n"),
        ("use.py", "from .options import (\n    nf4,\n)\n"),
        ("use.py", "from options import *\nprint(nf4)\n"),
        ("use.py", "import options\nprint(options.nf4)\n"),
        ("use.py", "from package import options\nprint(options.nf4)\n"),
        ("use.ipynb", json.dumps({"cells": [{"source": ["from options import nf4\n"]}]})),
    ],
    ids=lambda user: f"{user[0]}: {user[1][:40]!r}",
)
@pytest.mark.parametrize("rest", ["", LOAD])
def test_a_config_that_another_file_takes_stays(tmp_path, user, rest):
    done = plan(tmp_path, ("options.py", CONFIG + rest), user)["options.py"]
    assert b"nf4 = BitsAndBytesConfig(" in done.after


def test_a_config_that_only_its_own_file_uses_goes(tmp_path):
    done = plan(tmp_path, ("options.py", CONFIG + LOAD), ("use.py", "import os\nnf4 = 1\n"))
    assert b"BitsAndBytesConfig" not in done["options.py"].after


def test_a_config_that_nothing_uses_is_there_for_somebody(tmp_path):
    path = tmp_path / "options.py"
    path.write_text(CONFIG)
    done = migrate_source(str(path), CONFIG.encode(), Settings())
    assert not done.changed


HELPER = """\
from transformers import AutoModelForCausalLM, AutoTokenizer


def prepare(tok):
    tok.padding_side = "left"
    tok.pad_token = tok.eos_token
    return tok


tokenizer = prepare(AutoTokenizer.from_pretrained("gpt2"))
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""


def test_lines_that_other_files_tokenizers_need_stay(tmp_path):
    other = "from helper import prepare\nprepare(theirs)\n"
    done = plan(tmp_path, ("helper.py", HELPER), ("other.py", other))["helper.py"]
    assert b'tok.padding_side = "left"' in done.after
    assert b"tok.pad_token = tok.eos_token" in done.after
    alone = plan(tmp_path, ("helper.py", HELPER), ("other.py", "x = 1\n"))["helper.py"]
    assert b"padding_side" not in alone.after


GENERATED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


@pytest.mark.parametrize("name", ["inputs", "out"])
def test_an_intermediate_that_another_file_takes_stays(tmp_path, name):
    done = plan(tmp_path, ("made.py", GENERATED), ("use.py", f"from made import {name}\n"))
    assert f"\n{name} = ".encode() in done["made.py"].after


def test_an_import_that_another_file_takes_on_stays(tmp_path):
    done = plan(tmp_path, ("made.py", GENERATED), ("use.py", "from made import AutoTokenizer\n"))
    assert b"import AutoTokenizer" in done["made.py"].after


GROWS = "def grow(given, tokenizer, model):\n    tokenizer.add_special_tokens(given)\n    model.resize_token_embeddings(len(tokenizer))\n"
MORE = "\n\ndef other(tokenizer):\n    tokenizer.add_tokens(['x'])\n"
TRAINS = """\
from growing import grow
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

model = AutoModelForCausalLM.from_pretrained(NAME)
tokenizer = AutoTokenizer.from_pretrained(NAME)
if tokenizer.pad_token is None:
    grow({"pad_token": "[PAD]"}, tokenizer, model)
"""


def test_a_helper_of_another_file_that_adds_tokens_is_looked_into(tmp_path):
    train = TRAINS + "Trainer(model=model, train_dataset=rows).train()\n"
    done = plan(tmp_path, ("growing.py", GROWS + MORE), ("train.py", train))["train.py"]
    assert b'padding="files"' in done.after
    grows = GROWS + "    tokenizer.add_tokens(['x'])\n"
    assert not plan(tmp_path, ("growing.py", grows), ("train.py", train))["train.py"].changed
    scores = TRAINS + "print(model(ids))\n"  # nothing is trained
    after = plan(tmp_path, ("growing.py", GROWS), ("train.py", scores))["train.py"].after
    assert b'CleanModelLoader(NAME, padding="files"' in after
    scores = scores.replace('"pad_token"', "named")
    assert not plan(tmp_path, ("growing.py", GROWS), ("train.py", scores))["train.py"].changed


def test_a_model_given_to_an_object_of_another_file_stays(tmp_path):
    tests = "class Test:\n    def run(self, model):\n        return model.generate(self.ids)\n"
    use = """\
from testing import Test
from transformers import AutoModelForCausalLM

test = Test(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME)
test.run(model)
"""
    assert not plan(tmp_path, ("testing.py", tests), ("use.py", use))["use.py"].changed
