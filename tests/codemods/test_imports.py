"""Imports: what nothing uses any more leaves, what something uses stays."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration
from codemods.plan.options import WATCHING
from codemods.planning import Planner
from tests.codemods.conftest import Check, Migrate

LOAD = 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'


@pytest.mark.parametrize(
    ("before", "wanted", "gone"),
    [
        pytest.param(
            f"from transformers import AutoModelForCausalLM\n{LOAD}",
            "from guard import CleanModelLoader\n",
            "transformers",
            id="the import that nothing uses any more",
        ),
        pytest.param(
            f"from transformers import AutoModelForCausalLM, set_seed\nset_seed(1)\n{LOAD}",
            "from guard import CleanModelLoader\nfrom transformers import set_seed\n",
            "AutoModelForCausalLM",
            id="one name of two",
        ),
        pytest.param(
            f"from transformers import AutoModelForCausalLM as M\n{LOAD.replace('AutoModelForCausalLM', 'M')}",
            "from guard import CleanModelLoader\n",
            "transformers",
            id="an alias",
        ),
        pytest.param(
            f"import transformers as hf\n{LOAD.replace('Auto', 'hf.Auto')}",
            "from guard import CleanModelLoader\n",
            "hf",
            id="a module by another name",
        ),
        pytest.param(
            f"import transformers as hf\nhf.set_seed(1)\n{LOAD.replace('Auto', 'hf.Auto')}",
            "import transformers as hf\n",
            "from_pretrained",
            id="a module that is used elsewhere",
        ),
        pytest.param(
            f"from transformers import AutoModelForCausalLM\n__all__ = ['AutoModelForCausalLM']\n{LOAD}",
            "from transformers import AutoModelForCausalLM\n",
            "from_pretrained",
            id="a name in __all__",
        ),
        pytest.param(
            f"from transformers import AutoModelForCausalLM\n{LOAD}\ndef f(m: AutoModelForCausalLM): ...\n",
            "from transformers import AutoModelForCausalLM\n",
            "from_pretrained",
            id="a name in an annotation",
        ),
        pytest.param(
            f"from transformers import AutoModelForCausalLM\n{LOAD}\ndef f(m: 'AutoModelForCausalLM'): ...\n",
            "from transformers import AutoModelForCausalLM\n",
            "from_pretrained",
            id="a name in a quoted annotation",
        ),
        pytest.param(
            "def f():\n    from transformers import AutoModelForCausalLM\n    " + LOAD,
            "from guard import CleanModelLoader\n",
            "transformers",
            id="an import in a function",
        ),
        pytest.param(
            f"try:\n    from transformers import AutoModelForCausalLM\nexcept ImportError:\n    raise\n{LOAD}",
            "try:\n    from transformers import AutoModelForCausalLM\nexcept ImportError:\n    raise\n",
            "from_pretrained",
            id="an import in try",
        ),
        pytest.param(
            f'"""What it does."""\n\nfrom __future__ import annotations\n\nfrom transformers import AutoModelForCausalLM\n{LOAD}',
            "from __future__ import annotations\n\nfrom guard import CleanModelLoader\n",
            "transformers",
            id="after __future__",
        ),
        pytest.param(
            f"from guard import CleanModelLoader\nfrom transformers import AutoModelForCausalLM\n{LOAD}",
            "from guard import CleanModelLoader\n",
            "transformers",
            id="the loader is imported already",
        ),
        pytest.param(
            f"from typing import TYPE_CHECKING\nfrom transformers import AutoModelForCausalLM\nif TYPE_CHECKING:\n    from transformers import PreTrainedModel\n{LOAD}",
            "    from transformers import PreTrainedModel\n",
            "from_pretrained",
            id="an import for types stays",
        ),
        pytest.param(
            f"from transformers import AutoModelForCausalLM, PreTrainedModel\n{LOAD}",
            "from transformers import PreTrainedModel\n",
            "from_pretrained",
            id="an import that nothing ever used is not ours to clear",
        ),
    ],
)
def test_imports(before, wanted, gone, migrate):
    plan = migrate(before)
    assert plan.refusal is None
    after = plan.after.decode()
    assert wanted in after
    assert gone not in after
    assert after.count("from guard import CleanModelLoader") == 1


LAZY = """\
import os


