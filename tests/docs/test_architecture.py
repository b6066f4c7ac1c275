"""The page about the architecture is what the imports and the folders say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from lint_rules.registry import RULES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
# Beside its rules, lint_rules has four files.
_ROOMS = {"cleanguard": 9, "guard": 8, "codemods": 6, "lint_rules": len(RULES) + 4}


def test_the_picture_is_what_the_imports_say() -> None:
    done = subprocess.run(
        [sys.executable, "tools/architecture.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_file_and_room_that_the_pages_name_is_there() -> None:
    for page in (PAGE, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"):
        named = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", page.read_text(encoding="utf-8")))
        example = {"lint_rules/length_with_prompt.py"}
        missing = {
            name
            for name in named - example
            if not any(
                (ROOT / top / name).exists()
                for top in ("", "cleanguard", "guard", "codemods", "lint_rules")
            )
        }
        assert not missing, page.name


def test_few_files_lie_beside_the_rooms() -> None:
    for package, most in _ROOMS.items():
        files = sorted(path.name for path in (ROOT / package).glob("*.py"))
        assert len(files) <= most, files
    for room in (
        path for package in _ROOMS for path in (ROOT / package).rglob("*") if path.is_dir()
    ):
        files = sorted(path.name for path in room.glob("*.py") if path.name != "__init__.py")
        assert len(files) <= 20 or room.name == "legacy", room


def test_no_file_of_the_product_is_two() -> None:
    long = {}
    for package in (*_ROOMS, "stages"):
        for path in (ROOT / package).rglob("*.py"):
            lines = path.read_text(encoding="utf-8").count("\n")
            if lines > 350 and "legacy" not in path.parts:
                long[path.relative_to(ROOT).as_posix()] = lines
    assert set(long) <= {"cleanguard/catalogue/hazards.py"}, long  # a table
