"""Runs the command line in this process, over an engine whose answer the test writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import pytest

from cleanguard.catalogue.findings import Finding
from cleanguard.cli import main
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `cleanguard ARGS`."""
    monkeypatch.delenv("CLEANGUARD_DEBUG", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def go(*args: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["cleanguard", *args])
        with pytest.raises(SystemExit) as leaving:
            main()
        assert isinstance(leaving.value.code, int)
        return Ran(leaving.value.code, *capsys.readouterr())

    return go


@dataclass
class FakeEngine:
    """Answers a check with what the test sets, and remembers what it was asked."""

    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()
    files: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)

    @property
    def checked(self) -> int:
        return len(self.files)

    def check_files(
        self, files: Sequence[SourceFile], settings: Settings, **options: object
    ) -> FakeEngine:
        self.files = [file.name for file in files]
        self.settings = settings
        return self


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Stands in for `lint_rules._engine.pipeline`, which has tests of its own."""
    fake = FakeEngine()
    module = ModuleType("lint_rules._engine.pipeline")
    module.check_files = fake.check_files  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lint_rules._engine.pipeline", module)
    return fake
