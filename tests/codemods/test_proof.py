"""Each part of the contract, broken on purpose: the file must be refused and left as it is."""

from __future__ import annotations

import pytest

from cleanguard.settings.config import Settings
from codemods import migration, siting
from codemods.loads import model_loads
from codemods.migration import migrate_source
from codemods.plan.edits import Edit
from codemods.plan.sites import Site
from codemods.script.script import Script

SOURCE = b"""\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")
other = 1
"""


def sabotage(monkeypatch: pytest.MonkeyPatch, change):
    """Lets the loads' rewrite give other sites."""
    real = model_loads.rewrite

    def rewrite(script: Script, held, allowed) -> list[Site]:
        sites = real(script, held, allowed)
        return change(script, sites) if sites else sites

    monkeypatch.setattr(siting.model_loads, "rewrite", rewrite)


def with_edits(site: Site, *edits: Edit) -> Site:
    return Site(site.code, site.node, site.summary, edits, site.notes)


def refusal(raw: bytes = SOURCE) -> str:
    plan = migrate_source("script.py", raw, Settings())
    assert plan.refusal is not None
    assert plan.after == plan.before == raw
    assert not plan.changed
    return plan.refusal


def test_a_result_that_does_not_parse(monkeypatch):
    def change(script, sites):
        edit = sites[0].edits[0]
        return [with_edits(sites[0], Edit(edit.start, edit.end, "model = (\n"))]

    sabotage(monkeypatch, change)
    assert "would not compile" in refusal()


def test_a_finding_that_stays(monkeypatch):
    def change(script, sites):
        edit = sites[0].edits[0]
        text = 'model = AutoModelForCausalLM.from_pretrained("gpt2-xl")  # CleanModelLoader\n'
        return [with_edits(sites[0], Edit(edit.start, edit.end, text))]

    sabotage(monkeypatch, change)
    assert "would still be there" in refusal()


def test_a_finding_that_is_new(monkeypatch):
    def change(script, sites):
        edit = sites[0].edits[0]
        more = (
            edit.text
            + 'import transformers\nt = transformers.AutoTokenizer.from_pretrained("gpt2")\n'
        )
        return [with_edits(sites[0], Edit(edit.start, edit.end, more))]

    sabotage(monkeypatch, change)
    assert "new finding" in refusal()


def test_a_second_run_that_would_change_more(monkeypatch):
    real = model_loads.rewrite

    def rewrite(script: Script, held, allowed) -> list[Site]:
        end = len(script.utf8)
        again = Site("CG101", script.module, "again", (Edit(end, end, "x = 1\n"),))
        return real(script, held, allowed) or [again]

    monkeypatch.setattr(siting.model_loads, "rewrite", rewrite)
    assert "a second run" in refusal()


def test_an_undeclared_change(monkeypatch):
    real = migration.apply

    def apply(utf8, edits):
        return real(utf8, edits).replace(b"other = 1", b"other = 2")

    monkeypatch.setattr(migration, "apply", apply)
    assert "outside its declared edits" in refusal()


def test_a_form_feed_in_a_string_is_no_line_end(migrate):
    plan = migrate(SOURCE + b's = "a\x0cb"\nt = """x\x0b\x1c"""\n')
    assert plan.refusal is None
    assert plan.changed


@pytest.mark.parametrize("size", [1, 200])
def test_a_file_of_many_loads_is_proven(size, migrate):
    lines = [f'm{n} = AutoModelForCausalLM.from_pretrained("gpt2")' for n in range(size)]
    plan = migrate("from transformers import AutoModelForCausalLM\n" + "\n".join(lines) + "\n")
    assert plan.refusal is None
    assert plan.after.count(b"CleanModelLoader(") == size


MANY = b"""\
from transformers import AutoModelForCausalLM

first = AutoModelForCausalLM.from_pretrained("gpt2")
second = AutoModelForCausalLM.from_pretrained("gpt2-medium")
third = AutoModelForCausalLM.from_pretrained("gpt2-xl")
fourth = AutoModelForCausalLM.from_pretrained("gpt2-large")
"""


def spoil(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Makes the rewrites of some loads leave their finding."""

    def spoiled(script: Script, site: Site) -> Site:
        edit = site.edits[0]
        old = script.utf8[edit.start : edit.end].decode()
        return with_edits(site, Edit(edit.start, edit.end, old)) if old.startswith(names) else site

    def change(script, sites):
        return [spoiled(script, site) for site in sites]

    sabotage(monkeypatch, change)


@pytest.mark.parametrize("bad", [("second",), ("first", "third")], ids=["one", "two"])
def test_what_cannot_be_proven_is_left_and_the_rest_is_done(bad, monkeypatch):
    spoil(monkeypatch, *bad)
    plan = migrate_source("script.py", MANY, Settings())
    assert plan.refusal is None
    assert plan.after.count(b"from_pretrained") == len(bad)
    assert plan.after.count(b"CleanModelLoader(") == 4 - len(bad)
    assert len(plan.manual) == len(bad)
    for site in plan.manual:
        assert "could not be proven: a finding of CG101 would still be there" in str(site.reason)


def test_where_nothing_can_be_proven_the_file_is_refused(monkeypatch):
    spoil(monkeypatch, "first", "second", "third", "fourth")
    plan = migrate_source("script.py", MANY, Settings())
    assert plan.refusal == "a finding of CG101 would still be there"
    assert plan.after == MANY


def test_a_name_that_nothing_defines_any_more(monkeypatch):
    def change(script, sites):
        edit = sites[0].edits[0]
        return [with_edits(sites[0], Edit(edit.start, edit.end, edit.text.replace("model,", "m,")))]

    sabotage(monkeypatch, change)
    said = refusal(SOURCE + b"def f(m):\n    return model(m)\n")
    assert said == "the rewritten file would use `model`, which nothing defines any more"


@pytest.mark.parametrize("bad", [("second",), ("first", "third")], ids=["one", "two"])
def test_what_one_run_leaves_the_next_leaves_too(bad, monkeypatch):
    spoil(monkeypatch, *bad)
    first = migrate_source("script.py", MANY, Settings())
    second = migrate_source("script.py", first.after, Settings())
    assert (second.changed, second.refusal) == (False, None)
    assert [one.reason for one in second.left] == [one.reason for one in first.left]