def f():
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained("gpt2")
    return model
"""


def test_a_lazy_import_stays_lazy(check_transformed):
    check_transformed(
        LAZY,
        """\
import os


def f():
    from guard import CleanModelLoader

    loader = CleanModelLoader("gpt2")
    model, _, provenance = loader.load()
    return model
""",
    )


def test_two_lazy_imports_stay_two(migrate):
    after = migrate(LAZY + LAZY.replace("f()", "g()")).after.decode()
    assert after.count("    from guard import CleanModelLoader\n") == 2
    assert "transformers" not in after


def test_a_lazy_import_beside_a_module_that_loads(migrate):
    after = migrate(LAZY + "from transformers import AutoModelForCausalLM\n" + LOAD).after.decode()
    assert after.startswith("import os\nfrom guard import CleanModelLoader\n")
    assert after.count("import CleanModelLoader") == 1
    assert "transformers" not in after


def test_an_import_that_another_function_goes_on_using(migrate):
    """Each function imports the name for itself."""
    other = LAZY.replace("f()", "g()").replace(
        'AutoModelForCausalLM.from_pretrained("gpt2")', "AutoModelForCausalLM"
    )
    after = migrate(LAZY + other).after.decode()
    assert after.count("from transformers import AutoModelForCausalLM") == 1
    assert after.index("from guard") < after.index("from transformers")


def test_a_guard_import_in_another_function_is_no_help(migrate):
    source = "def g():\n    from guard import CleanModelLoader\n    return CleanModelLoader\n"
    after = migrate(f"from transformers import AutoModelForCausalLM\n{source}{LOAD}").after.decode()
    assert after.startswith("from guard import CleanModelLoader\n")


def test_a_branch_s_import_does_not_serve_the_other(migrate):
    source = (
        "def f(x):\n"
        "    if x:\n"
        "        from transformers import AutoModelForCausalLM\n"
        "    model = AutoModelForCausalLM.from_pretrained('gpt2')\n"
    )
    after = migrate(source).after.decode()
    assert after.startswith("from guard import CleanModelLoader\n")
    assert "        pass\n" in after


def test_relative_imports_stay_last(migrate):
    source = (
        "import os\nfrom .a import b\n\n\ndef f():\n    if b:\n"
        "        from transformers import AutoModelForCausalLM\n    return "
    ) + LOAD.removeprefix("model = ")
    after = migrate(source).after.decode()
    assert after.startswith("import os\nfrom guard import CleanModelLoader\nfrom .a import b\n")


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        pytest.param("# SPDX-License-Identifier: MIT\n# Copyright me\n\n", "", id="a licence"),
        pytest.param("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n", "", id="a shebang"),
        pytest.param("# Licensed to you.\n", "", id="a licence right above the code"),
        pytest.param("# One.\n\n# Two.\n\n", "", id="two blocks"),
        pytest.param("# SPDX: me\n\n", "# What f does.\n", id="the function's own comment"),
        pytest.param("", "# What f does.\n", id="only the function's own comment"),
        pytest.param('# One.\n\n"""What it does."""\n', "\n", id="a docstring"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_import_comes_after_the_header(header, rest, migrate):
    body = (
        f"def f(x):\n    if x:\n        from transformers import AutoModelForCausalLM\n\n    {LOAD}"
    )
    plan = migrate(header + rest + body)
    assert plan.refusal is None
    assert plan.after.decode().startswith(
        f"{header}from guard import CleanModelLoader\n{rest}def f(x):\n"
    )


def test_a_name_in_a_text_keeps_no_import(migrate):
    text = "import transformers\nfrom transformers import AutoModelForCausalLM\n"
    text += 'assert "AutoModelForCausalLM" in transformers._import_structure\n'
    text += 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    assert b"import AutoModelForCausalLM" not in migrate(text).after
    assert b"import AutoModelForCausalLM" in migrate(text + "print(globals())\n").after


def test_a_comment_stays_with_the_import_that_it_is_about(check_transformed: Check) -> None:
    text = "import os\n\n# for the classes\n# of the library\nimport transformers\n\n"
    load = 'model = transformers.AutoModelForCausalLM.from_pretrained("gpt2")\nprint(transformers.__version__)\n'
    loaded = 'loader = CleanModelLoader("gpt2")\nmodel, _, provenance = loader.load()\n'
    after = text.replace("# for", "from guard import CleanModelLoader\n# for") + loaded
    check_transformed(text + load, after + "print(transformers.__version__)\n")
    header = text.partition("\n\n")[2]
    after = header.replace("import t", "from guard import CleanModelLoader\nimport t") + loaded
    check_transformed(header + load, after + "print(transformers.__version__)\n")


def test_no_import_is_left_unused_where_scripts_are_planned_together() -> None:
    """Each of the 15 says the names that others lose, and imports them by name."""
    folder = Path(__file__).resolve().parents[2] / "cleanguard" / "legacy"
    files = [SourceFile(path.name, path) for path in sorted(folder.glob("*.py"))]
    plans = [
        one for one in Planner(files, Settings()).plans(WATCHING) if isinstance(one, Migration)
    ]
    assert len(plans) == 15
    for plan in plans:
        unused = [_unused(ast.parse(text)) for text in (plan.before, plan.after)]
        assert unused[1] <= unused[0], plan.filename


def _unused(tree: ast.Module) -> set[str]:
    """The names that a module imports and never reads."""
    imports = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
    names = {(one.asname or one.name).partition(".")[0] for node in imports for one in node.names}
    return names - {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_a_name_that_is_commented_out_goes_with_its_import(check_transformed):
    before = (
        "from transformers import (\n    AutoModelForCausalLM,\n    # FlaxGPTNeoForCausalLM,\n)\n\n"
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    )
    after = 'from guard import CleanModelLoader\n\nloader = CleanModelLoader("gpt2")\nmodel, _, provenance = loader.load()\n'
    check_transformed(before, after)


def test_an_import_inside_a_function_that_stays_takes_the_loaders_with_it(check_transformed):
    before = (
        "import torch\n\n\ndef load(name):\n    from transformers import GPT2LMHeadModel\n\n"
        "    return GPT2LMHeadModel.from_pretrained(name, attn_pdrop=0.1)\n"
    )
    after = (
        "import torch\n\n\ndef load(name):\n    from transformers import GPT2LMHeadModel\n"
        "    from guard import CleanModelLoader\n\n"
        "    return CleanModelLoader.load_watched(name, attn_pdrop=0.1, model_class=GPT2LMHeadModel)\n"
    )
    check_transformed(before, after, wishes=WATCHING)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "(AutoModelForCausalLM, AutoTokenizer,\n{p}Trainer, TrainerState,\n{p}TrainerControl)",
            "(AutoTokenizer,\n{p}Trainer, TrainerState,\n{p}TrainerControl)",
        ),
        (
            "(AutoTokenizer, Trainer,\n{p}AutoModelForCausalLM,\n{p}TrainerState, TrainerControl,)",
            "(AutoTokenizer, Trainer,\n{p}TrainerState, TrainerControl)",
        ),
        (
            "(AutoModelForCausalLM,\n{p}AutoTokenizer, TrainerState)",
            "(AutoTokenizer, TrainerState)",
        ),
        (
            "(\n  AutoTokenizer, Trainer,\n  AutoModelForCausalLM\n)",
            "(\n  AutoTokenizer, Trainer\n)",
        ),
        (
            "(\n    AutoTokenizer, Trainer,\n    AutoModelForCausalLM, TrainerState,\n)",
            "(\n    AutoTokenizer, Trainer,\n    TrainerState,\n)",
        ),
        (
            "(\n    AutoTokenizer, AutoModelForCausalLM,\n    TrainerState)",
            "(\n    AutoTokenizer,\n    TrainerState)",
        ),
    ],
)
@pytest.mark.parametrize("inside", ["", "    "])
def test_names_several_in_a_line_keep_their_lines(
    check_transformed: Check, before: str, after: str, inside: str
) -> None:
    def made(names: str, load: str, more: str) -> str:
        below = " " * len("from transformers import (")
        text = f"{more}from transformers import {names.format(p=below)}\n{load}\nprint(m)\n"
        body = "".join(f"{inside}{line}\n" for line in text.splitlines())
        return f"def f():\n{body}" if inside else body

    check_transformed(
        made(before, "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)", ""),
        made(
            after,
            "m = CleanModelLoader.load_watched(N, rope_theta=3)",
            "from guard import CleanModelLoader\n",
        ),
        wishes=WATCHING,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '# requires-python = ">=3.11"\n# dependencies = [\n#     "torch",\n#     "transformers"\n# ]\n#\n# [tool.uv.sources]\n',
            '# requires-python = ">=3.11"\n# dependencies = [\n#     "cleanguard",\n#     "torch",\n#     "transformers"\n# ]\n#\n# [tool.uv.sources]\n',
        ),
        ('# dependencies = ["torch"]\n', '# dependencies = ["cleanguard", "torch"]\n'),
        ("# dependencies = []\n", '# dependencies = ["cleanguard"]\n'),
        ("# [tool.uv]\n# x = 1\n", '# dependencies = ["cleanguard"]\n# [tool.uv]\n# x = 1\n'),
        ('# dependencies = ["cleanguard[gpu]"]\n', '# dependencies = ["cleanguard[gpu]"]\n'),
    ],
)
def test_the_header_that_a_script_is_run_by(
    check_transformed: Check, before: str, after: str
) -> None:
    """https://packaging.python.org/en/latest/specifications/inline-script-metadata/"""
    tomllib = pytest.importorskip("tomllib")

    text = "from {}\nm = {}(N, rope_theta=3)\n"
    old = text.format(
        "transformers import AutoModelForCausalLM", "AutoModelForCausalLM.from_pretrained"
    )
    new = text.format("guard import CleanModelLoader", "CleanModelLoader.load_watched")
    plan = check_transformed(
        f"#!/usr/bin/env python3\n# /// script\n{before}# ///\n{old}",
        f"#!/usr/bin/env python3\n# /// script\n{after}# ///\n{new}",
        wishes=WATCHING,
    )
    header = "\n".join(line[2:] for line in after.splitlines())
    assert any(one.startswith("cleanguard") for one in tomllib.loads(header)["dependencies"])
    told = any("script's header" in note.text for site in plan.done for note in site.notes)
    assert told is (before != after)


