"""A tokenizer in a file that loads no model stays where its model may be one that is not guarded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration
from codemods.plan.options import EVERYTHING, WATCHING, Wishes
from codemods.planning import Planner

NAME = "huggyllama/llama-7b"
PREPARE = "from transformers import AutoTokenizer\ntok = AutoTokenizer.from_pretrained({})\nprint(len(tok(x).input_ids))\n"
SCORE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer
tok = AutoTokenizer.from_pretrained({name})
model = AutoModelForCausalLM.from_pretrained({name}{more})
print(model(**tok("a text", return_tensors="pt"), labels=None).logits)
"""


def _plans(folder: Path, files: dict[str, str], wishes: Wishes = WATCHING) -> dict[str, Migration]:
    for name, text in files.items():
        (folder / name).write_text(text)
    given = [SourceFile(name, folder / name) for name in files]
    plans = Planner(given, Settings()).plans(wishes)
    return {one.filename: one for one in plans if isinstance(one, Migration)}


@pytest.mark.parametrize(
    ("tokenizer", "model", "stays"),
    [
        (repr(NAME), repr(NAME), True),
        (repr(NAME), "args.name", True),
        ("'gpt2'", repr(NAME), False),
    ],
)
def test_beside_a_watched_model(tmp_path: Path, tokenizer: str, model: str, *, stays: bool) -> None:
    score = SCORE.format(name=model, more=", rope_theta=3")
    plans = _plans(tmp_path, {"prepare.py": PREPARE.format(tokenizer), "score.py": score})
    assert b"load_watched" in plans["score.py"].after
    assert plans["prepare.py"].changed is not stays
    reasons = [site.reason for site in plans["prepare.py"].manual]
    why = "score.py:3 loads a model that it may go with, not guarded"
    assert reasons == ([why] if stays else [])


def test_beside_a_guarded_model(tmp_path: Path) -> None:
    files = {
        "prepare.py": PREPARE.format(repr(NAME)),
        "score.py": SCORE.format(name=repr(NAME), more=""),
    }
    plans = _plans(tmp_path, files, EVERYTHING)
    assert all(plan.changed and not plan.manual for plan in plans.values())


def test_beside_a_model_that_a_person_wants_raw(tmp_path: Path) -> None:
    silent = ")  # cleanguard: ignore[CG101] compared with the guard's\n"
    score = SCORE.format(name=repr(NAME), more=", rope_theta=3").replace(
        ")\nprint", f"{silent}print"
    )
    plans = _plans(tmp_path, {"prepare.py": PREPARE.format(repr(NAME)), "score.py": score})
    assert plans["prepare.py"].changed


def test_beside_a_notebook(tmp_path: Path) -> None:
    score = SCORE.format(name=repr(NAME), more=", rope_theta=3")
    cell = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": score,
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    files = {"prepare.py": PREPARE.format(repr(NAME)), "score.ipynb": json.dumps(notebook)}
    plans = _plans(tmp_path, files)
    assert not plans["prepare.py"].changed
    assert "score.ipynb:3" in str(plans["prepare.py"].manual[0].reason)
