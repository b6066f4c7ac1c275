"""All of a model's sites are rewritten, or none, in one file and over the files of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.planning import Planner, Unread

LOADS = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME)
inputs = tokenizer("a", return_tensors="pt")
"""
STAYS = "out = model.generate(**inputs, max_new_tokens=5, penalty_alpha=s)\nprint(tokenizer.decode(out[0]))\n"
GOES = "out = model.generate(**inputs, max_new_tokens=5)\nprint(tokenizer.decode(out[0]))\n"


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(STAYS, id="a streamer"),
        pytest.param("ids = tokenizer.apply_chat_template(m)\nout = model.generate(ids)\n", id="a chat"),
        pytest.param("out = model.generate(ids, max_new_tokens=5, penalty_alpha=2)\n", id="ids from elsewhere"),
        pytest.param('messages = "[INST]" + m\nout = model.generate(ids, max_new_tokens=5)\n', id="a chat in ids from elsewhere"),
        pytest.param("ids = torch.nn.functional.pad(ids, 3)\nout = model.generate(ids, max_new_tokens=5)\n", id="padded ids"),
        pytest.param(GOES + STAYS.replace("out", "again"), id="one of two"),
        pytest.param(
            "from transformers import pipeline\np = pipeline('text-generation', model=model, tokenizer=tokenizer)\n",
            id="a pipeline",
        ),
        pytest.param("def f(model):\n    return model.generate(x, max_new_tokens=5)\n", id="by its name in a function"),
        pytest.param("rows = pad_sequence(rows)\nloss = model(rows, labels=rows).loss\n", id="padded ids are scored"),
        pytest.param(
            "class Own(Base):\n    pass\n\n\nmodel = Own.from_pretrained(model)\nmodel.generate(x)\n",
            id="what it is put into generates",
        ),
        pytest.param(
            "from mine import LlamaForCausalLM\n\nother = LlamaForCausalLM.from_pretrained(NAME)\n",
            id="a class of somebody's own",
        ),
        pytest.param(
            "model = AutoModelForCausalLM.from_pretrained(NAME, invented=1)\n",
            id="the same name gets another model that stays",
        ),
        pytest.param("tokenizer.add_tokens(words)\n", id="tokens are added"),
    ],
)  # fmt: skip
def test_a_model_stays_whole(rest, check_noop):
    plan = check_noop(LOADS + rest)
    assert all(site.reason for site in plan.sites)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(GOES, id="generated"),
        pytest.param("out = model.generate(ids, max_new_tokens=5)\n", id="ids from elsewhere"),
        pytest.param(
            "loss = model(chunk, labels=chunk).loss\n", id="ids that may lack BOS are scored"
        ),
        pytest.param("print(model(**inputs).logits)\n", id="scored with the tokenizer's own BOS"),
        pytest.param("print(model.config)\n", id="read"),
    ],
)
def test_a_model_goes_whole(rest, migrate):
    plan = migrate(LOADS + rest)
    assert plan.manual == ()
    assert b"from_pretrained" not in plan.after


def test_a_generate_of_the_scripts_own_is_looked_into(migrate):
    plan = migrate(
        LOADS.replace("NAME", '"gpt2"')
        + """
class Tester:
    def __init__(self, model):
        self.model = model

    def generate(self, prompt: str):
        ids = tokenizer(prompt, return_tensors="pt")
        out = self.model.generate(**ids, max_new_tokens=5)
        return tokenizer.decode(out[0], skip_special_tokens=True)


tester = Tester(model)
print(tester.generate("a"))
"""
    )
    assert plan.manual == ()


def test_another_model_of_the_file_goes(migrate):
    plan = migrate(
        LOADS
        + STAYS
        + 'import torch\n\nother_tok = AutoTokenizer.from_pretrained("gpt2")\n'
        + 'other = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        + 'ids = other_tok("b", return_tensors="pt")\n'
        + "made = other.generate(**ids, max_new_tokens=5)\nprint(other_tok.decode(made[0]))\n"
    )
    text = plan.after.decode()
    assert "model = AutoModelForCausalLM.from_pretrained(NAME)" in text
    assert 'CleanModelLoader("gpt2")' in text


def test_scored_ids_of_a_family_without_bos_go(migrate):
    text = LOADS.replace("NAME", '"Qwen/Qwen2.5-7B"') + "loss = model(chunk, labels=chunk).loss\n"
    assert migrate(text).manual == ()


# --- over files

LOADED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(name):
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name)
    return model, tokenizer
"""
MAIN = """\
from loaded import load

