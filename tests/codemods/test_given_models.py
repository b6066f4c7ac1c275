"""Models that go into functions of other files: the calls over the run decide, and all of a model's sites go or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.others.elsewhere import Elsewhere
from codemods.planning import Planner, Unread
from lint_rules._run.others import OtherFiles

LOADS = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""
GEN = """\
def ask(model, tokenizer, text):
    enc = tokenizer(text, return_tensors="pt")
    out = model.generate(**enc, max_new_tokens=4, do_sample=False)
    return tokenizer.decode(out[0], skip_special_tokens=True)
"""
CLASS = """\
class Asker:
    def __init__(self, model, tokenizer):
        self.model = model
        self.tokenizer = tokenizer

    def ask(self, text):
        enc = self.tokenizer(text, return_tensors="pt")
        out = self.model.generate(**enc, max_new_tokens=4, do_sample=False)
        return self.tokenizer.decode(out[0], skip_special_tokens=True)
"""
IDS = """\
def ask(model, ids):
    return model.generate(ids, max_new_tokens=4, do_sample=False)
"""
FAKE = """\
class Fake:
    def generate(self, input_ids, **settings):
        return input_ids.repeat(1, 2)


"""
CALL = 'print(ask(model, tokenizer, "a"))\n'
MAIN = f"from gen import ask\n{LOADS}{CALL}"


@pytest.fixture
def plans(tmp_path: Path):
    def run(texts: dict[str, str]):
        files = []
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            files.append(SourceFile(str(path), path))
        found = Planner(files, Settings()).plans()
        assert not any(isinstance(one, Unread) for one in found)
        return {Path(plan.filename).name: plan for plan in found}

    return run


def _goes(done) -> None:
    assert not any(plan.refusal or plan.manual for plan in done.values())
    for name, plan in done.items():
        assert b"from_pretrained" not in plan.after, name
        assert b".generate(" not in plan.after.replace(b"CleanModelLoader.generate(", b""), name


def _stays(done, word: str) -> None:
    assert not any(plan.changed for plan in done.values())
    assert any(word in (site.reason or "") for plan in done.values() for site in plan.manual)


@pytest.mark.parametrize("order", [("gen.py", "main.py"), ("main.py", "gen.py")])
@pytest.mark.parametrize(
    ("gen", "main"),
    [
        pytest.param(GEN, MAIN, id="a function"),
        pytest.param(
            GEN,
            MAIN.replace("import ask", "import ask as q").replace("(ask(", "(q("),
            id="another name",
        ),
        pytest.param(
            GEN,
            MAIN.replace("from gen import ask", "import gen").replace("(ask(", "(gen.ask("),
            id="its module",
        ),
        pytest.param(
            GEN, MAIN.replace("model, tokenizer, ", "tokenizer=tokenizer, model=model, text="),
            id="by keyword",
        ),
        pytest.param(
            CLASS,
            f'from gen import Asker\n{LOADS}print(Asker(model.eval(), tokenizer).ask("a"))\n',
            id="a class",
        ),
        pytest.param(
            GEN,
            MAIN.replace("print", "from accelerate import Accelerator\nmodel = Accelerator().prepare(model)\nprint"),
            id="prepared",
        ),
        pytest.param(
            GEN,
            MAIN + 'other = AutoModelForCausalLM.from_pretrained("gpt2")\nprint(ask(other, tokenizer, "b"))\n',
            id="two loads",
        ),
    ],
)  # fmt: skip
def test_a_model_is_followed_into_another_file(gen, main, order, plans):
    texts = {"gen.py": gen, "main.py": main}
    done = plans({name: texts[name] for name in order})
    _goes(done)
    assert b"CleanModelLoader.generate(" in done["gen.py"].after
    again = plans({name: plan.after.decode() for name, plan in done.items()})
    assert not any(plan.changed for plan in again.values())


def test_an_object_that_a_third_file_makes(plans):
    make = f"from gen import Asker\n{LOADS}\n\ndef asker():\n    return Asker(model, tokenizer)\n"
    main = 'from make import asker\nprint(asker().ask("a"))\n'
    _goes(plans({"gen.py": CLASS, "make.py": make, "main.py": main}))


def test_a_global_that_a_function_sets(plans):
    gen = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\nmodel = tokenizer = None\n\n\n"
        "def load(name):\n    global model, tokenizer\n"
        + LOADS.split("\n\n")[1].replace('"gpt2"', "name").replace("tok", "    tok", 1).replace("\nmod", "\n    mod")
        + "\n\n"
        + GEN.replace("model, tokenizer, ", "")
    )  # fmt: skip
    _goes(plans({"gen.py": gen, "main.py": 'import gen\ngen.load("gpt2")\nprint(gen.ask("a"))\n'}))


def test_ids_that_another_file_makes(plans):
    main = f'from gen import ask\n{LOADS}ids = tokenizer("a", return_tensors="pt").input_ids\nprint(ask(model, ids[:, 1:]))\n'
    done = plans({"gen.py": IDS, "main.py": main.replace("gpt2", "meta-llama/Llama-3.2-1B")})
    assert not any(plan.manual for plan in done.values())
    assert b"CleanModelLoader.generate_ids(model, ids, " in done["gen.py"].after
    assert b"allow_missing_bos=True" in done["main.py"].after


def test_rows_without_bos_of_each_model_that_may_be_meant(migrate):
    text = """\
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("a/b")
if len(sys.argv) > 1:
    model = AutoModelForCausalLM.from_pretrained("a/b")
