"""What `from … import *` takes out of other files of the run, and which files a module's name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.migration import Migration
from tests.codemods.plans import planned

LOADS = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-2-7b-hf")
"""
SCORES = """\
def score(model, tokenizer, text):
    ids = tokenizer(tokenizer.bos_token + text, return_tensors="pt").input_ids
    return model(ids, labels=ids).loss.item()
"""
USES = 'print(score(model, tokenizer, "a"))\n'
GROWS = """\
def grow(given, tokenizer, model):
    tokenizer.add_special_tokens(given)
    model.resize_token_embeddings(len(tokenizer))
"""


def main_of(folder: Path, texts: dict[str, str]) -> Migration:
    return planned(folder, texts)["main.py"]


def reasons(plan: Migration) -> list[str]:
    return [site.reason or "" for site in plan.manual]


@pytest.mark.parametrize(
    "taken",
    [
        {"main.py": "from helpers import *\n", "helpers.py": SCORES},
        {"main.py": "from around import *\n", "around.py": "from helpers import *\n", "helpers.py": SCORES},
        {"main.py": "from around import *\n", "around.py": "from helpers import score\n", "helpers.py": SCORES},
        {"main.py": "from around import score\n", "around.py": "from helpers import *\n", "helpers.py": SCORES},
        {"main.py": "from .kit import *\n", "kit/__init__.py": "from .helpers import *\n", "kit/helpers.py": SCORES},
    ],
)  # fmt: skip
def test_a_function_that_scores_comes_by_star(tmp_path: Path, taken: dict[str, str]) -> None:
    plan = main_of(tmp_path, taken | {"main.py": taken["main.py"] + LOADS + USES})
    assert not plan.changed
    assert any("`score` of another file gets the model" in reason for reason in reasons(plan))


def test_the_script_has_its_own_of_that_name(tmp_path: Path) -> None:
    own = "def score(*given):\n    return len(given)\n"
    main = "from helpers import *\n" + LOADS + own + USES
    assert main_of(tmp_path, {"main.py": main, "helpers.py": SCORES}).changed


def test_what_stars_bring_in_circles_ends(tmp_path: Path) -> None:
    texts = {
        "main.py": "from one import *\n" + LOADS + USES,
        "one.py": "from two import *\n",
        "two.py": "from one import *\n" + SCORES,
    }
    assert not main_of(tmp_path, texts).changed


def test_tokens_that_a_function_adds_that_comes_by_star(tmp_path: Path) -> None:
    main = (
        "from growing import *\n" + LOADS + 'grow({"pad_token": "[PAD]"}, tokenizer, model)\n'
        'out = model.generate(**tokenizer("a", return_tensors="pt"), max_new_tokens=4, do_sample=False)\n'
        "print(tokenizer.decode(out[0]))\n"
    )
    after = main_of(tmp_path, {"main.py": main, "growing.py": GROWS}).after
    assert b'padding="files"' in after
    assert b"generate_ids(" in after


def test_chats_in_a_file_that_is_emptied_or_taken_out_of_a_package(tmp_path: Path) -> None:
    asks = (
        'enc = tokenizer(prompt("a"), return_tensors="pt")\n'
        "out = model.generate(**enc, max_new_tokens=4, do_sample=False)\n"
        "print(tokenizer.decode(out[0], skip_special_tokens=True))\n"
    )
    chat = 'def prompt(text):\n    return f"[INST] {text} [/INST]"\n'
    for line in ("from asking import *\n", "from asking import prompt\n"):
        assert not main_of(tmp_path, {"main.py": line + LOADS + asks, "asking.py": chat}).changed
    inside = {
        "main.py": "from kit import asking\n" + LOADS + asks.replace("prompt", "asking.prompt")
    }
    assert not main_of(tmp_path, inside | {"kit/__init__.py": "", "kit/asking.py": chat}).changed


DECODES = """\
def again(tokenizer, ids):
    text = tokenizer.decode(ids)
    return tokenizer(text)
"""


@pytest.mark.parametrize(
    ("line", "where", "held"),
    [
        ("from transformers.utils import logging\n", "utils.py", False),
        ("import utils\n", "utils.py", True),
        ("import utils\n", "elsewhere/utils.py", True),  # perhaps a folder on the path
        ("import kit.utils\n", "other/utils.py", False),
    ],
)
def test_which_file_a_module_is(tmp_path: Path, line: str, where: str, held: bool) -> None:
    main = (
        line
        + LOADS
        + "from transformers import Trainer\nTrainer(model=model, train_dataset=rows).train()\n"
    )
    plan = main_of(tmp_path, {"main.py": main, where: DECODES})
    assert any("decodes with its BOS" in reason for reason in reasons(plan)) is held
    assert plan.changed is not held


def test_the_file_beside_is_meant_and_not_one_of_another_folder(tmp_path: Path) -> None:
    main = (
        "import utils\n"
        + LOADS
        + "from transformers import Trainer\nTrainer(model=model, train_dataset=rows).train()\n"
    )
    texts = {"a/main.py": main, "a/utils.py": "x = 1\n", "b/utils.py": DECODES}
    assert planned(tmp_path, texts)["a/main.py"].changed


def test_attention_by_its_old_name(tmp_path: Path) -> None:
    load = LOADS.replace('7b-hf")\n', '7b-hf", _attn_implementation="eager")\n').replace(
        'AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf", _attn_implementation="eager")',
        'AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf")',
    )
    after = main_of(tmp_path, {"main.py": load + "print(model.config)\n"}).after
    assert b'attn_implementation="eager"' in after
    old = LOADS.replace('hf")\n', 'hf", use_flash_attention_2="flash_attention_2")\n').replace(
        'AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf", use_flash_attention_2="flash_attention_2")',
        'AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf")',
    )
    after = main_of(tmp_path, {"main.py": old + "print(model.config)\n"}).after
    assert b'attn_implementation="flash_attention_2")' in after
