"""The catalogue is well-formed, and its flags say what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanguard.catalogue import hazards
from cleanguard.catalogue.explain import FIXES, GROUPS
from cleanguard.catalogue.hazards import (
    BY_CODE,
    BY_NAME,
    CATALOGUE,
    UNREADABLE,
    UNUSED_SUPPRESSION,
    Hazard,
)
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source
from lint_rules.registry import RULES

ENGINE_CODES = {UNREADABLE.code, UNUSED_SUPPRESSION.code}

every_hazard = pytest.mark.parametrize("hazard", CATALOGUE, ids=lambda hazard: hazard.code)


def test_codes_and_names_are_unique() -> None:
    assert len(BY_CODE) == len(BY_NAME) == len(CATALOGUE)


def test_the_catalogue_is_in_the_order_of_its_codes() -> None:
    assert [hazard.code for hazard in CATALOGUE] == sorted(BY_CODE)


@every_hazard
def test_code_and_name_keep_their_form(hazard: Hazard) -> None:
    assert re.fullmatch(r"CG\d{3}", hazard.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+|unreadable", hazard.name)
    assert hazard.code[:3] in GROUPS


@every_hazard
def test_texts_say_something_and_fit_their_place(hazard: Hazard) -> None:
    for text in (hazard.summary, hazard.why, hazard.remedy):
        assert text == text.strip()
        assert len(text) > 10
    assert not hazard.summary.endswith(".")
    assert not hazard.remedy.endswith(".")
    assert hazard.why.endswith(".")


@every_hazard
def test_severity_and_fix_are_known(hazard: Hazard) -> None:
    assert hazard.severity in ("error", "warning")
    assert hazard.fix in FIXES


def test_linted_is_true_for_exactly_what_is_looked_for() -> None:
    looked_for = {rule.hazard.code for rule in RULES} | ENGINE_CODES
    assert {hazard.code for hazard in CATALOGUE if hazard.linted} == looked_for


def test_traced_is_true_for_exactly_what_a_trace_can_say() -> None:
    """Each code that the judge names, read from its modules."""
    import guard.tracing

    folder = Path(guard.tracing.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    names = set(re.findall(r"hazards\.([A-Z][A-Z_]+)\b", text))
    named = {getattr(hazards, name).code for name in names if hasattr(hazards, name)}
    assert {hazard.code for hazard in CATALOGUE if hazard.traced} == named


def test_each_rule_has_its_catalogue_entry_and_no_other_rule_has_it() -> None:
    assert all(rule.hazard is BY_CODE[rule.hazard.code] for rule in RULES)
    assert len({rule.hazard.code for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.hazard.code)
def test_what_is_said_about_fixes_is_what_findings_offer(rule: object) -> None:
    from lint_rules.rule import Rule

    assert isinstance(rule, Rule)
    settings = Settings(select=(rule.hazard.code,))
    offered = {
        finding.fix.applicability
        for example in rule.bad
        for finding in check_source("example.py", example.encode(), settings)
        if finding.code == rule.hazard.code and finding.fix
    }
    assert offered == ({rule.hazard.fix} - {"none"})
