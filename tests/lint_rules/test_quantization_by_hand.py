"""CG104: what a person is told depends on what the keyword says."""

from __future__ import annotations

import pytest

from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("load_in_8bit=False", "leave `load_in_8bit=False` out"),
        (
            "load_in_4bit=False, load_in_8bit=True",
            "say `CleanModelLoader(MODEL, load_in_8bit=True)`",
        ),
    ],
)
def test_a_keyword_that_transformers_5_does_not_take(said: str, remedy: str) -> None:
    text = f'from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained("gpt2", {said})\n'
    found = check_source("a.py", text.encode(), Settings())
    assert [one.remedy.startswith(remedy) for one in found if one.code == "CG104"] == [True]
