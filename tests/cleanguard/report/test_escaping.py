"""One table of hostile texts, put through every medium."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.catalogue.hazards import BY_CODE
from cleanguard.report import formats
from cleanguard.report.escaping import (
    code_for_markdown,
    for_log,
    for_markdown,
    printable,
    visible,
)

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "image": '<img src=x onerror="alert(1)">',
    "escape": "\x1b[2J\x1b]0;title\x07",
    "c1": "\x9b31m",
    "bidi": "admin\u202egnp.exe\u2066",
    "zero-width": "a\u200bb\ufeffc",
    "separators": "a\u2028b\u2029c\x85d",
    "newline": "a\nb\r\nc",
    "command": "::error file=x::boo",
    "old command": "##[set-env name=X]y",
    "indented command": "   ::add-mask::x",
    "percent": "100%0A::error::x",
    "cell": "a | b | c",
    "fence": "```\nx\n```",
    "ticks": "`a``b`",
    "link": "[x](javascript:alert(1))",
    "heading": "# top",
    "list": "- item",
    "number": "1. item",
    "emphasis": "*a* _b_ ~c~ my_model_v2",
    "backslash": "a\\|b\\",
    "formula": "$\\frac{1}{0}$ and $x",
    "surrogate": "a\udcff",
    "nul": "a\x00b",
    "cdata": "]]><!--",
    "json": '"},{"a":1',
    "long": "x" * 5_000,
}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def finding(text: str) -> Finding:
    hazard = BY_CODE["CG101"]
    return Finding(
        hazard=hazard,
        severity=hazard.severity,
        confidence="followed",
        filename=f"{text}.py",
        location=Position(1, 1),
        end_location=Position(1, 2),
        message=text,
        remedy=text,
    )


@hostile
def test_printable_leaves_nothing_that_steers(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown


@hostile
def test_visible_keeps_lines_and_nothing_that_steers(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c.isspace() for c in shown)
    assert shown.count("\n") == text.count("\n")


@hostile
def test_markdown_reads_as_the_text(text: str) -> None:
    shown = for_markdown(text)
    assert "\n" not in shown
    assert not shown.lstrip().startswith(("::", "#", "- ", "1. "))
    plain = []
    at = 0
    while at < len(shown):  # what a reader of Markdown sees: a backslash before a mark is not shown
        if shown[at] == "\\" and at + 1 < len(shown) and not shown[at + 1].isalnum():
            at += 1
        else:
            assert shown[at] not in "<>|`*~", shown
        plain.append(shown[at])
        at += 1
    assert "".join(plain).strip() == printable(text).strip()


def test_names_with_underscores_stay_readable() -> None:
    assert for_markdown("my_model_v2 at 5.0 + 3 - 1") == "my_model_v2 at 5.0 + 3 - 1"


@hostile
def test_a_code_span_holds_it(text: str) -> None:
    shown = code_for_markdown(text)
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    assert shown.endswith(fence)
    assert fence not in shown[len(fence) : -len(fence)]
    assert "\n" not in shown


@hostile
def test_a_runner_takes_no_line_for_a_command(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert for_log(text) == text
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for line in for_log(text).split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


@hostile
def test_every_format_stays_what_it_is(text: str) -> None:
    findings = [finding(text)]
    for name in formats.MACHINE:
        made = formats.render(name, findings, lambda _: ["x = 1"])
        parsed: Any = None
        if name in ("json", "sarif", "gitlab", "rdjson"):
            parsed = json.loads(made)
        elif name == "json-lines":
            parsed = [json.loads(line) for line in made.splitlines()]
        elif name == "junit":
            parsed = ET.fromstring(made)
        elif name == "github":
            assert made.count("\n") == 1
            assert made.startswith("::error ")
            assert "\r" not in made
        elif name == "markdown":
            row = made.splitlines()[-1]
            assert len(made.splitlines()) == 5
            assert row.isprintable()
            parsed = row
        elif name in ("pylint", "azure"):
            assert made.count("\n") == 1
            assert "\r" not in made
            start = ("##vso[task.logissue type=error;sourcepath=", ".py:1: [CG101] ")
            assert start[name == "pylint"] in made
            parsed = made
        else:
            raise AssertionError(f"a format without a test: {name}")
        assert parsed is not None or name == "github"
