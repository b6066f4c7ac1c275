"""Checks source texts and trees of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cleanguard.catalogue.findings import Finding
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.checking import check_files, check_source

EVERYTHING = Settings(select=("ALL",))

Check = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def check() -> Check:
    """The findings of one text, or of its bytes."""

    def run(
        source: str | bytes, settings: Settings = EVERYTHING, name: str = "script.py"
    ) -> tuple[Finding, ...]:
        raw = source.encode() if isinstance(source, str) else source
        return check_source(name, raw, settings)

    return run


@pytest.fixture
def check_tree(tmp_path: Path) -> Callable[[dict[str, str]], dict[str, list[str]]]:
    """Checks several files in one run; gives `row code severity` by file."""

    def run(files: dict[str, str], settings: Settings = EVERYTHING) -> dict[str, list[str]]:
        sources = []
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sources.append(SourceFile(name, path))
        result = check_files(sources, settings)
        assert result.failures == ()
        found: dict[str, list[str]] = {name: [] for name in files}
        for finding in result.findings:
            found[finding.filename].append(
                f"{finding.location.row} {finding.code} {finding.severity}"
            )
        return found

    return run
