"""The guarded path gives the legacy scripts' tokens; what changes them is found and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from guard.records.verification import verify_file
from stages.config import resolve
from stages.equivalence import CONFIG, PRESETS, EquivalenceConfig, run
from stages.equivalence.agreement import Parting, agreement_of
from stages.equivalence.old_path import Generated
from stages.statistics.errors import StatisticsError
from stages.tiny import model_path


def config(out: Path, **changes: str) -> EquivalenceConfig:
    overrides = {name.replace("__", "."): value for name, value in changes.items()}
    return resolve(CONFIG, PRESETS, preset="tiny", overrides={"out": str(out), **overrides})


def report_in(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "equivalence.json").read_text())
    return found


@pytest.mark.slow
def test_the_legacy_path_is_token_identical(tmp_path: Path) -> None:
    outcome = run(config(tmp_path / "run"))
    assert outcome.passed
    assert outcome.lines[0] == "equivalence: equivalent"
    assert "of 200 answers are token-identical" in outcome.lines[1]
    for name in ("pairs.jsonl", "equivalence.json", "equivalence.md"):
        assert verify_file(tmp_path / "run" / name).problems == ()
    assert run(config(tmp_path / "run")).lines == outcome.lines


@pytest.mark.slow
def test_settings_that_were_inherited_silently_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_path(), folder)
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "repetition_penalty": 1.5}))
    changes = {"model__id": str(folder), "limit": "60"}
    outcome = run(config(tmp_path / "run", **changes))
    assert not outcome.passed
    assert outcome.lines[0] == "equivalence: different"
    report = report_in(tmp_path / "run")
    assert report["dropped_settings"] == {"repetition_penalty": 1.5}
    assert any("part at token" in line for line in outcome.lines)
    assert any("CG502" in line for line in outcome.lines)
    explicit = run(config(tmp_path / "explicit", **changes, old__own_settings="false"))
    assert explicit.lines[0] != "equivalence: different"


def test_a_chat_template_on_the_old_path_is_found(tmp_path: Path) -> None:
    outcome = run(config(tmp_path / "run", limit="40", old__chat_template="true"))
    assert outcome.lines[0] == "equivalence: different"
    agreement = report_in(tmp_path / "run")["agreement"]
    assert isinstance(agreement, dict)
    assert agreement["prompts"]["rate"] == 0


def test_right_padding_on_the_old_path_is_found(tmp_path: Path) -> None:
    changes = {"limit": "60", "old__padding_side": "right", "old__batch_size": "30"}
    assert not run(config(tmp_path / "run", **changes)).passed
    assert run(config(tmp_path / "left", **{**changes, "old__padding_side": "left"})).passed


def made(*answers: tuple[int, ...]) -> list[Generated]:
    return [Generated((1,), ids) for ids in answers]


def test_partings_are_where_the_ids_first_differ() -> None:
    old, new = made((5, 6, 0), (5, 6), (7,)), made((5, 9, 0), (5, 6, 0), (7,))
    found = agreement_of(old, new, [True] * 3, ["a", "b", "c"], 0.05)
    assert found.partings == (Parting(1, 6, 9), Parting(2, None, 0))
    assert (found.answers.passed, found.prompts.passed, found.call) == (1, 3, "different")


@pytest.mark.parametrize(
    ("same", "n", "call"),
    [(200, 200, "equivalent"), (12, 12, "undetermined"), (150, 200, "different")],
)
def test_calls_need_the_whole_interval(same: int, n: int, call: str) -> None:
    new = made(*[(1,)] * same, *[(2,)] * (n - same))
    keys = [str(number) for number in range(n)]
    assert agreement_of(made(*[(1,)] * n), new, [True] * n, keys, 0.05).call == call
    with pytest.raises(StatisticsError):
        agreement_of(new, new[:-1], [True] * n, keys, 0.05)