else:
    model = AutoModelForCausalLM.from_pretrained("a/c")
ids = tokenizer("text", return_tensors="pt").input_ids
print(model(ids[:, 1:]).logits)
"""
    assert migrate(text).after.decode().count("allow_missing_bos=True") == 2


@pytest.mark.parametrize(
    ("other", "word"),
    [
        pytest.param(
            f'from gen import ask\n{FAKE}print(ask(Fake(), None, "b"))\n', "other.py", id="another model"
        ),
        pytest.param(
            f'from gen import ask as q\n{FAKE}print(q(Fake(), None, "b"))\n', "other.py", id="by another name"
        ),
        pytest.param(
            f'from gen import *\n{FAKE}print(ask(Fake(), None, "b"))\n', "other.py", id="by a star"
        ),
        pytest.param(
            f'import gen\n{FAKE}print(getattr(gen, "ask")(Fake(), None, "b"))\n', "other.py", id="by a computed name"
        ),
        pytest.param("from gen import ask\n\nCALLS = [ask]\n", "other.py:3", id="as a value"),
        pytest.param(
            "from gen import ask\n\n\ndef test_ask(model, tokenizer):\n    assert ask(model, tokenizer, 'a')\n",
            "other.py:5",
            id="a test",
        ),
        pytest.param(
            "from gen import ask\nfrom mine import load\n\nprint(ask(*load(), 'a'))\n", "other.py:4", id="a star"
        ),
    ],
)  # fmt: skip
def test_a_caller_that_gives_something_unseen(other, word, plans):
    _stays(plans({"gen.py": GEN, "main.py": MAIN, "other.py": other}), word)


def test_a_name_that_is_handed_on(plans):
    other = f'from names import ask\n{FAKE}print(ask(Fake(), None, "b"))\n'
    names = "from gen import ask\n"
    _stays(
        plans({"gen.py": GEN, "main.py": MAIN, "names.py": names, "other.py": other}), "other.py"
    )
    _goes(plans({"gen.py": GEN, "main.py": MAIN, "names.py": names, "other.py": "import names\n"}))


def test_a_notebook_beside_that_calls_it(tmp_path, plans):
    (tmp_path / "try.ipynb").write_text(
        '{"cells": [{"source": ["from gen import ask\\n", "ask(m)"]}]}'
    )
    _stays(plans({"gen.py": GEN, "main.py": MAIN}), "try.ipynb")


@pytest.mark.parametrize(
    ("main", "word"),
    [
        (MAIN + f'{FAKE}print(ask(Fake(), None, "b"))\n', "main.py"),
        (MAIN.replace("print", "model.generation_config.top_k = 3\nprint"), "`ask` of another file"),
        (MAIN.replace("print", "tokenizer.add_tokens(['<|x|>'])\nprint"), "adds tokens"),
        (MAIN.replace("print", "tokenizer.add_bos_token = False\nprint"), "`add_bos_token`"),
        (MAIN.replace('_pretrained("gpt2")\nprint', '_pretrained("gpt2", invented=1)\nprint'), "invented"),
    ],
)  # fmt: skip
def test_a_caller_that_holds_all_back(main, word, plans):
    _stays(plans({"gen.py": GEN, "main.py": main}), word)


@pytest.mark.parametrize(
    ("gen", "word"),
    [
        (GEN.replace("max_new_tokens=4", "invented=4"), "invented"),
        ("import functools\n\n\n@functools.cache\n" + GEN, "decorator"),
        (GEN.replace("    enc", "    text = '[INST] ' + text\n    enc"), "chat format"),
        (GEN.replace("    enc", "    model = Other(model)\n    enc"), "gen.py"),
    ],
)
def test_a_function_that_holds_its_callers_back(gen, word, plans):
    _stays(plans({"gen.py": gen, "main.py": MAIN}), word)


@pytest.mark.parametrize("line", ["asker.model = Fake()", 'setattr(asker, "model", Fake())'])
def test_an_attribute_that_another_file_sets(line, plans):
    main = f'from gen import Asker\n{LOADS}{FAKE}asker = Asker(model, tokenizer)\n{line}\nprint(asker.ask("a"))\n'
    _stays(plans({"gen.py": CLASS, "main.py": main}), "may set `model`")


def test_what_nobody_calls_holds_nothing_back(plans):
    gen = GEN + "\n\ndef draw(model, ids):\n    return model.generate(ids, invented=1)\n"
    done = plans({"gen.py": gen, "main.py": MAIN})
    assert done["main.py"].changed
    assert b"CleanModelLoader.generate(" in done["gen.py"].after


def test_a_load_that_is_tried_again(migrate):
    again = "for attempt in range(3):\n    try:\n        model = "
    left = "    except OSError:\n        continue\n    else:\n        break\n\n\n"
    plan = migrate(LOADS.replace("model = ", again) + left + GEN + "\n\n" + CALL)
    assert plan.manual == ()
    assert b"CleanModelLoader.generate(" in plan.after


def test_tokens_that_a_caller_adds(plans):
    """The guard makes no prompt with such a tokenizer; its ids it takes."""
    done = plans(
        {"gen.py": GEN, "main.py": MAIN.replace("print", "tokenizer.add_tokens(['x'])\nprint")}
    )
    assert b'padding="files"' in done["main.py"].after
    assert b"CleanModelLoader.generate_ids(model, **enc" in done["gen.py"].after
    assert b"CleanModelLoader.generate(" not in done["gen.py"].after


def test_tokens_that_another_file_adds_for_a_caller(plans):
    more = "def grow(tokenizer):\n    tokenizer.add_tokens(['x'])\n"
    main = f"from more import grow\n{MAIN}".replace("print", "grow(tokenizer)\nprint")
    done = plans({"gen.py": GEN, "main.py": main, "more.py": more})
    assert not any(plan.changed for plan in done.values())


HELPER = "\n\ndef shorten(text):\n    return text[:10]\n"
CALLED = "class Asker:\n    def __call__(self, model, ids):\n        return model.generate(ids)\n"


@pytest.mark.parametrize(
    ("texts", "given"),
    [
        ({"gen.py": GEN, "main.py": MAIN}, True),
        ({"gen.py": GEN, "main.py": "import gen\n\n\ndef run(m, t):\n    gen.ask(m, t, 'a')\n"}, False),
        (
            {
                "gen.py": GEN,
                "mid.py": "from gen import ask\n\n\ndef run(m, t):\n    return ask(m, t, 'a')\n",
                "main.py": MAIN.replace("gen import ask", "mid import run as ask"),
            },
            True,
        ),
        ({"gen.py": GEN + HELPER, "main.py": f"from gen import shorten\n{LOADS}shorten('a')\n"}, False),
        ({"gen.py": CALLED, "main.py": f"from gen import *\n{LOADS}"}, True),
        (
            {
                "pkg/__init__.py": "from .gen import ask as question\n",
                "pkg/gen.py": GEN,
                "main.py": f"from pkg import question\n{LOADS}question(model, tokenizer, 'a')\n",
            },
            True,
        ),
        ({"gen.py": GEN, "main.py": "from gen import ask\n\nprint(ask.__doc__)\n"}, False),
        ({"gen.py": "model.generate(x)\n", "main.py": f"import gen\n{LOADS}"}, False),
    ],
)  # fmt: skip
def test_which_files_may_be_given_models(texts, given, tmp_path):
    """What nobody may give a model to is not followed for it."""
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    files = [SourceFile(name, tmp_path / name) for name in texts]
    others = Elsewhere(files, OtherFiles(files, Settings()))
    generating = next(name for name in texts if name.endswith("gen.py"))
    assert others.is_given(tmp_path / generating) is given


METHOD = """\
class Asker:
    def generate(self, model, text):
        enc = tokenizer(text, return_tensors="pt")
        out = model.generate(**enc, max_new_tokens=4, do_sample=False)
        return tokenizer.decode(out[0], skip_special_tokens=True)