model, tokenizer = load(NAME)
inputs = tokenizer("a", return_tensors="pt")
"""


@pytest.fixture
def plans(tmp_path: Path):
    def run(**texts: str):
        files = []
        for name, text in texts.items():
            path = tmp_path / f"{name}.py"
            path.write_text(text)
            files.append(SourceFile(str(path), path))
        found = Planner(files, Settings()).plans()
        assert not any(isinstance(one, Unread) for one in found)
        return {Path(plan.filename).stem: plan for plan in found}

    return run


@pytest.mark.parametrize("order", [("loaded", "main"), ("main", "loaded")])
def test_a_load_and_its_generation_in_two_files(plans, order):
    texts = {"loaded": LOADED, "main": MAIN + GOES}
    done = plans(**{name: texts[name] for name in order})
    assert not any(plan.manual for plan in done.values())
    assert b"CleanModelLoader(name)" in done["loaded"].after
    assert b"CleanModelLoader.generate(" in done["main"].after


@pytest.mark.parametrize(
    "rest",
    [
        STAYS,
        "ids = tokenizer.apply_chat_template(m)\n",
        "trainer = Trainer(model)\ntrainer.train()\n",
        "model(pad_sequence(chunk))\n",
    ],
)
@pytest.mark.parametrize("order", [("loaded", "main"), ("main", "loaded")])
def test_a_load_stays_for_what_stays_in_another_file(plans, order, rest):
    texts = {"loaded": LOADED, "main": MAIN + rest}
    done = plans(**{name: texts[name] for name in order})
    assert not any(plan.changed for plan in done.values())
    assert all("main.py" in (site.reason or "") for site in done["loaded"].manual)


def test_a_generation_stays_for_a_load_that_stays_in_another_file(plans):
    loaded = LOADED.replace("(name)\n    return", "(name, invented=1)\n    return")
    done = plans(loaded=loaded, main=MAIN + GOES)
    assert not any(plan.changed for plan in done.values())


def test_what_stays_for_one_file_stays_for_the_others_too(plans):
    done = plans(loaded=LOADED, main=MAIN + GOES, other=MAIN + STAYS)
    assert not any(plan.changed for plan in done.values())


def test_a_file_that_is_no_python_costs_no_other(tmp_path):
    files = []
    for name, text in (
        ("bad", "assert(a if b else True)\n" + LOADED),
        ("worse", "def f(:\n"),
        ("good", LOADED),
    ):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        files.append(SourceFile(str(path), path))
    files.append(SourceFile(str(tmp_path / "gone.py"), tmp_path / "gone.py"))
    found = Planner(files, Settings()).plans()
    failures = [Path(one.name).stem for one in found if isinstance(one, Unread)]
    done = [one for one in found if not isinstance(one, Unread) and one.changed]
    assert [Path(plan.filename).stem for plan in done] == ["good"]
    assert failures == ["bad", "worse", "gone"]


@pytest.mark.parametrize(
    "rest",
    [
        "model(tokenizer('a', add_special_tokens=False, return_tensors='np')['input_ids'])\n",
        "ids = tokenizer(text, return_tensors='pt').input_ids\nfor i in range(9):\n    model(ids[:, i : i + 8])\n",
        "ids = tokenizer(text, return_tensors='pt').input_ids\npart = ids[:, 5:]\nmodel(input_ids=part)\n",
    ],
)
def test_rows_that_may_lack_bos_are_scored_as_before(rest, migrate):
    assert b"allow_missing_bos=True" in migrate(LOADS + rest).after


@pytest.mark.parametrize(
    "rest",
    [
        "model(tokenizer('a', return_tensors='pt')['input_ids'])\n",
        "ids = tokenizer('a', return_tensors='pt').input_ids.to(model.device)\nmodel(ids, labels=ids)\n",
        "inputs = tokenizer('a', return_tensors='pt')\nmodel(**inputs)\n",
    ],
)
def test_whole_prompts_keep_their_check(rest, migrate):
    plan = migrate(LOADS + rest)
    assert plan.changed
    assert b"allow_missing_bos" not in plan.after


@pytest.mark.parametrize("order", [("loaded", "main"), ("main", "loaded")])
def test_rows_that_another_file_scores_without_bos(plans, order):
    rest = "ids = tokenizer('a', return_tensors='pt').input_ids\nmodel(ids[:, 5:])\n"
    texts = {"loaded": LOADED, "main": MAIN + rest}
    done = plans(**{name: texts[name] for name in order})
    assert b"allow_missing_bos=True" in done["loaded"].after


MEASURES = """\
import torch


def windows(ids):
    return [ids[:, at : at + 8] for at in range(0, ids.shape[1], 8)]


def measure(model, ids):
    return sum(model(part, labels=part).loss for part in windows(ids))
"""
MEASURED = """\
from measures import measure
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(NAME)
tokenizer = AutoTokenizer.from_pretrained(NAME)
print(measure(model, tokenizer(text, return_tensors="pt").input_ids))
"""


def test_a_function_of_another_file_that_only_scores(plans):
    done = plans(measures=MEASURES, main=MEASURED)
    assert b"allow_missing_bos=True" in done["main"].after


@pytest.mark.parametrize(
    "more",
    ["    model.generate(ids)\n", "    ids = pad(ids)\n", "    return unseen.of(model)\n"],
)
def test_a_function_of_another_file_that_may_do_more(more, plans):
    text = MEASURES.replace("def measure(model, ids):\n", f"def measure(model, ids):\n{more}")
    if "unseen" in more:
        done = plans(
            measures=f"import unseen\n{text}", main=MEASURED, unseen="def of(model):\n    pass\n"
        )
    else:
        done = plans(measures=text, main=MEASURED)
    assert not done["main"].changed


@pytest.mark.parametrize(
    "measure",
    ["get_model_complexity_info(model, (1, 64))", "lm_eval.simple_evaluate(model=model)"],
)
def test_a_model_that_a_library_gives_ids_of_its_own_stays(measure, check_noop):
    check_noop(
        "import lm_eval\nfrom ptflops import get_model_complexity_info\n"
        f"from transformers import AutoModelForCausalLM\n\nmodel = AutoModelForCausalLM.from_pretrained(NAME)\n{measure}\n"
    )
