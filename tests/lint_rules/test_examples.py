"""The examples that rules carry, which are also the explain pages and the docs, do what they say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source
from lint_rules.registry import RULES

_BAD = [
    pytest.param(rule, text, id=f"{rule.hazard.name}-bad-{number}")
    for rule in RULES
    for number, text in enumerate(rule.bad, start=1)
]
_GOOD = [
    pytest.param(rule, text, id=f"{rule.hazard.name}-good-{number}")
    for rule in RULES
    for number, text in enumerate(rule.good, start=1)
]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _found(rule, text):
    ast.parse(text)
    for name in rule.beside:
        Path(name).write_text("")
    return check_source("script.py", text.encode(), Settings(select=(rule.hazard.code,)))


@pytest.mark.parametrize(("rule", "text"), _BAD)
def test_a_bad_example_is_reported(rule, text):
    findings = _found(rule, text)
    assert {finding.code for finding in findings} == {rule.hazard.code}
    for finding in findings:
        assert 10 < len(finding.message) <= 120, finding.message
        assert "\n" not in finding.message
        assert finding.fix is None or rule.hazard.fix != "none"


@pytest.mark.parametrize(("rule", "text"), _GOOD)
def test_a_good_example_is_not_reported(rule, text):
    assert _found(rule, text) == ()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.hazard.name)
def test_a_rule_has_as_many_good_examples_as_bad_ones(rule):
    assert rule.bad
    assert len(rule.good) >= len(rule.bad)
