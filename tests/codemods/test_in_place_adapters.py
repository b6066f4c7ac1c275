"""peft puts an adapter into the base: what still uses the base goes on getting the adapter's answers."""

from __future__ import annotations

import pytest

TOP = "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n"
BASE = 'base = AutoModelForCausalLM.from_pretrained("gpt2")\n'
ATTACH = 'm = PeftModel.from_pretrained(base, "a")\n'


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


SEEN = [
    pytest.param(BASE + ATTACH + "run(base)\n", id="used after"),
    pytest.param(BASE + ATTACH + "base.to(x)\n", id="a method is called after"),
    pytest.param(BASE + "models = [base]\n" + ATTACH, id="a list holds it"),
    pytest.param(BASE + "other = base\n" + ATTACH, id="another name for it"),
    pytest.param(BASE + "other = base.eval()\n" + ATTACH, id="another name through eval"),
    pytest.param(BASE + "other = base\nbase = PeftModel.from_pretrained(base, 'a')\n", id="replaced, with another name"),
    pytest.param(BASE + ATTACH + "def f():\n    return base(1)\n", id="a function reads it"),
    pytest.param("def f():\n    return base(1)\n" + BASE + ATTACH, id="a function above reads it"),
    pytest.param(BASE + "for p in paths:\n    run(base)\n    m = PeftModel.from_pretrained(base, p)\n", id="the next round of a loop"),
    pytest.param("def f():\n" + indented(BASE + ATTACH + "return m, base"), id="returned"),
    pytest.param("def add(base):\n" + indented(ATTACH + "return m") + BASE + "add(base)\n", id="a parameter"),
    pytest.param("class A:\n    def f(self):\n        self.base = AutoModelForCausalLM.from_pretrained('gpt2')\n        self.m = PeftModel.from_pretrained(self.base, 'a')\n", id="an attribute"),
    pytest.param("models = {}\nmodels['b'] = AutoModelForCausalLM.from_pretrained('gpt2')\nmodels['s'] = PeftModel.from_pretrained(models['b'], 'a')\n", id="a member"),
]  # fmt: skip
UNSEEN = [
    pytest.param(BASE + ATTACH, id="never used"),
    pytest.param(BASE + ATTACH + "del base\n", id="deleted"),
    pytest.param(BASE + "base.config.use_cache = True\nprint(base.device)\n" + ATTACH, id="its attributes before"),
    pytest.param(BASE + "base = PeftModel.from_pretrained(base, 'a')\nrun(base)\n", id="replaced"),
    pytest.param(BASE + "base = base.half()\nbase = PeftModel.from_pretrained(base, 'a')\n", id="rebound to itself"),
    pytest.param(BASE + "base = PeftModel.from_pretrained(base, 'a')\ndef f():\n    return base(1)\n", id="replaced, read by a function"),
    pytest.param("if x:\n" + indented(BASE) + "    m = base\nelse:\n" + indented(BASE + ATTACH), id="two loads"),
    pytest.param(BASE + "if x:\n    m = base\nelse:\n    m = PeftModel.from_pretrained(base, 'a')\n", id="the other branch"),
    pytest.param("def f():\n" + indented(BASE + "if x:\n    return base, 1\n" + ATTACH + "return m"), id="returned early"),
    pytest.param("for p in paths:\n" + indented(BASE + ATTACH + "run(m)"), id="loaded in the loop"),
    pytest.param("m = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained('gpt2'), 'a')\n", id="never named"),
]  # fmt: skip


@pytest.mark.parametrize("body", SEEN)
def test_the_fault_is_kept_and_pointed_out(body, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert "in_place=True" in plan.after.decode()
    notes = [note for site in plan.automatic for note in site.notes if note.kind == "fault"]
    assert len(notes) == 1
    assert "the base itself" in notes[0].text


@pytest.mark.parametrize("body", UNSEEN)
def test_where_nothing_sees_the_base_there_is_no_fault(body, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert "attach_adapter" in plan.after.decode()
    assert "in_place" not in plan.after.decode()
    assert not [note for site in plan.sites for note in site.notes if note.kind == "fault"]


def test_one_adapter_merged_and_another_put_on_top(migrate):
    body = (
        BASE
        + "base = PeftModel.from_pretrained(base, 'sft')\nbase = base.merge_and_unload()\n"
        + "base = PeftModel.from_pretrained(base, 'dpo')\n"
    )
    plan = migrate(TOP + body)
    assert plan.after.decode().count("attach_adapter") == 2
    assert "in_place" not in plan.after.decode()
