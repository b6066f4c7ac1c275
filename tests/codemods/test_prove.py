"""`--prove`: the same calls with the same ids and settings, or the list of differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.settings.config import Settings
from codemods.migration import migrate_source
from codemods.plan.options import WATCHING, Wishes
from codemods.proof.prove import compare_runs

pytest.importorskip("torch")
BODY = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{model}")
model = AutoModelForCausalLM.from_pretrained("{model}")
inputs = tokenizer("Hello", return_tensors="pt"{specials})
out = model.generate(**inputs, max_new_tokens=5{more})
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


def body(model: str = "gpt2", specials: str = "", more: str = "") -> str:
    return BODY.format(model=model, specials=specials, more=more)


def prove(tmp_path: Path, migrate, before: str, change=lambda text: text):
    path = tmp_path / "script.py"
    path.write_text(before)
    plan = migrate(before)
    after = change(plan.after.decode()).encode()
    return compare_runs(path, plan.before, after, sites=plan.sites)


@pytest.mark.slow
def test_the_same_calls(tmp_path, migrate):
    outcome = prove(tmp_path, migrate, body())
    assert outcome.differences == ()
    assert outcome.calls == 2
    assert outcome.verdict == "the same 2 calls with the same token ids and settings"


WATCHED = """\
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, GPT2Tokenizer

tokenizer = GPT2Tokenizer.from_pretrained("gpt2")
models = AutoModelForCausalLM.from_pretrained("gpt2", rope_theta=3), GPT2LMHeadModel.from_pretrained("gpt2", a=1)
for model in models:
    print(tokenizer.decode(model.generate(**tokenizer("Hello", return_tensors="pt"))[0]))
