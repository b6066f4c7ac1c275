"""docs/seed-map.md names every old script, and its commands are understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from stages.config import options_of, resolve
from stages.registry import BY_NAME
from stages.suites.registry import find_suite

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "seed-map.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]
COMMANDS = [command for row in ROWS for command in re.findall(r"`(cleanguard run [^`]*)`", row[1])]


def test_every_old_script_has_its_row() -> None:
    scripts = {path.name for path in (ROOT / "cleanguard" / "legacy").glob("*.py")}
    assert [row[0].strip("`") for row in ROWS] == list(dict.fromkeys(r[0].strip("`") for r in ROWS))
    assert {row[0].strip("`") for row in ROWS} == scripts
    assert all(re.search("`cleanguard run ", row[1]) for row in ROWS)


@pytest.mark.parametrize("command", COMMANDS)
def test_its_command_is_understood(command: str) -> None:
    _, _, name, *words = shlex.split(command)
    stage = BY_NAME[name]
    given = {
        option.removeprefix("--").replace("-", "_"): value
        for option, value in zip(words[::2], words[1::2], strict=True)
    }
    preset = given.pop("preset", None)
    suite = given.get("suite", "")
    if suite and suite != "FILE.jsonl":
        find_suite(suite)
    assert {*given} <= {one.key for one in options_of(stage.config)}
    resolve(stage.config, stage.presets, preset=preset, overrides=given)
