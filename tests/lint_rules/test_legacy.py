"""The scripts before their migration show the six hazards, and their legitimate lines stay quiet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import cleanguard
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_source

_FOLDER = Path(cleanguard.__file__).parent / "legacy"
_SCRIPTS = sorted(path for path in _FOLDER.glob("*.py") if path.name != "__init__.py")
_SIX = {"CG101", "CG102", "CG103", "CG104", "CG201", "CG301"}
# Lengths, previews, stop strings and labels are tokenised without specials, and rightly so.
_LEGITIMATE = (
    "longest = max(len(", "n_tokens = len(", "n_answer = len(", "stop_ids = ", "preview = ",
    'add_special_tokens=False)["input_ids"][0]', "without_special = ", "token_ids = ",
)  # fmt: skip

pytestmark = pytest.mark.skipif(not _SCRIPTS, reason="the legacy scripts are not in this tree")


def _findings(path: Path):
    return check_source(path.name, path.read_bytes(), Settings())


@pytest.mark.parametrize("path", _SCRIPTS, ids=lambda path: path.stem)
def test_a_legacy_script_is_reported(path):
    codes = {finding.code for finding in _findings(path)}
    assert {"CG101", "CG102"} <= codes


def test_the_six_hazards_all_occur():
    codes = Counter(finding.code for path in _SCRIPTS for finding in _findings(path))
    assert set(codes) >= _SIX


@pytest.mark.parametrize("path", _SCRIPTS, ids=lambda path: path.stem)
def test_legitimate_lines_are_quiet(path):
    lines = path.read_text().splitlines()
    reported = {
        lines[finding.location.row - 1] for finding in _findings(path) if finding.code == "CG201"
    }
    assert [line for line in reported for text in _LEGITIMATE if text in line] == []
