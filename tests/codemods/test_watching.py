"""What cannot be guarded is watched: the same call, handed on as it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration, migrate_source
from codemods.plan.options import WATCHING, Wishes
from codemods.planning import Planner
from tests.codemods.conftest import Check, Migrate

HEAD = "from transformers import AutoModelForCausalLM, LlamaForCausalLM\n\n"
GUARD = "from guard import CleanModelLoader\n"
AUTO = GUARD + "from transformers import LlamaForCausalLM\n\n"
BOTH = GUARD + "from transformers import AutoModelForCausalLM, LlamaForCausalLM\n\n"


@pytest.mark.parametrize(
    ("before", "after", "head"),
    [
        (
            "m = AutoModelForCausalLM.from_pretrained(NAME, rope_theta=3)\n",
            "m = CleanModelLoader.load_watched(NAME, rope_theta=3)\n",
            AUTO,
        ),
        (
            "m = AutoModelForCausalLM.from_pretrained(*PLACE, **said).to(0)\n",
            "m = CleanModelLoader.load_watched(*PLACE, **said).to(0)\n",
            AUTO,
        ),
        (
            "ms = [AutoModelForCausalLM.from_pretrained(n, rope_theta=3) for n in NAMES]\n",
            "ms = [CleanModelLoader.load_watched(n, rope_theta=3) for n in NAMES]\n",
            AUTO,
        ),
        (
            "m = AutoModelForCausalLM.from_pretrained(\n"
            "    NAME,  # which\n    rope_theta=3,\n    # and no more\n)\n",
            "m = CleanModelLoader.load_watched(\n"
            "    NAME,  # which\n    rope_theta=3,\n    # and no more\n)\n",
            AUTO,
        ),
        (
            "m = LlamaForCausalLM.from_pretrained(NAME, rope_theta=3)\n",
            "m = CleanModelLoader.load_watched(NAME, rope_theta=3, model_class=LlamaForCausalLM)\n",
            GUARD + "from transformers import LlamaForCausalLM\n\n",
        ),
        (
            "m = LlamaForCausalLM.from_pretrained(\n    NAME,\n    rope_theta=3,  # wide\n)\n",
            "m = CleanModelLoader.load_watched(\n"
            "    NAME,\n    rope_theta=3,\n    model_class=LlamaForCausalLM,  # wide\n)\n",
            GUARD + "from transformers import LlamaForCausalLM\n\n",
        ),
        (
            "m = LlamaForCausalLM.from_pretrained(NAME, rope_theta=3, )\n",
            "m = CleanModelLoader.load_watched(NAME, rope_theta=3, model_class=LlamaForCausalLM, )\n",
            GUARD + "from transformers import LlamaForCausalLM\n\n",
        ),
    ],
)
def test_loads(check_transformed: Check, before: str, after: str, head: str) -> None:
    start = HEAD if "AutoModel" in before else HEAD.replace("AutoModelForCausalLM, ", "")
    plan = check_transformed(start + before, head + after, wishes=WATCHING)
    assert all(site.watched for site in plan.done)
    assert plan.done[0].notes[0].text.startswith("the call as it is, watched and not guarded: ")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("model.generate(ids)", "CleanModelLoader.generate_watched(model, ids)"),
        ("model.generate(**ids, top_p=1)", "CleanModelLoader.generate_watched(model, **ids, top_p=1)"),
        (
            "box.model.generate(\n        input_ids=ids,\n        top_p=0.9,\n    )",
            "CleanModelLoader.generate_watched(\n"
            "        box.model,\n        input_ids=ids,\n        top_p=0.9,\n    )",
        ),
        (
            "model.generate(  # now\n        ids, top_p=0.9)",
            "CleanModelLoader.generate_watched(  # now\n        model,\n        ids, top_p=0.9)",
        ),
        ("wrap(model).generate(*ids)", "CleanModelLoader.generate_watched(wrap(model), *ids)"),
    ],
)  # fmt: skip
def test_generations(check_transformed: Check, before: str, after: str) -> None:
    text = (
        "from transformers import AutoTokenizer\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n\n\n'
        "def run(model, box, prompt):\n"
        '    ids = tokenizer(prompt, return_tensors="pt")\n'
        f"    out = {before}\n"
        "    return tokenizer.decode(out[0])\n"
    )
    check_transformed(text, (GUARD + text).replace(before, after), wishes=WATCHING)


def test_it_is_left_where_nobody_asks(check_noop: Check) -> None:
    check_noop(HEAD + "m = AutoModelForCausalLM.from_pretrained(NAME, rope_theta=3)\n")


@pytest.mark.parametrize(
    "text",
    [
        "with init_empty_weights():\n    m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n",
        "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)  # cleanguard: ignore[CG101] ours\n",
        "class CleanModelLoader: ...\nm = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n",
        "m = type(other).from_pretrained(N, rope_theta=3)\n",
        "from transformers import TFGPT2LMHeadModel\nm = TFGPT2LMHeadModel.from_pretrained(N)\n"
        "print(m.generate(ids))\n",
        "from transformers import FlaxAutoModelForCausalLM as F\nm = F.from_pretrained(N)\n",
        "import joblib\nmem = joblib.Memory(PLACE)\n@mem.cache\ndef made():\n"
        "    return AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n",
    ],
)
def test_these_stay(check_noop: Check, text: str) -> None:
    check_noop("import pickle\nimport torch\n" + HEAD + text, wishes=WATCHING)


def test_a_declined_place_is_not_watched(migrate: Migrate) -> None:
    text = HEAD + "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n"
    wishes = Wishes(watch=True, declined=frozenset({("CG101", 3)}))
    assert not migrate(text, wishes=wishes).changed


@pytest.mark.parametrize(
    "head",
    [
        "from transformers import AutoModelForCausalLM\nfrom nets import *\n",
        "from nets import AutoModelForCausalLM\n",
        "try:\n    from nets import AutoModelForCausalLM\nexcept ImportError:\n"
        "    from transformers import AutoModelForCausalLM\n",
        "from transformers import AutoModelForCausalLM\nAutoModelForCausalLM = wrap(AutoModelForCausalLM)\n",
        "from transformers import AutoModelForCausalLM\nimport nets\nnets.AutoModelForCausalLM = Mine\n",
    ],
)  # fmt: skip
def test_a_class_that_may_be_another_is_named(migrate: Migrate, head: str) -> None:
    text = head + "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n"
    after = migrate(text, wishes=WATCHING).after.decode()
    assert after == text or "(N, rope_theta=3, model_class=AutoModelForCausalLM)" in after


def test_a_star_in_front_of_the_import_brings_no_other_class(migrate: Migrate) -> None:
    head = "from nets import *\nfrom transformers import AutoModelForCausalLM\n"
    after = migrate(
        head + "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n", wishes=WATCHING
    ).after.decode()
    assert "load_watched(N, rope_theta=3)" in after


Plans = Callable[[dict[str, str]], dict[str, Migration]]


@pytest.fixture
def plans(tmp_path: Path) -> Plans:
    def made(files: dict[str, str]) -> dict[str, Migration]:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        given = [SourceFile(name, tmp_path / name) for name in files]
        found = Planner(given, Settings()).plans(WATCHING)
        return {one.filename: one for one in found if isinstance(one, Migration)}

    return made


def test_over_files_each_call_stands_for_itself(plans: Plans) -> None:
    load = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n\n"
        "def load(name):\n    tokenizer = AutoTokenizer.from_pretrained(name)\n"
        '    tokenizer.bos_token = "<s>"\n    tokenizer.bos_token_id = 7\n'
        "    return AutoModelForCausalLM.from_pretrained(name, rope_theta=3), tokenizer\n"
    )
    use = (
        "from loading import load\n\nmodel, tokenizer = load(NAME)\n"
        'ids = tokenizer("a", return_tensors="pt")\n'
        "print(tokenizer.decode(model.generate(**ids)[0]))\n"
    )
    found = plans({"loading.py": load, "using.py": use})
    assert "CleanModelLoader.load_watched(name, rope_theta=3)" in found["loading.py"].after.decode()
    assert "CleanModelLoader.generate_watched(model, **ids)" in found["using.py"].after.decode()
    again = plans({name: plan.after.decode() for name, plan in found.items()})
    assert not any(plan.changed for plan in again.values())


def test_cells_of_a_notebook() -> None:
    cells = [
        "from transformers import AutoModelForCausalLM\n",
        "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n",
    ]
    made = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [],
         "source": text.splitlines(keepends=True)} for text in cells
    ]  # fmt: skip
    raw = json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).encode()
    plan = migrate_source("n.ipynb", raw, Settings(), WATCHING)
    written = ["".join(one["source"]) for one in json.loads(plan.after)["cells"]]
    assert written == [GUARD, "m = CleanModelLoader.load_watched(N, rope_theta=3)\n"]


def test_a_cell_that_imports_for_itself_still_does() -> None:
    one = "from transformers import AutoModelForCausalLM\nm = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n"
    two = (
        "from transformers import AutoTokenizer, AutoModelForCausalLM\nprint(AutoModelForCausalLM)\n"
        + ("n = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n")
    )
    made = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [],
         "source": text.splitlines(keepends=True)} for text in (one, two)
    ]  # fmt: skip
    raw = json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).encode()
    plan = migrate_source("n.ipynb", raw, Settings(), WATCHING)
    written = ["".join(one["source"]) for one in json.loads(plan.after)["cells"]]
    assert all(GUARD in text for text in written)
    assert not migrate_source("n.ipynb", plan.after, Settings(), WATCHING).changed


def test_generations_that_check_does_not_judge(check_transformed: Check) -> None:
    text = (
        HEAD.replace(", LlamaForCausalLM", "")
        + "class Runner:\n    def __init__(self, name, **said):\n"
        + "        self.model = AutoModelForCausalLM.from_pretrained(name, rope_theta=3)\n"
        + "        self.said = said\n\n    def run(self, ids):\n"
        + "        return self.model.generate(ids, **self.said)\n"
    )
    after = (GUARD + "\n" + text.partition("\n\n")[2]).replace(
        "AutoModelForCausalLM.from_pretrained", "CleanModelLoader.load_watched"
    )
    after = after.replace(
        "self.model.generate(ids", "CleanModelLoader.generate_watched(self.model, ids"
    )
    check_transformed(text, after, wishes=WATCHING)


def test_a_generation_within_another_and_behind_a_load(migrate: Migrate) -> None:
    text = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "tokenizer = AutoTokenizer.from_pretrained(N)\n"
        "a = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n"
        'ids = tokenizer("x", return_tensors="pt").input_ids\n'
        "print(tokenizer.decode(a.generate(a.generate(ids), top_p=1)[0]))\n"
        "out = (AutoModelForCausalLM).from_pretrained((N), rope_theta=(3)).eval().generate(ids)\n"
        "print(tokenizer.decode(out[0]))\n"
    )
    after = migrate(text, wishes=WATCHING).after.decode()
    inner = "CleanModelLoader.generate_watched(a, ids)"
    assert f"CleanModelLoader.generate_watched(a, {inner}, top_p=1)" in after
    assert (
        "CleanModelLoader.generate_watched(CleanModelLoader.load_watched((N), rope_theta=(3)).eval(), ids)"
        in after
    )


def test_a_class_in_parentheses_and_a_value_in_them(migrate: Migrate) -> None:
    text = HEAD + "m = LlamaForCausalLM.from_pretrained(N, rope_theta=(3))  # wide)\n"
    after = migrate(text, wishes=WATCHING).after.decode()
    assert "load_watched(N, rope_theta=(3), model_class=LlamaForCausalLM)  # wide)" in after


@pytest.mark.parametrize(
    "more",
    [
        'exec(open("cfg.py").read())\n',
        'print(globals()["Auto" + kind])\n',
        'm = getattr(sys.modules[__name__], f"AutoModelFor{kind}")\n',
    ],
)
def test_an_import_stays_that_something_unseen_may_use(migrate: Migrate, more: str) -> None:
    text = (
        "import sys\n" + HEAD + "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n" + more
    )
    after = migrate(text, wishes=WATCHING).after.decode()
    assert "import AutoModelForCausalLM, LlamaForCausalLM" in after
    assert "load_watched" in after


def test_a_call_that_shows_itself_stays(check_noop: Check) -> None:
    check_noop(
        "from transformers import AutoTokenizer\n\n"
        "def run(model, text):\n    t = AutoTokenizer.from_pretrained(N)\n"
        "    print(f'{model.generate(t(text).input_ids, top_p=1)=}')\n",
        wishes=WATCHING,
    )


def test_an_engine_of_vllm_is_no_model(check_noop: Check) -> None:
    check_noop(
        "from transformers import AutoTokenizer\nfrom vllm import LLM\n\n"
        "def run(llm, text):\n    t = AutoTokenizer.from_pretrained(N)\n"
        "    return llm.generate(t(text).input_ids)\n",
        wishes=WATCHING,
    )


def test_code_of_a_repository_is_run_as_before(migrate: Migrate) -> None:
    text = (
        HEAD
        + "m = AutoModelForCausalLM.from_pretrained(NAME, revision=R, trust_remote_code=True)\n"
    )
    assert "load_watched" in migrate(text, wishes=WATCHING).after.decode()
    [site] = [one for one in migrate(text).sites if one.code == "CG101"]
    assert any("names its commit" in note.text for note in site.notes)


def test_what_can_be_guarded_still_is(migrate: Migrate) -> None:
    text = HEAD + 'm = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    plain, watching = migrate(text), migrate(text, wishes=WATCHING)
    assert plain.after == watching.after
    assert not any(site.watched for site in watching.done)


PIPE = "from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline\n\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'pipe = pipeline("text-generation", model="gpt2", device=0)\nprint(pipe("a", top_p=0.9))\n',
            'pipe = CleanModelLoader.pipeline_watched("text-generation", model="gpt2", device=0)\n'
            'print(pipe("a", top_p=0.9))\n',
        ),
        (
            'for _ in pipeline(\n    "text-generation",  # what\n    NAME,\n)(texts):\n    pass\n',
            'for _ in CleanModelLoader.pipeline_watched(\n    "text-generation",  # what\n    NAME,\n)(texts):\n'
            "    pass\n",
        ),
        (
            'm = AutoModelForCausalLM.from_pretrained("gpt2")\nt = AutoTokenizer.from_pretrained("gpt2")\n'
            'pipe = pipeline("text-generation", model=m, tokenizer=t)\nprint(pipe("a"))\n',
            'm = CleanModelLoader.load_watched("gpt2")\nt = AutoTokenizer.from_pretrained("gpt2")\n'
            'pipe = CleanModelLoader.pipeline_watched("text-generation", model=m, tokenizer=t)\nprint(pipe("a"))\n',
        ),
        (
            'm = AutoModelForCausalLM.from_pretrained("gpt2")\nllm = Chain(pipeline("text-generation", model=m))\n',
            'm = CleanModelLoader.load_watched("gpt2")\n'
            'llm = Chain(CleanModelLoader.pipeline_watched("text-generation", model=m))\n',
        ),
    ],
)
def test_pipelines(check_transformed: Check, before: str, after: str) -> None:
    names = ("AutoModelForCausalLM", "AutoTokenizer", "pipeline")
    start = f"from transformers import {', '.join(name for name in names if name in before)}\n"
    rest = "from transformers import AutoTokenizer\n" if "AutoTokenizer" in before else ""
    plan = check_transformed(start + before, GUARD + rest + after, wishes=WATCHING)
    assert all(site.watched for site in plan.done)
    assert not plan.manual
    again = migrate_source("again.py", plan.after, Settings(), wishes=WATCHING)
    assert (again.changed, again.manual) == (False, ())


@pytest.mark.parametrize(
    "text",
    [
        'print(pipeline("text-classification", model="gpt2")("a"))\n',
        'print(pipeline("text-generation", model="Qwen/Qwen2.5-7B-Instruct")([{"role": "user", "content": "a"}]))\n',
        'pipe = pipeline("text-generation", "gpt2")  # cleanguard: ignore[CG101] ours\nprint(pipe("a"))\n',
        'pipe = pipeline(TASK, "gpt2")\nprint(pipe("a"))\n',
        "print(f\"{pipeline('text-generation', 'gpt2')('a') = }\")\n",
        'import pickle\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\npickle.dump(model, FILE)\n'
        'print(pipeline("text-generation", model)("a"))\n',
    ],
)
def test_these_pipelines_stay(check_noop: Check, text: str) -> None:
    check_noop(PIPE + text, wishes=WATCHING)


def test_a_tokenizer_of_a_watched_model_is_answered_for(migrate: Migrate) -> None:
    load = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        "t = AutoTokenizer.from_pretrained(NAME)\nm = AutoModelForCausalLM.from_pretrained(NAME, rope_theta=3)\n"
        'print(m(**t("a", return_tensors="pt")).logits)\n'
    )
    plan = migrate(load, wishes=WATCHING)
    assert [site.code for site in plan.done] == ["CG101"]
    assert not plan.manual
    left = migrate(
        load + 'o = AutoTokenizer.from_pretrained("gpt2")\nprint(o("a"))\n', wishes=WATCHING
    )
    assert not [site for site in left.manual if site.row == 3]


def test_a_second_run_leaves_the_template_line_of_a_watched_model(migrate: Migrate) -> None:
    text = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")\n'
        't = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B")\nt.chat_template = None\n'
        'ids = t(t.apply_chat_template(MESSAGES, tokenize=False), return_tensors="pt")\n'
        "print(t.decode(m.generate(**ids, max_new_tokens=8, do_sample=False)[0]))\n"
    )
    plan = migrate(text, wishes=WATCHING)
    assert plan.refusal is None
    assert b"load_watched" in plan.after
    assert b"t.chat_template = None" in plan.after


@pytest.mark.parametrize(
    ("call", "watched"),
    [
        ("model.generate(**batch, generation_config=config)", True),
        ("model.generate(ids, attention_mask=mask, max_new_tokens=5)", True),
        ("model.generate(ids, max_new_tokens=5, top_k=3)", False),
        ("client.generate(ids, num_beams=2)", False),
        ("model.generate(prompt)", False),
    ],
)
def test_models_of_elsewhere_that_are_called_as_transformers_are(
    plans: Plans, call: str, watched: bool
) -> None:
    load = "from transformers import AutoModelForCausalLM\n\nNET = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n"
    text = f"import loading\nfrom transformers import GenerationConfig\n\ndef run(self, model, client, **batch):\n    return {call}\n"
    found = plans({"loading.py": load, "using.py": text})["using.py"]
    assert (b"generate_watched" in found.after) is watched
    other = text.replace("from transformers", "from mine")
    assert not plans({"loading.py": load, "using.py": other})["using.py"].changed


def test_the_others_of_its_name_are_watched_too(plans: Plans) -> None:
    """One call tells whose `generate` it is; what asks nothing of transformers by itself goes with it."""
    load = "from transformers import AutoModelForCausalLM\n\nNET = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n"
    text = (
        "import loading\nfrom transformers import GenerationConfig\n\n\n"
        "def tell(model, batch):\n    return model.generate(**batch, num_beams=2)\n\n\n"
        "def ask(model, batch):\n    return model.generate(**batch, max_new_tokens=5)\n\n\n"
        "def other(client, text):\n    return client.generate(text, max_new_tokens=5)\n"
    )
    after = plans({"loading.py": load, "using.py": text})["using.py"].after.decode()
    assert after.count("CleanModelLoader.generate_watched(model, ") == 2
    assert "client.generate(text" in after


def test_a_model_that_helps_one_that_is_watched_is_watched(migrate: Migrate) -> None:
    """What the one generates comes into the other, which would refuse a control token."""
    text = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        't = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B")\n'
        'm = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")\n'
        'helper = AutoModelForCausalLM.from_pretrained("HuggingFaceTB/SmolLM2-135M")\n'
        'x = t("The lamp", return_tensors="pt")\n'
        "print(t.decode(m.generate(**x, assistant_model=helper, max_new_tokens=4)[0]))\n"
    )
    after = migrate(text, wishes=WATCHING).after.decode()
    assert after.count("load_watched(") == 2
    assert "CleanModelLoader(" not in after


@pytest.mark.parametrize(
    ("names", "named"), [("SIZE = 4\n", False), ("class AutoModelForCausalLM:\n    pass\n", True)]
)
def test_a_star_of_a_file_of_the_run_brings_what_it_has(
    plans: Plans, names: str, *, named: bool
) -> None:
    main = "from transformers import AutoModelForCausalLM\nfrom names import *\n"
    load = "m = AutoModelForCausalLM.from_pretrained(N, rope_theta=3)\n"
    after = plans({"main.py": main + load, "names.py": names})["main.py"].after.decode()
    assert ("load_watched(N, rope_theta=3)" not in after) is named