print(Asker().generate(model, "a"))
"""


@pytest.mark.parametrize(
    "other", ["def generate(x):\n    return x\n", "print(client.generate('a'))\n"]
)
def test_a_method_called_as_a_models_own(other, plans):
    """Neither the model's method nor a file that has nothing to do with the class is a call of it."""
    done = plans({"main.py": f"{LOADS}\n\n{METHOD}", "other.py": other})
    assert b"CleanModelLoader.generate(" in done["main.py"].after
    assert done["main.py"].manual == ()


def test_a_method_that_a_file_calls_which_got_the_object(plans):
    main = f"from runs import run\n{LOADS}\n\n{METHOD}run(Asker())\n"
    _stays(
        plans({"main.py": main, "runs.py": "def run(asker):\n    asker.generate(other(), 'b')\n"}),
        "runs.py",
    )


LOADING = (
    "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n\ndef load():\n"
    '    tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
    '    return AutoModelForCausalLM.from_pretrained("gpt2"), tokenizer\n\n\n'
)
CALLER = "from gen import ask, load\n\nmodel, tokenizer = load()\n"


def test_a_caller_that_gives_a_file_its_own_model(plans):
    done = plans({"gen.py": LOADING + GEN, "main.py": CALLER + CALL})
    _goes(done)
    assert b"CleanModelLoader.generate(" in done["gen.py"].after


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (
            'import mine\nprint(ask(mine.get(), tokenizer, "c"))\n',
            "gives `ask` a model whose load cannot be seen",
        ),
        ("tokenizer.apply_chat_template(MESSAGES)\n", "the prompts of main.py may hold a chat"),
        (
            'b = tokenizer(["a", "b c"], padding=True, return_tensors="pt")\nprint(model(**b).logits[0, 0])\n',
            "main.py pads and scores rows",
        ),
    ],
)
def test_a_caller_that_does_something_else_with_it(more, word, plans):
    done = plans({"gen.py": LOADING + GEN, "main.py": CALLER + CALL + more})
    assert not done["gen.py"].changed
    reasons = [site.reason or "" for site in done["gen.py"].manual if site.code == "CG101"]
    assert len(reasons) == 1
    assert word in reasons[0]
