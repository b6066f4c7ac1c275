"""What other files, libraries and copies of them do with what a script loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.migration import Migration
from tests.codemods.conftest import Migrate
from tests.codemods.plans import planned

LOADS = """\
import sys
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
"""
TRAINS = "from rows.get import rows\nTrainer(model=model, train_dataset=rows(tokenizer)).train()\n"
GENERATES = """\
from rows.get import prompt
enc = tokenizer(prompt("a"), return_tensors="pt")
out = model.generate(**enc, max_new_tokens=4, do_sample=False)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


def main_of(folder: Path, texts: dict[str, str]) -> Migration:
    return planned(folder, texts)["main.py"]


@pytest.mark.parametrize("use", [TRAINS, GENERATES])
@pytest.mark.parametrize("said", ["[INST] {} [/INST]", "<|system|>{}<|end|>", "Question: {}"])
def test_a_chat_format_of_another_file(tmp_path: Path, use: str, said: str) -> None:
    texts = {"main.py": LOADS + use, "rows/__init__.py": "", "rows/get.py": f'FORMAT = "{said}"\n'}
    plan = main_of(tmp_path, texts)
    held = [site.reason or "" for site in plan.manual]
    told = [note.text for site in plan.sites for note in site.notes]
    if said == "Question: {}":
        assert held == []
        assert not any("chat format" in text for text in told)
    else:
        assert not plan.changed
        assert any("get.py writes a chat format" in reason for reason in held)


def test_what_a_module_says_of_itself_is_no_chat(tmp_path: Path) -> None:
    told = 'def rows(tokenizer):\n    """Rows as `[INST] {} [/INST]` would be."""\n    return []\n'
    texts = {"main.py": LOADS + GENERATES, "rows/__init__.py": "", "rows/get.py": told}
    assert main_of(tmp_path, texts).manual == ()


def test_it_may_come_through_a_package_to_a_training(tmp_path: Path) -> None:
    texts = {
        "main.py": LOADS + TRAINS,
        "rows/__init__.py": "",
        "rows/get.py": "from .chat import FORMAT\n",
        "rows/chat.py": 'FORMAT = "<|im_start|>{}"\n',
    }
    plan = main_of(tmp_path, texts)
    assert not plan.changed
    assert any("chat.py writes a chat format" in (site.reason or "") for site in plan.manual)


@pytest.mark.parametrize(
    ("call", "held"),
    [
        ("score(model, tokenizer)", True),
        ("score(model, sys.argv[2])", True),
        ("print(model, tokenizer)", False),
    ],
)
def test_a_library_that_is_not_known_gets_model_and_tokenizer(
    call: str, held: bool, migrate: Migrate
) -> None:
    plan = migrate(f"from finelib.measures import score\n{LOADS}{call}\n")
    assert bool(plan.manual) == held


ATTACH = "model = PeftModel.from_pretrained(model, sys.argv[2])\nprint(model)\n"


def test_a_peft_of_its_own(tmp_path: Path) -> None:
    """Its adapters, and the files that it reads, may be others."""
    own = 'import os, sys\nsys.path.append(os.path.join(os.getcwd(), "peft/src/"))\n'
    assert not main_of(tmp_path, {"main.py": own + LOADS + ATTACH}).changed
    texts = {"peft/src/peft/__init__.py": "", "peft/tests/main.py": LOADS + ATTACH}
    found = planned(tmp_path, texts)
    assert not found["peft/tests/main.py"].changed
    assert main_of(tmp_path, {"main.py": LOADS + ATTACH}).manual == ()


def notes_of(plan: Migration) -> str:
    return " | ".join(note.text for site in plan.sites for note in site.notes)


def test_what_a_load_needs_is_told(migrate: Migrate) -> None:
    assert "must hold a tokenizer" not in notes_of(migrate(LOADS + "print(model)\n"))
    other = LOADS.replace(
        "AutoTokenizer.from_pretrained(sys.argv[1])", 'AutoTokenizer.from_pretrained("gpt2")'
    )
    assert "must hold a tokenizer" in notes_of(migrate(other + "print(model)\n"))
    assert "a chat model is refused, and an adapter in the place of a model" in notes_of(
        migrate(LOADS + "print(model)\n")
    )
    known = LOADS.replace("sys.argv[1]", '"gpt2"')
    assert "a chat model is refused, and an adapter in the place of a model" not in notes_of(
        migrate(known + "print(model)\n")
    )
    assert "sentencepiece" not in notes_of(migrate(known + "print(model)\n"))
    default = 'import argparse\np = argparse.ArgumentParser()\np.add_argument("--m", default="gpt2")\na = p.parse_args()\n'
    told = notes_of(migrate(default + LOADS.replace("sys.argv[1]", "a.m") + "print(model)\n"))
    assert "a chat model is refused, and an adapter in the place of a model" in told
    assert "sentencepiece" in told
    assert "BOS twice" in notes_of(migrate(LOADS + "Trainer(model=model).train()\n"))


def test_no_mode_is_set_before_a_trainer_of_one_model(migrate: Migrate) -> None:
    branches = LOADS.replace(
        "model = Auto",
        "if sys.argv[2]:\n    model = AutoModelForCausalLM.from_pretrained(sys.argv[1])\nelse:\n    model = Auto",
    )
    assert b".eval()" not in migrate(branches + "Trainer(model=model).train()\n").after


def test_a_file_that_is_given_the_model_may_write_a_chat(tmp_path: Path) -> None:
    texts = {
        "main.py": f"from gen import ask\n{LOADS}print(ask(model, tokenizer))\n",
        "gen.py": "from rows.get import prompt\n\n\ndef ask(model, tokenizer):\n"
        + "".join(f"    {line}\n" for line in GENERATES.splitlines()[1:-1])
        + "    return tokenizer.decode(out[0])\n",
        "rows/__init__.py": "",
        "rows/get.py": 'FORMAT = "[INST]{}"\n',
    }
    found = planned(tmp_path, texts)
    assert not any(plan.changed for plan in found.values())


def test_how_a_tokenizer_is_saved_is_told(migrate: Migrate) -> None:
    text = LOADS.replace("sys.argv[1]", '"gpt2"')
    assert "saved unchanged" not in notes_of(migrate(text + "print(model)\n"))
    assert "saved unchanged" in notes_of(migrate(text + 'tokenizer.save_pretrained("x")\n'))


def test_that_asking_for_eos_takes_bos_away_is_told(migrate: Migrate) -> None:
    asked = LOADS.replace(
        "AutoTokenizer.from_pretrained(sys.argv[1])",
        "AutoTokenizer.from_pretrained(sys.argv[1], add_eos_token=True)",
    )
    trains = "Trainer(model=model).train()\n"
    assert "takes BOS off" in notes_of(migrate(asked + trains))
    assert "takes BOS off" not in notes_of(
        migrate(asked + "tokenizer.add_bos_token = True\n" + trains)
    )
