"""The output formats by name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.fingerprints import Sources
from cleanguard.report.escaping import for_json

TEXT = ("full", "concise", "grouped")
MACHINE = (
    "json",
    "json-lines",
    "github",
    "gitlab",
    "sarif",
    "junit",
    "rdjson",
    "markdown",
    "pylint",
    "azure",
)


# What these render needs the checked sources as well.
_JSON = ("json", "json-lines", "gitlab", "sarif", "rdjson")
_WITH_SOURCES = ("gitlab", "sarif", "rdjson")


def render(name: str, findings: Sequence[Finding], sources: Sources) -> str:
    """A whole report in one of the formats of `MACHINE`."""
    # Only the one that is wanted is loaded: some bring much of the standard library.
    module = import_module(f"cleanguard.report.{name.replace('-', '_')}")
    report: str = (
        module.render(findings, sources) if name in _WITH_SOURCES else module.render(findings)
    )
    return for_json(report) if name in _JSON else report
