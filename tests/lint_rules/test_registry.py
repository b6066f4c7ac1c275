"""No rule is forgotten: files, registry and catalogue agree."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import lint_rules
from cleanguard.settings.config_values import LIBRARIES
from lint_rules._questions import signatures
from lint_rules.registry import RULES
from lint_rules.rule import Rule

_FOLDER = Path(lint_rules.__file__).parent
_NOT_RULES = {"edits", "registry", "rule"}


def _rule_files() -> set[str]:
    names = {module.name for module in pkgutil.iter_modules([str(_FOLDER)])}
    return {name for name in names if not name.startswith("_")} - _NOT_RULES


def test_every_rule_file_is_listed():
    listed = {rule.check.__module__.removeprefix("lint_rules.") for rule in RULES}
    assert _rule_files() == listed


def test_a_rule_file_is_named_after_its_hazard():
    for stem in _rule_files():
        rule = importlib.import_module(f"lint_rules.{stem}").RULE
        assert isinstance(rule, Rule)
        assert rule.hazard.name.replace("-", "_") == stem


def test_rules_stand_in_the_order_of_the_catalogue():
    codes = [rule.hazard.code for rule in RULES]
    assert codes == sorted(set(codes))


def test_engine_modules_name_no_hazard():
    for path in _FOLDER.glob("_*/**/*.py"):
        assert not re.search(r"CG[1-8]\d\d", path.read_text()), path.name


def test_target_versions_take_exactly_the_libraries_that_the_tables_know():
    assert set(LIBRARIES) == set(signatures._tables())
