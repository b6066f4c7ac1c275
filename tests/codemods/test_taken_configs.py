"""A config at the top of a module that another file takes: it stays, and is written out only where it is only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codemods.plans import planned

MODULE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

short = GenerationConfig(max_new_tokens=8, do_sample=False)


def ask(text):
    tok = AutoTokenizer.from_pretrained("gpt2")
    model = AutoModelForCausalLM.from_pretrained("gpt2")
    enc = tok(text, return_tensors="pt")
    return tok.decode(model.generate(**enc, generation_config=short)[0], skip_special_tokens=True)
"""
ASSIGNED = "short = GenerationConfig(max_new_tokens=8, do_sample=False)"


def plan_of(folder: Path, name: str, user: str) -> str:
    folder.joinpath("module.py").write_text(MODULE)
    plan = planned(folder, {"module.py": MODULE, name: user})["module.py"]
    assert plan.refusal is None
    return plan.after.decode()


@pytest.mark.parametrize(
    "user",
    [
        "import module\n\nmodule.short.max_new_tokens = 3\nprint(module.ask('a'))\n",
        "from module import short, ask\n\nshort.update(max_new_tokens=3)\nprint(ask('a'))\n",
        "from module import *\n\nshort.repetition_penalty = 1.9\nprint(ask('a'))\n",
        "import module as m\n\nsetattr(m.short, 'max_new_tokens', 3)\n",
        "import module\n\nmodule.short = None\n",
        "import module\n\n\ndef tune(c):\n    c.max_new_tokens = 2\n\n\ntune(module.short)\n",
        "import sys\nimport module\n\nsetattr(getattr(module, sys.argv[1]), 'max_new_tokens', 3)\n",
    ],
)
def test_what_another_file_may_change_is_not_written_out(tmp_path: Path, user: str) -> None:
    after = plan_of(tmp_path, "user.py", user)
    assert ASSIGNED in after
    assert "generation_config=short" in after


@pytest.mark.parametrize(
    "user",
    [
        "from module import ask, short\n\nprint(short.max_new_tokens, ask('a'))\n",
        "import module\n\n\ndef other(m, e):\n    return m.generate(**e, generation_config=module.short)\n",
    ],
)
def test_what_it_only_reads_is_written_out_and_stays(tmp_path: Path, user: str) -> None:
    after = plan_of(tmp_path, "user.py", user)
    assert ASSIGNED in after
    assert "loader.generate(" in after
    assert "generation_config=short" not in after


@pytest.mark.parametrize(
    "user",
    [
        "import importlib\n\nm = importlib.import_module('module')\nprint(m.short)\n",
        "import runpy\n\nspace = runpy.run_path('module.py')\nprint(space['short'])\n",
        "exec(open('module.py').read())\nprint(short)\n",
        "from unittest import mock\n\nwith mock.patch('module.short', None):\n    pass\n",
        "import sys\nimport module\n\nprint(getattr(module, sys.argv[1]).max_new_tokens)\n",
        '{"cells": [{"cell_type": "code", "source": ["%run module.py\\n", "print(short)"], "metadata": {}, '
        '"outputs": [], "execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}',
    ],
)
def test_what_another_file_takes_by_texts_stays(tmp_path: Path, user: str) -> None:
    name = "user.ipynb" if user.startswith("{") else "user.py"
    assert ASSIGNED in plan_of(tmp_path, name, user)


@pytest.mark.parametrize(
    "user", ["print('a module')\n", "short = 'module'\nprint(getattr(short, 'upper'))\n"]
)
def test_nobody_takes_it(tmp_path: Path, user: str) -> None:
    assert ASSIGNED not in plan_of(tmp_path, "user.py", user)


def test_a_file_above_the_package_takes_it(tmp_path: Path) -> None:
    """Only the package is in the run."""
    (tmp_path / "requirements.txt").write_text("transformers\n")
    (tmp_path / "app.py").write_text("from package.module import short\n\nprint(short)\n")
    plan = planned(tmp_path, {"package/module.py": MODULE})["package/module.py"]
    assert ASSIGNED in plan.after.decode()


def test_a_notebook_that_runs_another_file_is_not_taken_apart(tmp_path: Path) -> None:
    cells = [*MODULE.partition("\n\n\ndef")[0].splitlines(keepends=True)]
    loads = 'tok = AutoTokenizer.from_pretrained("gpt2")\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")'
    use = "enc = tok('a', return_tensors='pt')\nprint(tok.decode(model.generate(**enc, generation_config=short)[0]))"
    import json

    def cell(text: str) -> dict[str, object]:
        return {
            "cell_type": "code",
            "source": text,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }

    book = {"cells": [cell("".join(cells)), cell(loads), cell("%run -i tune.py"), cell(use)]}
    text = json.dumps({**book, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    plan = planned(tmp_path, {"book.ipynb": text})["book.ipynb"]
    assert not plan.changed
    assert any("a cell runs another file" in str(site.reason) for site in plan.manual)
