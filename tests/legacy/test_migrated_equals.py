"""The legacy scripts give the same greedy texts, scores and losses after their migration."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tools.migrated_runs import CHAIN, EVALUATIONS, Outcome, Run, outcomes, plan_of

ALL = {run.script: run for run in (*CHAIN, *EVALUATIONS)}


def test_every_script_is_run(legacy_folder):
    assert set(ALL) == {path.name for path in legacy_folder.glob("*.py")}


@pytest.mark.parametrize("script", sorted(ALL))
def test_all_loads_and_generations_are_automatic(script):
    plan = plan_of(script)
    assert plan.refusal is None
    assert [site for site in plan.manual if site.code != "CG501"] == []


@pytest.fixture(scope="module")
def all_outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[Run, Outcome]:
    """All 15 before and after; about four minutes on one thread."""
    return {item.run: item for item in outcomes(tmp_path_factory.mktemp("runs"))}


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(ALL))
def test_the_same_results(script, all_outcomes: dict[Run, Outcome]):
    outcome = all_outcomes[ALL[script]]
    assert outcome.differences == ()
    assert outcome.compared


@pytest.mark.slow
def test_the_runs_leave_the_legacy_scripts_alone(legacy_folder: Path):
    assert all(
        plan_of(path.name).before == path.read_bytes() for path in legacy_folder.glob("*.py")
    )
