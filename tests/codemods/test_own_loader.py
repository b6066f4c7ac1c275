"""A script in which CleanModelLoader is something else is left to a person."""

from __future__ import annotations

import pytest

from cleanguard.settings.config import Settings
from codemods.migration import migrate_source

LOADS = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("a", return_tensors="pt")
outputs = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(outputs[0]))
"""


@pytest.mark.parametrize(
    ("own", "line"),
    [
        pytest.param(
            """\
class CleanModelLoader:
    def __init__(self, name):
        self.name = name

    def load(self):
        return None, None
""",
            9,
            id="a class",
        ),
        pytest.param("CleanModelLoader = None\n", 9, id="nothing"),
        pytest.param(
            "try:\n    from guard import CleanModelLoader\nexcept ImportError:\n    CleanModelLoader = None\n",
            12,
            id="nothing where the guard is missing",
        ),
        pytest.param("def CleanModelLoader(name): ...\n", 9, id="a function"),
        pytest.param("def f(CleanModelLoader): ...\n", 9, id="a parameter"),
        pytest.param("from mine import Loader as CleanModelLoader\n", 9, id="another class"),
    ],
)
def test_nothing_is_rewritten(own, line, check_noop):
    plan = check_noop(LOADS + own)
    reason = f"line {line} defines its own CleanModelLoader: take it out, or give it another name"
    assert {site.code for site in plan.sites} >= {"CG101", "CG102", "CG301"}
    assert {site.reason for site in plan.sites} == {reason}


def test_an_import_of_the_loader_is_not_its_own(migrate):
    plan = migrate("from guard import CleanModelLoader\n" + LOADS)
    assert plan.refusal is None
    assert plan.manual == ()


@pytest.mark.parametrize("stranger", ["guard.py", "cleanguard.py", "guard/check.py"])
def test_nothing_is_rewritten_beside_a_stranger_of_the_guards_name(stranger, tmp_path):
    path = tmp_path / stranger
    path.parent.mkdir(exist_ok=True)
    path.write_text("X = 1\n")
    script = tmp_path / "script.py"
    script.write_text(LOADS)
    plan = migrate_source(str(script), LOADS.encode(), Settings())
    name = stranger if stranger.endswith(("guard.py",)) else "guard/"
    assert plan.after == plan.before
    assert plan.refusal is None
    assert {site.reason for site in plan.sites} == {
        f"`{name}` beside this file would be imported instead of cleanguard's: rename it"
    }
