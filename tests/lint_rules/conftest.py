"""Checks a source text and says what was found, in the notation of the cases: `12 CG101` or `12 CG101 warning`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cleanguard.config import Settings
from cleanguard.files import SourceFile
from cleanguard.findings import Finding
from lint_rules.engine import check_files, check_source

_MARK = re.compile(r"#>\s*(?P<codes>CG\d+(?::\w+)?(?:\s+CG\d+(?::\w+)?)*)")
EVERYTHING = Settings(select=("ALL",))

Check = Callable[..., tuple[Finding, ...]]
Compare = Callable[..., None]


def marked(source: str, only: frozenset[str]) -> set[tuple[int, str]]:
    """The findings that `#> CG101 CG301:warning` comments ask for, by row."""
    found: set[tuple[int, str]] = set()
    for row, line in enumerate(source.splitlines(), start=1):
        match = _MARK.search(line)
        for code in match["codes"].split() if match else ():
            if code[:5] in only:
                found.add((row, code))
    return found


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
def compare(check: Check) -> Compare:
    """Compares findings with the marks in the text; codes without `:severity` match any severity."""

    def run(source: str, *codes: str, settings: Settings = EVERYTHING) -> None:
        only = frozenset(codes)
        wanted = marked(source, only)
        got: set[tuple[int, str]] = set()
        for finding in check(source, replace(settings, select=tuple(codes))):
            exact = (finding.location.row, f"{finding.code}:{finding.severity}")
            got.add(exact if exact in wanted else (finding.location.row, finding.code))
        assert got == wanted

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
