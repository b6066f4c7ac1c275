"""Fixes are made whole, proven, and repeated until nothing is left."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst
import pytest

from cleanguard.catalogue.findings import Fix
from cleanguard.catalogue.hazards import BY_CODE
from cleanguard.settings.config import Settings
from lint_rules import registry
from lint_rules._engine.fixing import fix_source
from lint_rules._flow.analysis import Flow
from lint_rules.edits import Edit, replace
from lint_rules.rule import Report, Rule

HEAD = "from transformers import AutoTokenizer\n"
ON = Settings(select=("CG104", "CG901"))


def rename(applicability: str = "safe", new: str = "good", old: str = "bad") -> Rule:
    """A rule that wants keyword arguments renamed."""

    def check(flow: Flow) -> Iterator[Report]:
        found: list[cst.Name] = []

        class Visitor(cst.CSTVisitor):
            def visit_Arg(self, node: cst.Arg) -> None:
                if node.keyword is not None and node.keyword.value == old:
                    found.append(node.keyword)

        flow.module.visit(Visitor())
        for keyword in found:
            fix = Fix(applicability, f"rename it to {new}")  # type: ignore[arg-type]
            yield Report(keyword, "renamed", fix=fix, edits=replace(keyword, new))

    return Rule(BY_CODE["CG104"], check)


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch):
    def use(*rules: Rule) -> None:
        monkeypatch.setattr(registry, "RULES", rules)

    return use


def test_what_is_outside_the_edit_stays(rules) -> None:
    rules(rename())
    before = f'# -*- coding: latin-1 -*-\r\n{HEAD}s = "é"; AutoTokenizer.from_pretrained( bad = 1 ) # é\r\n'
    fixed = fix_source("a.py", before.encode("latin-1"), ON)
    assert fixed.after.decode("latin-1") == before.replace("bad", "good")
    assert (dict(fixed.codes), fixed.findings, fixed.refusal) == ({"CG104": 1}, (), None)


def test_a_byte_order_mark_stays(rules) -> None:
    rules(rename())
    raw = f"\ufeff{HEAD}AutoTokenizer.from_pretrained(bad=1)\n".encode()
    assert fix_source("a.py", raw, ON).after == raw.replace(b"bad", b"good")


def test_unsafe_fixes_must_be_asked_for(rules) -> None:
    rules(rename("unsafe"))
    raw = f"{HEAD}AutoTokenizer.from_pretrained(bad=1)\n".encode()
    left = fix_source("a.py", raw, ON)
    assert (left.changed, len(left.findings)) == (False, 1)
    assert fix_source("a.py", raw, ON, unsafe=True).after == raw.replace(b"bad", b"good")


def test_touching_edits_wait_for_the_next_pass(rules) -> None:
    def check(flow: Flow) -> Iterator[Report]:
        arg = flow.module.body[-1].body[0].value.args[0]  # type: ignore[union-attr, attr-defined]
        if arg.value.value == "1":
            edits = replace(arg, f"{arg.keyword.value}=2")
            yield Report(arg, "odd", fix=Fix("safe", "double it"), edits=edits)

    rules(rename(), Rule(BY_CODE["CG103"], check))
    raw = f"{HEAD}AutoTokenizer.from_pretrained(bad=1)\n".encode()
    fixed = fix_source("a.py", raw, Settings(select=("CG103", "CG104")))
    assert fixed.refusal is None
    assert fixed.after == f"{HEAD}AutoTokenizer.from_pretrained(good=2)\n".encode()


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        pytest.param(rename(new="a b"), "would not parse", id="broken-syntax"),
        pytest.param(rename(new="bad "), "would still be there", id="still-there"),
    ],
)
def test_a_fix_that_cannot_be_proven_is_refused(rules, rule: Rule, reason: str) -> None:
    rules(rule)
    raw = f"{HEAD}AutoTokenizer.from_pretrained(bad=1)\n".encode()
    fixed = fix_source("a.py", raw, ON)
    assert fixed.refusal is not None
    assert reason in fixed.refusal
    assert (fixed.after, len(fixed.findings)) == (raw, 1)


def test_fixes_that_undo_each_other_are_refused(rules) -> None:
    rules(rename(old="bad", new="good"), rename(old="good", new="bad"))
    raw = f"{HEAD}AutoTokenizer.from_pretrained(bad=1)\n".encode()
    fixed = fix_source("a.py", raw, ON)
    assert (fixed.changed, fixed.refusal is not None) == (False, True)


def test_places_beside_a_node(rules) -> None:
    def check(flow: Flow) -> Iterator[Report]:
        call = flow.module.body[-1].body[0].value  # type: ignore[union-attr, attr-defined]
        if not isinstance(call, cst.Call) or len(call.args) > 1:
            return
        first = (call.args[0], True)
        edits = (
            Edit((call, False), (call, False), "("),
            Edit(first, first, ", b=2"),
            Edit((call, True), (call, True), ")"),
        )
        yield Report(call, "odd", fix=Fix("safe", "add"), edits=edits)

    rules(Rule(BY_CODE["CG104"], check))
    raw = f"{HEAD}AutoTokenizer.from_pretrained(a=1)\n".encode()
    after = fix_source("a.py", raw, ON).after
    assert after == f"{HEAD}(AutoTokenizer.from_pretrained(a=1, b=2))\n".encode()


def test_a_file_that_cannot_be_read_is_left(rules) -> None:
    fixed = fix_source("a.py", b"def f(:\n", ON)
    assert (fixed.changed, [f.code for f in fixed.findings]) == (False, ["CG900"])