"""


@pytest.mark.slow
def test_watched_calls_and_concrete_classes(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(WATCHED)
    plan = migrate_source("script.py", WATCHED.encode(), Settings(), WATCHING)
    assert sum(site.watched for site in plan.done) == 3
    outcome = compare_runs(path, plan.before, plan.after)
    assert outcome.verdict == "the same 4 calls with the same token ids and settings"
    other = plan.after.replace(b'load_watched("gpt2", a', b'load_watched("gpt3", a')
    assert len(compare_runs(path, plan.before, other).differences) == 2


ORDINARY = """\
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B", attention_dropout=0.0)
print(model.config.max_position_embeddings, sum(p.numel() for p in model.parameters()), len(list(model.modules())))
pipe = pipeline("text-generation", model=model, tokenizer=tokenizer, max_new_tokens=4)
print(pipe("Hello", do_sample=False)[0]["generated_text"], pipe(["a", "b"], return_full_text=False))
tuned = get_peft_model(model, LoraConfig(target_modules=["q_proj"]))
print(tokenizer.decode(tuned.generate(**tokenizer("Hello", return_tensors="pt"), max_new_tokens=3)[0]))
"""


@pytest.mark.slow
def test_pipelines_adapters_and_layers(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(ORDINARY)
    plan = migrate_source("script.py", ORDINARY.encode(), Settings(), WATCHING)
    assert b"pipeline_watched" in plan.after
    outcome = compare_runs(path, plan.before, plan.after)
    assert outcome.verdict == "the same 5 calls with the same token ids and settings"
    other = plan.after.replace(b"max_new_tokens=4", b"max_new_tokens=5")
    assert len(compare_runs(path, plan.before, other).differences) == 3


@pytest.mark.slow
def test_generations_from_ids(tmp_path, migrate):
    before = body().replace("out = model", "ids = inputs.input_ids[:, 1:]\nout = model")
    before = before.replace("**inputs", "ids").replace("=5", "=5, do_sample=False")
    assert "generate_ids" in migrate(before).after.decode()
    assert prove(tmp_path, migrate, before).differences == ()
    [difference] = prove(
        tmp_path, migrate, before, lambda text: text.replace("max_new_tokens=5", "max_new_tokens=6")
    ).differences
    assert difference == "call 2, generate: max_new_tokens: 5 became 6"


@pytest.mark.slow
def test_a_bos_that_was_dropped(tmp_path, migrate):
    before = body("meta-llama/Llama-3.1-8B", ", add_special_tokens=False")
    outcome = prove(tmp_path, migrate, before)
    assert outcome.differences == ()
    assert outcome.announced == (
        "as announced on line 5: BOS, which `add_special_tokens=False` had dropped",
    )
    assert "settings; changed as announced on line 5: BOS, which" in outcome.told
    path, plan = tmp_path / "script.py", migrate(before)
    assert compare_runs(path, plan.before, plan.after).differences == (
        "call 2, generate: the prompt's ids: 75, 104, 111, 111, 114 (5 in all) became 1, 75, 104, 111, 111, … "
        "(6 in all)",
    )
    more = prove(tmp_path, migrate, before, lambda text: text.replace("=5", "=6"))
    assert more.differences == ("call 2, generate: max_new_tokens: 5 became 6",)
    assert len(more.announced) == 1


TWICE = body("meta-llama/Llama-3.1-8B", ", truncation=True, max_length=4", ", do_sample=False")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param(
            body("meta-llama/Llama-3.1-8B").replace('"Hello"', 'tokenizer.bos_token + "Hello"'),
            "as announced on line 6: BOS stood twice before the prompt",
            id="a second BOS",
        ),
        pytest.param(
            TWICE, "as announced on line 6: truncation to 4 tokens: a prompt", id="a cut prompt"
        ),
        pytest.param(
            body().replace("max_new_tokens=5", "do_sample=False"),
            "as announced on line 6: `max_new_tokens=20`",
            id="no length",
        ),
    ],
)
def test_what_the_plan_announces_is_no_difference(before, told, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(before)
    plan = migrate_source("script.py", before.encode(), Settings(), Wishes(unsafe=True))
    outcome = compare_runs(path, plan.before, plan.after, sites=plan.sites)
    assert outcome.differences == ()
    assert len(outcome.announced) == 1
    assert outcome.announced[0].startswith(told)
    assert len(compare_runs(path, plan.before, plan.after).differences) == 1


@pytest.mark.slow
def test_sampling_settings_are_compared(tmp_path, migrate):
    before = body(more=", do_sample=True, temperature=0.5")
    assert prove(tmp_path, migrate, before).differences == ()
    without = prove(tmp_path, migrate, before, lambda text: text.replace("    top_k=50,\n", ""))
    assert len(without.differences) == 1


@pytest.mark.slow
def test_a_call_that_went_missing(tmp_path, migrate):
    outcome = prove(tmp_path, migrate, body(), lambda text: text.partition("print")[0])
    assert outcome.differences[-1] == "2 calls became 1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param("raise SystemExit('no data')\n", "no data", id="it fails"),
        pytest.param("x = 1\n", "nothing to compare", id="it asks nothing"),
    ],
)
def test_what_proves_nothing_says_so(before, reason, tmp_path, migrate):
    outcome = prove(tmp_path, migrate, before)
    assert outcome.calls == 0
    assert reason in outcome.verdict


WITH_ARGUMENTS = (
    """\
import argparse, json, sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--prompts", required=True)
parser.add_argument("--out", default="results/out.json")
args = parser.parse_args()
"""
    + body().replace('tokenizer("Hello"', "tokenizer(Path(args.prompts).read_text()")
    + """\
