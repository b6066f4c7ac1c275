"""Kinds of changed meanings that a second walk through the list of faults found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codemods.migration import Migration

Migrate = Callable[[str], Migration]
LOADS = """\
import sys
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

tok = AutoTokenizer.from_pretrained("meta-llama/Llama-3.2-1B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.2-1B")
"""
ASKS = """
enc = tok(sys.argv[1], return_tensors="pt")
out = model.generate(**enc, generation_config=gc)
print(tok.decode(out[0][enc["input_ids"].shape[1]:], skip_special_tokens=True))
"""


@pytest.mark.parametrize(
    "change",
    [
        "gc.top_k, gc.repetition_penalty = 5, 1.7",
        "[gc.repetition_penalty] = [1.7]",
        "*gc.bad_words_ids, gc.repetition_penalty = [[5], 1.7]",
        "gc.repetition_penalty: float = 1.7",
        "for gc.repetition_penalty in (1.2, 1.7):\n    pass",
        "with open(sys.argv[2]) as gc.repetition_penalty:\n    pass",
        "[0 for gc.repetition_penalty in (1.2, 1.7)]",
        "up = gc.update\nup(repetition_penalty=1.7)",
    ],
)
def test_a_setting_that_is_stored_in_any_way_is_not_lost(change: str, migrate: Migrate) -> None:
    made = "gc = GenerationConfig(max_new_tokens=8, do_sample=False)\n"
    plan = migrate(f"{LOADS}{made}{change}\n{ASKS}")
    after = plan.after.decode()
    assert "generation_config=gc" in after
    assert change.splitlines()[0] in after


@pytest.mark.parametrize(
    "between",
    [
        "def count(s, t=tok):\n    return len(t(s).input_ids)",
        "def count(s, *, t=tok):\n    return len(t(s).input_ids)",
        "def count(s) -> type(tok):\n    return s",
        "def count(s: type(tok)):\n    return s",
        "def first(f):\n    f('a')\n    return f\n@first\ndef count(s):\n    return len(tok(s).input_ids)",
        "def keep(t):\n    return lambda f: f\n@keep(tok)\ndef count(s):\n    return s",
        "print(eval('tok'))",
        "print(globals()['tok'])",
    ],
)
def test_a_tokenizer_that_is_used_before_the_model_is_loaded_stays_above(
    between: str, migrate: Migrate
) -> None:
    head, _, load = LOADS.rpartition("model = ")
    after = migrate(f"{head}{between}\nmodel = {load}").after.decode()
    assert "tok = CleanModelLoader(" in after
    assert after.index("tok = CleanModelLoader(") < after.index(between.splitlines()[0])


def test_a_function_that_only_has_a_parameter_of_the_name_keeps_nothing_above(
    migrate: Migrate,
) -> None:
    head, _, load = LOADS.rpartition("model = ")
    after = migrate(f"{head}def count(tok):\n    return tok\nmodel = {load}model.eval()\n").after
    assert b"model, tok, provenance = loader.load()" in after


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ('tok.bos_token + "The cat"', "meta-llama/Llama-3.2-1B", "code puts BOS before the text"),
        ('"<|im_start|>user\\n" + sys.argv[1]', "Qwen/Qwen2.5-0.5B", "may hold a chat"),
        ('"The cat"', "meta-llama/Llama-3.2-1B", None),
        ('tok.bos_token + "The cat"', "gpt2", None),
    ],
)
def test_a_text_that_is_scored_is_judged_like_a_prompt(
    text: str, name: str, why: str | None, migrate: Migrate
) -> None:
    scores = f"enc = tok({text}, return_tensors='pt')\nprint(model(**enc).logits)\n"
    plan = migrate(LOADS.replace("meta-llama/Llama-3.2-1B", name) + scores)
    reasons = "\n".join(site.reason or "" for site in plan.manual)
    assert (why in reasons) if why else plan.manual == ()
    assert plan.changed is (why is None)


def test_a_directory_that_is_an_adapter_once_and_a_model_once(migrate: Migrate) -> None:
    text = """
def load(path, adapter=None):
    model = AutoModelForCausalLM.from_pretrained(path)
    return PeftModel.from_pretrained(model, adapter) if adapter else model

for path, adapter in (("meta-llama/Llama-3.2-1B", "out/sft"), ("out/sft", None)):
    print(load(path, adapter))
"""
    plan = migrate(LOADS.partition("tok =")[0] + text)
    assert any("may take an adapter by the same name" in (s.reason or "") for s in plan.manual)


@pytest.mark.parametrize(
    ("revision", "held"), [('"main"', True), ('"v1.0"', True), (f'"{"0" * 40}"', False)]
)
def test_a_branch_pins_no_code(revision: str, held: bool, migrate: Migrate) -> None:
    load = f'm = AutoModelForCausalLM.from_pretrained("some/model", trust_remote_code=True, revision={revision})\n'
    plan = migrate(LOADS.partition("tok =")[0] + load)
    assert any("git ls-remote" in (site.reason or "") for site in plan.manual) is held


def test_what_check_no_longer_finds_is_not_left(migrate: Migrate) -> None:
    text = """
text = tok.decode(tok(sys.argv[1]).input_ids)
enc = tok(text, return_tensors="pt", add_special_tokens=False)
out = model.generate(**enc, max_new_tokens=8, do_sample=False, pad_token_id=tok.eos_token_id)
print(tok.decode(out[0][enc["input_ids"].shape[1]:], skip_special_tokens=True))
"""
    plan = migrate(LOADS + text)
    assert plan.changed
    assert plan.left == ()


@pytest.mark.parametrize("side", ["", 'tok.padding_side = "left"\n'])
def test_padded_rows_that_a_trainer_only_scores(side: str, migrate: Migrate) -> None:
    text = """from transformers import Trainer
rows = [dict(tok("The cat sat", padding="max_length", max_length=8))]
print(Trainer(model=model, eval_dataset=rows).evaluate())
"""
    plan = migrate(LOADS + side + text)
    held = any("a Trainer or collator pads rows" in (site.reason or "") for site in plan.manual)
    assert held is not bool(side)


def test_an_adapter_that_stays_is_counted_with_its_model_alone(migrate: Migrate) -> None:
    load = "m = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(sys.argv[1], state_dict={}), sys.argv[2])\n"
    plan = migrate(LOADS.partition("tok =")[0] + load)
    assert not plan.changed
    assert len(plan.left) == plan.found == 1
