"""63 shapes of real scripts, written from a description of 158: how many migrate, and that the rest says why."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest

from cleanguard.settings.config import Settings
from codemods.migration import Migration, PlannedSite, migrate_source

FOLDER = Path(__file__).parent / "wild"
SHAPES = sorted(FOLDER.glob("*.py"))
# Companion lines are told under the code of the load that they leave with.
COMPANION = "drop what the loader does"


@lru_cache
def plan_of(path: Path) -> Migration:
    return migrate_source(path.name, path.read_bytes(), Settings())


def sites(*codes: str) -> list[PlannedSite]:
    return [
        site
        for path in SHAPES
        for site in plan_of(path).sites
        if site.code in codes and site.summary != COMPANION
    ]


def share(found: list[PlannedSite]) -> float:
    return sum(site.reason is None for site in found) / len(found)


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_a_shape_is_rewritten_or_says_why(path):
    plan = plan_of(path)
    assert plan.refusal is None
    assert plan.sites
    assert all(site.reason for site in plan.manual)
    ast.parse(plan.after)


def test_there_are_enough_shapes():
    assert len(SHAPES) >= 60


def test_most_loads_migrate():
    assert share(sites("CG101", "CG102")) >= 0.85


def test_most_generations_migrate():
    assert share(sites("CG301")) >= 0.60
