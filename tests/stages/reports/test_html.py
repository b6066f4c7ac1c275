"""The HTML report stands alone, shows what it should, and takes no markup from answers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cleanguard.report.escaping import is_command
from cleanguard.report.hidden import hidden_by_line
from guard import Loaded
from stages.comparing.plan import Plan
from stages.reports.as_json import as_json
from stages.reports.build import Inputs, build
from stages.reports.html import as_html
from stages.reports.markdown import as_markdown
from stages.reports.model import Report
from stages.reports.results import Result
from stages.suites.world import readiness

GATE = {
    "schema": "cleanguard.gate/1", "go": True, "created": "2026-01-01T00:00:00+00:00", "model": None,
    "checks": [{"name": "compiles", "verdict": "pass", "detail": "all 3 files compile"}],
}  # fmt: skip
HOSTILE = "<script>alert(1)</script> | **bold** \n"


def answers(subject: str, share: int) -> list[Result]:
    """Made-up answers, of which one in `share` is wrong."""
    return [
        Result(
            suite="readiness", subject=subject, form="formatted", item=item.id, cluster=item.cluster,
            slice=item.slice, sample=0, prompt=item.prompt, text=HOSTILE, finish="eos", tokens=5 + at % 7,
            prompt_tokens=9, seed=None, control_tokens=0, batch=32, strict=at % share != 0,
            content=at % share != 0, stopped=True, truncated=False,
        )
        for at, item in enumerate(readiness().items)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [*answers("base", 2), *answers("sft", 5), *answers("dpo", 6)]


@pytest.fixture(scope="module")
def report(tiny: Loaded, results: list[Result], tmp_path_factory: pytest.TempPathFactory) -> Report:
    gate = tmp_path_factory.mktemp("gate") / "gate.json"
    gate.write_text(json.dumps(GATE))
    names = ("base", "sft", "dpo")
    return build(
        results,
        Inputs(
            suite=readiness(), subjects=names, forms=("formatted",), plan=Plan(resamples=300),
            sources=dict.fromkeys(names, tiny.provenance), settings={"suite": "readiness"}, threshold=0.5,
            show=1, gate_file=gate, notice=Path("notice.md"),
        ),
    )  # fmt: skip


def test_html_needs_no_other_file(report: Report, results: list[Result]) -> None:
    text = as_html(report, results)
    for reference in re.findall(r"""(?:\bsrc|\bhref|url)\s*[=(]\s*["']?([^"')\s>]+)""", text):
        assert reference.startswith("#") or reference.endswith(("notice.md", "gate.json")), (
            reference
        )
    # Only the lengths are a picture; all else is drawn by the page, readable at every width.
    assert text.count("<svg") == 1
    assert text.count('class="track"') > 20
    assert "<script" not in text
    assert "@import" not in text


def test_html_is_well_formed_and_says_what_matters(report: Report, results: list[Result]) -> None:
    text = as_html(report, results)
    parser = _Balanced()
    parser.feed(text)
    assert parser.open == []
    for said in (
        "sft is better than base", "With 249 items in 167 clusters only a difference from",
        "Go: dpo", "Session gate", "all 3 files compile", "Methodology Change Notice", "Overlap with training data: not checked",
        "clusters", "MDE", "checks of the load", "McNemar",
    ):  # fmt: skip
        assert said in text
    assert "&lt;script&gt;alert(1)" in text


def test_the_same_report_gives_the_same_html(report: Report, results: list[Result]) -> None:
    assert as_html(report, results) == as_html(report, results)


SECRET = "hf" + "_" + "aBcDeFgHiJ" * 3
NAMES = (
    "\x1b]0;x", "\ud800", "$\\frac{", "_x_", "a\n::error::x", "##[error]x", "\u202ex",
    '"><script>alert(1)</script>', "]]></svg>--><!--", "{{7*7}}", "x](y)", SECRET,
)  # fmt: skip


def test_names_and_links_are_text_in_every_page(tiny: Loaded) -> None:
    name = " ".join(NAMES)
    suite = readiness()
    items = tuple(replace(one, slice=f"{one.slice} {name}") for one in suite.items)
    names = (f"_base {name}", f"_sft {name}")
    results = [
        replace(one, slice=f"{one.slice} {name}", text=name)
        for at, subject in enumerate(names)
        for one in answers(subject, 2 + at)
    ]
    report = build(
        results,
        Inputs(
            suite=replace(suite, name=name, items=items), subjects=names, forms=("formatted",),
            plan=Plan(resamples=50), sources=dict.fromkeys(names, tiny.provenance),
            settings={name: name}, threshold=0.5, show=1, notice=Path(f"javascript:{name}"),
        ),
    )  # fmt: skip
    html, text = as_html(report, results), hidden_by_line(as_markdown(report))
    for page in (html, text, as_json(report)):
        assert not [c for c in page if not c.isprintable() and c != "\n"]
        assert not [line for line in page.split("\n") if is_command(line)]
        assert SECRET not in page
        assert "{{7*7}}" in page
    assert "<script>alert" not in html
    assert 'href="javascript:' not in html
    assert "](javascript:" not in text


def test_json_is_strict_and_complete(report: Report) -> None:
    found = json.loads(as_json(report), parse_constant=lambda name: pytest.fail(name))
    assert found["schema"] == "cleanguard-evaluation/1"
    assert len(found["primary"]) == len(found["secondary"]) == 3
    assert len(found["by_slice"]) == 15
    assert found["sources"]["dpo"]["model"]["files"]
    assert found["gate"]["passed"] is True


def test_markdown_keeps_its_tables(report: Report) -> None:
    text = as_markdown(report)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(columns) == 1
    assert "sft is better than base" in text
    assert "[Methodology Change Notice](notice.md)" in text


def test_sentinels_pass_the_gate_from_above(report: Report, tiny: Loaded) -> None:
    suite = replace(readiness(), meaning="contaminated")
    inputs = Inputs(
        suite=suite, subjects=("base",), forms=("formatted",), plan=Plan(resamples=300),
        sources={"base": tiny.provenance}, settings={}, threshold=0.2,
    )  # fmt: skip
    assert build(answers("base", 2), inputs).gate.passed is False  # type: ignore[union-attr]
    failing = [replace(one, strict=False) for one in answers("base", 2)]
    assert build(failing, inputs).gate.passed is True  # type: ignore[union-attr]


class _Balanced(HTMLParser):
    """Keeps the elements that are open; void ones aside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "br", "link", "use", "path", "hr", "img", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"use", "path"}:
            assert self.open.pop() == tag
