"""Every block of docs/suites.md is used as it stands there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleanguard.cli.commands.compare import command as compare
from stages.config import options_of, resolve
from stages.registry import BY_NAME
from stages.reports.results import read_results
from stages.suites.registry import find_suite

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "suites.md").read_text(encoding="utf-8")
TITLED = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', TEXT, re.M | re.S)
BLOCKS = {title.rpartition(" ")[2]: body for title, body in TITLED}
SUITES = [name for title, _ in TITLED if (name := title.removeprefix("suite of ")) != title]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """All blocks as files, the Python module beside them."""
    found = {}
    for name, body in BLOCKS.items():
        path = tmp_path / (name if name.endswith(".py") else f"{name}.jsonl")
        path.write_text(body, encoding="utf-8")
        found[name] = path
    return found


def ran(stage: str, out: Path, **given: str) -> Any:
    overrides = {name.replace("__", "."): value for name, value in given.items()}
    config = resolve(
        BY_NAME[stage].config, BY_NAME[stage].presets, overrides={"out": str(out), **overrides}
    )
    return BY_NAME[stage].run(config)


@pytest.mark.parametrize("name", SUITES)
def test_the_suites_run(files: dict[str, Path], name: str, tmp_path: Path) -> None:
    suite = find_suite(str(files[name]))
    lines = BLOCKS[name].splitlines()
    assert len(suite.items) + len(suite.shots) == len(lines)
    ran(
        "evaluate",
        tmp_path / "run",
        suite=str(files[name]),
        html="false",
        plan__resamples="100",
        base_forms="",
    )
    results = read_results(tmp_path / "run")
    assert {one.item for one in results} == {item.id for item in suite.items}


def test_the_kinds_are_all_there() -> None:
    assert {find_kind(name) for name in SUITES} == {"answers", "choices", "perplexity"}


def find_kind(name: str) -> str:
    first = json.loads(BLOCKS[name].splitlines()[0])
    return "choices" if "choices" in first else "perplexity" if "text" in first else "answers"


def test_instructions_of_one_s_own_are_taken(files: dict[str, Path], tmp_path: Path) -> None:
    ran("generate", tmp_path / "g", source="file", file=str(files["generate"]))
    rows = [
        json.loads(line) for line in (tmp_path / "g" / "dataset.jsonl").read_text().splitlines()
    ]
    assert any(row["instruction"] == "Say red two times." for row in rows)


def test_prompts_and_negatives_of_one_s_own_are_taken(
    files: dict[str, Path], tmp_path: Path
) -> None:
    from stages.preferences.prompts import prompts_of
    from stages.preferences.steps import _listed_negatives

    stage = BY_NAME["preferences"]
    overrides = {
        "file": str(files["preferences"]), "negatives": "file",
        "negatives_file": str(files["negatives"]), "adapter": "none",
    }  # fmt: skip
    config = resolve(stage.config, stage.presets, overrides=overrides)
    prompts = prompts_of(config)
    assert [prompt.instruction for prompt in prompts] == list(_listed_negatives(config))
    assert all(prompt.verify is not None for prompt in prompts)
    assert prompts[0].verify(" It is 7.")  # type: ignore[misc]
    assert prompts_of(replace(config, judge="logprob"))[1].ask == "The capital of Norway is"


def test_every_option_that_is_named_exists() -> None:
    known = {one.key for stage in BY_NAME.values() for one in options_of(stage.config)}
    known |= {option.name for option in compare.params}
    named = set(re.findall(r"--([a-z][a-z._-]*)", TEXT))
    assert {name.rstrip(".").replace("-", "_") for name in named} <= known
