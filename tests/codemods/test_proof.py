"""Each part of the contract, broken on purpose: the file must be refused and left as it is."""

from __future__ import annotations

import pytest

from cleanguard.config import Settings
from codemods import loads, migration
from codemods._edits import Edit
from codemods._script import Script
from codemods._sites import Site
from codemods.migration import migrate_source

SOURCE = b"""\
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")
other = 1
"""


def sabotage(monkeypatch: pytest.MonkeyPatch, change):
    """Lets the loads' rewrite give other sites."""
    real = loads.rewrite

    def rewrite(script: Script) -> list[Site]:
        return change(script, real(script))

    monkeypatch.setattr(migration.loads, "rewrite", rewrite)


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
    assert "would not parse" in refusal()


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
    def change(script, sites):
        if sites:
            return sites
        end = len(script.utf8)
        return [Site("CG101", script.module, "again", (Edit(end, end, "x = 1\n"),))]

    sabotage(monkeypatch, change)
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