Path(args.out).write_text("stand-in")
"""
)


def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results/out.json").write_text("mine")
    (tmp_path / "prompt.txt").write_text("Hello")
    path = tmp_path / "scripts/eval.py"
    path.write_text(WITH_ARGUMENTS)
    return path


@pytest.mark.slow
def test_a_command_line_and_results_that_stay(tmp_path, migrate):
    path, plan = project(tmp_path), migrate(WITH_ARGUMENTS)
    outcome = compare_runs(path, plan.before, plan.after, ("--prompts", "prompt.txt"), tmp_path)
    assert outcome.verdict == "the same 2 calls with the same token ids and settings"
    assert (tmp_path / "results/out.json").read_text() == "mine"
    assert path.read_text() == WITH_ARGUMENTS


@pytest.mark.slow
def test_a_missing_command_line_names_the_option(tmp_path, migrate):
    path, plan = project(tmp_path), migrate(WITH_ARGUMENTS)
    outcome = compare_runs(path, plan.before, plan.after, (), tmp_path)
    assert "required: --prompts" in outcome.verdict
    assert "--prove-args" in outcome.verdict


@pytest.mark.slow
def test_results_elsewhere_are_not_written_over(tmp_path, migrate):
    path, plan = project(tmp_path), migrate(WITH_ARGUMENTS)
    mine = tmp_path / "results/out.json"
    given = ("--prompts", "prompt.txt", "--out", str(mine))
    outcome = compare_runs(path, plan.before, plan.after, given, tmp_path)
    assert "must not touch" in outcome.verdict
    assert mine.read_text() == "mine"


ADAPTED = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
base = AutoModelForCausalLM.from_pretrained("gpt2")
tuned = PeftModel.from_pretrained(base, "adapter")
for model in (base, tuned):
    inputs = tokenizer("Hello", return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


@pytest.mark.slow
def test_an_adapter_in_the_base_is_compared(tmp_path, migrate):
    pytest.importorskip("peft")
    assert prove(tmp_path, migrate, ADAPTED).differences == ()
    without = prove(tmp_path, migrate, ADAPTED, lambda text: text.replace(", in_place=True", ""))
    assert len(without.differences) == 1
    assert 'adapters: ["adapter"] became []' in without.differences[0]


BRANCHED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{model}")
model = AutoModelForCausalLM.from_pretrained("{model}")
for prompt in ["Hello"]:
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    print(tokenizer.decode(out[0], skip_special_tokens=True))
if prompt == "never":
    inputs = tokenizer("other", return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=9)
    print(tokenizer.decode(out[0], skip_special_tokens=True))
"""


@pytest.mark.slow
def test_the_way_that_was_not_walked_is_told(tmp_path, migrate):
    outcome = prove(tmp_path, migrate, BRANCHED.format(model="gpt2"))
    assert outcome.differences == ()
    assert outcome.unwalked == (10, 11, 12)
    assert outcome.stood_in == ("gpt2",)
    assert outcome.told == (
        "the same 2 calls with the same token ids and settings; not proven: lines 10, 11, 12, which the run did not "
        "reach; the ids are a stand-in's: no tokenizer files of gpt2 are here"
    )


@pytest.mark.slow
def test_a_tokenizer_whose_files_are_here_gives_the_ids(tmp_path, migrate):
    from transformers import AutoTokenizer

    from stages.tiny import model_path

    outcome = prove(tmp_path, migrate, BRANCHED.format(model=model_path()))
    assert outcome.stood_in == ()
    assert outcome.differences == ()
    real = AutoTokenizer.from_pretrained(model_path())("Hello")["input_ids"]
    changed = prove(
        tmp_path,
        migrate,
        BRANCHED.format(model=model_path()),
        lambda text: text.replace('["Hello"]', '["Hullo"]'),
    )
    assert f"{', '.join(map(str, real[1:6]))}" in changed.differences[0]


COUNTED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("Hello", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
new = out[0][inputs.input_ids.shape[1]:]
print(tokenizer.decode(new, skip_special_tokens=True), len(new))
"""


@pytest.mark.slow
def test_completions_are_compared(tmp_path, migrate):
    before = COUNTED
    assert b".complete(" in migrate(before).after
    assert prove(tmp_path, migrate, before).differences == ()