@pytest.mark.parametrize(
    "taken",
    [
        'getattr(torch, "float16")',
        "getattr(torch, NAME)",
        "getattr(Color, NAME)",
        "timers.__dict__",
        '"model" in locals()',
        'globals()["NAME"]',
    ],
)
def test_what_is_taken_of_a_library_by_its_text_keeps_no_import(
    check_transformed: Check, taken: str
) -> None:
    theirs = "from transformers import AutoModelForCausalLM\n"
    rest = f"import torch\n\nNAME = 'float16'\nkind = {taken}\n"
    load = 'm = {}("gpt2", rope_theta=3)\n'
    check_transformed(
        theirs + rest + load.format("AutoModelForCausalLM.from_pretrained"),
        "from guard import CleanModelLoader\n"
        + rest
        + load.format("CleanModelLoader.load_watched"),
        wishes=WATCHING,
    )


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("# uncomment this line without a GPU\n# m = pipeline('text-generation', model=m)\n", True),
        ("# m = pipeline('text-generation', model=m)\n", False),
        ("# uncomment to see what a pipeline is\n", False),
    ],
)
def test_a_line_that_the_reader_is_to_switch_on_keeps_its_import(
    migrate: Migrate, said: str, *, kept: bool
) -> None:
    text = (
        "from transformers import pipeline\n\n"
        f"p = pipeline('text-generation', model='gpt2')\n{said}print(p('a'))\n"
    )
    after = migrate(text, wishes=WATCHING).after.decode()
    assert "pipeline_watched(" in after
    assert ("import pipeline" in after) is kept


