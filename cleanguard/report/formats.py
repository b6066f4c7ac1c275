"""The output formats by name."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.findings import Finding
from cleanguard.fingerprints import Sources

TEXT = ("full", "concise")
MACHINE = ("json", "json-lines", "github", "gitlab", "sarif", "junit", "rdjson", "markdown")


def render(name: str, findings: Sequence[Finding], sources: Sources) -> str:
    """A whole report in one of the formats of `MACHINE`."""
    from cleanguard.report import (
        github,
        gitlab,
        json,
        json_lines,
        junit,
        markdown,
        rdjson,
        sarif,
    )

    if name in ("gitlab", "sarif", "rdjson"):
        with_sources = {"gitlab": gitlab.render, "sarif": sarif.render, "rdjson": rdjson.render}
        return with_sources[name](findings, sources)
    plain = {
        "json": json.render,
        "json-lines": json_lines.render,
        "github": github.render,
        "junit": junit.render,
        "markdown": markdown.render,
    }
    return plain[name](findings)
