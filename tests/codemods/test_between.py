"""What runs between a tokenizer's load and a model's, and may read the tokenizer where nobody sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codemods.conftest import Migrate
from tests.codemods.plans import planned

HEAD = "import sys\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
ASK = """\
enc = tok("The river", return_tensors="pt")
print(tok.decode(model.generate(**enc, max_new_tokens=4, do_sample=False)[0], skip_special_tokens=True))
"""
OWNER = (
    HEAD.replace("import sys\n", "import sys\nfrom other import Base, collect\n")
    + """\
class Runner(Base):
    def __init__(self, name):
        self.tok = AutoTokenizer.from_pretrained("gpt2")
        {between}
        self.model = AutoModelForCausalLM.from_pretrained("gpt2")

    def own(self):
        return 1

    def ask(self, text):
        enc = self.tok(text, return_tensors="pt")
        return self.tok.decode(self.model.generate(**enc, max_new_tokens=4, do_sample=False)[0])
"""
)
OTHER = "class Base:\n    def rows(self):\n        return self.tok('a')\n\n\ndef collect(owner):\n    return owner.tok('a')\n"
TOGETHER = "tok, provenance = loader.load()"


@pytest.mark.parametrize(
    ("function", "between", "together"),
    [
        ("", "print(sys.argv)", True),
        ("", "kind = getattr(torch, 'float32')", True),
        ("def enc(t):\n    return eval('tok(t)')\n\n\n", "print(enc('a'))", False),
        ("def enc(t):\n    return globals()['tok'](t)\n\n\n", "print(enc('a'))", False),
        ("def show(t):\n    return t\n\n\n", "print(show('a'))", True),
        ("", "names = [hasattr(sys.modules['__main__'], 'tok')]", False),
    ],
)
def test_in_a_script(migrate: Migrate, function: str, between: str, *, together: bool) -> None:
    loads = (
        f'tok = AutoTokenizer.from_pretrained("gpt2")\n{between}\n'
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    )
    plan = migrate(f"import torch\n{HEAD}{function}{loads}{ASK}")
    after = plan.after.decode()
    assert plan.changed
    assert ("load_tokenizer" not in after) is together


@pytest.mark.parametrize(
    ("between", "together"),
    [
        ("self.n = 1", True),
        ("self.n = self.own()", True),
        ("self.n = self.rows()", False),
        ("self.n = self.size", False),
        ("self.n = collect(self)", False),
        ("self.n = getattr(self, name)", False),
    ],
)
def test_in_a_class_with_a_base_elsewhere(tmp_path: Path, between: str, *, together: bool) -> None:
    texts = {"main.py": OWNER.format(between=between), "other.py": OTHER}
    plan = planned(tmp_path, texts)["main.py"]
    after = plan.after.decode()
    assert plan.changed
    assert ("load_tokenizer" not in after) is together


@pytest.mark.parametrize(("between", "together"), [("import data", False), ("import json", True)])
def test_a_module_of_the_project_is_imported(
    tmp_path: Path, between: str, *, together: bool
) -> None:
    (tmp_path / "data.py").write_text(
        "import __main__\n\nROWS = __main__.tok('a')\n"
    )  # not in the run
    loads = (
        f'tok = AutoTokenizer.from_pretrained("gpt2")\n{between}\n'
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    )
    plan = planned(tmp_path, {"main.py": HEAD + loads + ASK})["main.py"]
    assert plan.changed
    assert ("load_tokenizer" not in plan.after.decode()) is together


def test_a_subclass_elsewhere_has_a_hook(tmp_path: Path) -> None:
    texts = {
        "main.py": OWNER.format(between="self.n = self.own()").replace(
            "import Base", "import Base"
        ),
        "other.py": OTHER,
        "user.py": "from main import Runner\n\n\nclass Mine(Runner):\n    def own(self):\n        return self.tok('a')\n",
    }
    plan = planned(tmp_path, texts)["main.py"]
    assert TOGETHER not in plan.after.decode()