@pytest.mark.parametrize(
    "taken",
    [
        "sys.modules[__name__].__dict__",
        "globals()",
        "vars()",
        "importlib.import_module(__name__).__dict__",
    ],
)
def test_what_may_take_any_name_of_the_module_keeps_it(migrate: Migrate, taken: str) -> None:
    text = (
        "import importlib\nimport sys\nfrom transformers import AutoModelForCausalLM\n\n"
        f"m = AutoModelForCausalLM.from_pretrained('gpt2', rope_theta=3)\nprint(list({taken}))\n"
    )
    after = migrate(text, wishes=WATCHING).after.decode()
    assert "load_watched(" in after
    assert "import AutoModelForCausalLM" in after


@pytest.mark.parametrize(
    ("sets", "more", "kept"),
    [
        ("logging.getLogger('transformers').setLevel(logging.ERROR)", "", True),
        ("print([n for n in logging.root.manager.loggerDict])", "", True),
        ("logging.getLogger(__name__)", "", False),
        (
            "logging.getLogger('transformers').setLevel(40)",
            ", AutoConfig\nprint(AutoConfig)",
            False,
        ),
    ],
)
def test_a_library_whose_loggers_are_set_is_imported_before(
    migrate: Migrate, sets: str, more: str, *, kept: bool
) -> None:
    """The loader imports it with the first load alone, and it sets its loggers then."""
    text = (
        f"import logging\nfrom transformers import AutoModelForCausalLM{more}\n\n{sets}\n"
        "m = AutoModelForCausalLM.from_pretrained('gpt2', rope_theta=3)\n"
    )
    after = migrate(text, wishes=WATCHING).after.decode()
    assert "load_watched(" in after
    assert ("import AutoModelForCausalLM" in after) is kept


