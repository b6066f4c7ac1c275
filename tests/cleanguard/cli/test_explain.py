"""`cleanguard explain`: one page, or the catalogue."""

from __future__ import annotations

import json

from cleanguard.catalogue.hazards import CATALOGUE
from lint_rules.registry import RULES
from tests.cleanguard.cli.conftest import Run

KEYS = [
    *(
        "code",
        "name",
        "severity",
        "summary",
        "why",
        "remedy",
        "fix",
        "linted",
        "guarded",
        "traced",
        "default",
        "bad",
        "good",
    ),
]


def test_a_page_for_people(run: Run) -> None:
    ran = run("explain", "raw-model-load")
    assert ran.code == 0
    assert ran.out.startswith(
        "CG101 raw-model-load  error\n\nWhat          a causal LM is loaded outside"
    )
    assert "\nReported by   `cleanguard check`" in ran.out
    assert "\nRewritten by  `cleanguard migrate`\n" in ran.out
    assert "\nBad:\n    from transformers import " in ran.out
    assert "\nGood:\n    from " in ran.out


def test_a_page_is_at_most_80_columns_wide_but_for_the_examples(run: Run) -> None:
    for hazard in CATALOGUE:
        text = run("explain", hazard.code).out.split("\nBad:")[0]
        assert max(map(len, text.splitlines())) <= 80


def test_a_page_for_programs(run: Run) -> None:
    page = json.loads(run("explain", "CG101", "--format", "json").out)
    rule = next(rule for rule in RULES if rule.hazard.code == "CG101")
    assert list(page) == KEYS
    assert (page["bad"], page["good"]) == (list(rule.bad), list(rule.good))


def test_a_page_for_the_docs(run: Run) -> None:
    assert run("explain", "CG900", "--format", "markdown").out.startswith("# CG900 unreadable\n")


def test_the_catalogue(run: Run) -> None:
    text = run("explain").out
    assert [line.split()[0] for line in text.splitlines() if line.startswith("  CG")] == [
        h.code for h in CATALOGUE
    ]
    assert max(map(len, text.splitlines())) <= 80
    assert [page["code"] for page in json.loads(run("explain", "--format", "json").out)] == [
        h.code for h in CATALOGUE
    ]
    assert run("explain", "--format", "markdown").out.count("\n# CG") == len(CATALOGUE) - 1


def test_an_unknown_hazard_is_2_and_the_nearest_is_proposed(run: Run) -> None:
    ran = run("explain", "raw-modle-load")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(
        "cleanguard: 'raw-modle-load' is not a hazard; did you mean 'raw-model-load'?"
    )