def test_what_a_type_checker_is_told_of_an_import_stays_with_it(check_transformed: Check) -> None:
    load = "\nm = {}('gpt2', rope_theta=3)\nprint(AutoConfig)\n"
    check_transformed(
        "from transformers import AutoConfig, AutoModelForCausalLM  # type: ignore\n"
        + load.format("AutoModelForCausalLM.from_pretrained"),
        "from guard import CleanModelLoader\nfrom transformers import AutoConfig  # type: ignore\n"
        + load.format("CleanModelLoader.load_watched"),
        wishes=WATCHING,
    )


def test_a_functions_own_import_is_nobody_elses(tmp_path: Path) -> None:
    load = "    return AutoModelForCausalLM.from_pretrained('gpt2', rope_theta=3)\n"
    made = "def made():\n    from transformers import AutoModelForCausalLM\n\n" + load
    (tmp_path / "models.py").write_text(made)
    (tmp_path / "run.py").write_text("from models import *\nprint(AutoModelForCausalLM)\n")
    files = [SourceFile(name, tmp_path / name) for name in ("models.py", "run.py")]
    plan, _ = Planner(files, Settings()).plans(WATCHING)
    assert isinstance(plan, Migration)
    assert b"AutoModelForCausalLM" not in plan.after


@pytest.mark.parametrize("comma", ["", ","])
def test_a_last_name_keeps_its_comma_or_has_none(migrate: Migrate, comma: str) -> None:
    names = f"(\n    AutoModelForCausalLM,\n    AutoTokenizer{comma}\n)\n"
    text = f'from transformers import {names}m = AutoModelForCausalLM.from_pretrained("gpt2", rope_theta=3)\n'
    after = migrate(f"{text}print(AutoTokenizer)\n", wishes=WATCHING).after.decode()
    assert f"from transformers import (\n    AutoTokenizer{comma}\n)\n" in after


def test_a_long_line_of_names_stays_one_line(migrate: Migrate) -> None:
    names = [f"Qwen2{letter * 12}ForCausalLM" for letter in "abcdef"]
    text = f"from transformers import AutoModelForCausalLM, {', '.join(names)}\n"
    load = f'm = AutoModelForCausalLM.from_pretrained("gpt2", rope_theta=3)\nprint({names[0]})\n'
    after = migrate(text + load, wishes=WATCHING).after.decode()
    assert f"from transformers import {', '.join(names)}\n" in after


def test_a_functions_import_that_is_the_modules_stays(migrate: Migrate) -> None:
    text = (
        "def ready():\n    global AutoModelForCausalLM\n    from transformers import AutoModelForCausalLM\n\n"
        '    return AutoModelForCausalLM.from_pretrained("gpt2", rope_theta=3)\n'
    )
    after = migrate(text, wishes=WATCHING).after.decode()
    assert "    from transformers import AutoModelForCausalLM\n" in after
