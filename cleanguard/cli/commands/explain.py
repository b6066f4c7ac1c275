"""`cleanguard explain`: say what a hazard is, why it matters and what to do."""

from __future__ import annotations

import json
import sys
from itertools import groupby

import click

from cleanguard.catalogue.explain import (
    FIXES,
    GROUPS,
    Page,
    as_markdown,
    as_object,
    find,
    reporters,
)
from cleanguard.catalogue.hazards import CATALOGUE, Hazard
from cleanguard.report.spoken import put
from cleanguard.report.styled import Line, Span, width_of, wrapped, write

_COLOUR = {"error": "bold red", "warning": "bold yellow"}
_WIDTH = 80


@click.command("explain")
@click.argument("hazard", required=False, metavar="[CODE|NAME]")
@click.option(
    "--output-format",
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
def command(hazard: str | None, output_format: str) -> None:
    """Say what a hazard is, why it matters and what to do; list them all without an argument."""
    if hazard is None:
        _catalogue(output_format)
        return
    page = _page(find(hazard))
    if output_format == "json":
        _write_json(as_object(page))
    elif output_format == "markdown":
        put(as_markdown(page))
    else:
        write(_text(page), sys.stdout)


def _catalogue(output_format: str) -> None:
    if output_format == "text":
        write(_table(), sys.stdout)
        return
    pages = [_page(hazard) for hazard in CATALOGUE]
    if output_format == "json":
        _write_json([as_object(page) for page in pages])
    else:
        put("\n".join(as_markdown(page) for page in pages))


def _page(hazard: Hazard) -> Page:
    from lint_rules.registry import RULES

    rule = next((rule for rule in RULES if rule.hazard is hazard), None)
    return Page(hazard, rule.bad, rule.good) if rule else Page(hazard)


def _write_json(value: object) -> None:
    put(json.dumps(value, indent=2) + "\n")


def _table() -> list[Line]:
    lines: list[Line] = []
    for prefix, hazards in groupby(CATALOGUE, key=lambda hazard: hazard.code[:3]):
        lines += [[], [Span(GROUPS[prefix], "bold")]]
        for hazard in hazards:
            where = ", ".join(
                [
                    *(
                        ["check" if hazard.default else "check if selected"]
                        if hazard.linted
                        else []
                    ),
                    *(["guard"] if hazard.guarded else []),
                    *(["migrate"] if hazard.fix == "migrate" else []),
                    *(["fix"] if hazard.fix in ("safe", "unsafe") else []),
                ]
            )
            lines.append(
                [
                    Span(f"  {hazard.code}  ", "bold"),
                    Span(f"{hazard.name:<27}"),
                    Span(f"{hazard.severity:<9}", _COLOUR[hazard.severity]),
                    Span(where or "not yet", "" if where else "dim"),
                ]
            )
    return [*lines[1:], [], [Span("`cleanguard explain CODE` says why and shows examples.")]]


def _text(page: Page) -> list[Line]:
    hazard, width = page.hazard, min(width_of(sys.stdout) or _WIDTH, 100)
    lines: list[Line] = [
        [
            Span(f"{hazard.code} {hazard.name}", "bold"),
            Span(f"  {hazard.severity}", _COLOUR[hazard.severity]),
        ],
        [],
    ]
    for label, text in (
        ("What", hazard.summary),
        ("Why", hazard.why),
        ("Remedy", hazard.remedy),
        ("Reported by", reporters(hazard)),
        ("Rewritten by", "nothing: by hand" if hazard.fix == "none" else FIXES[hazard.fix]),
    ):
        lines += wrapped([Span(f"{label:<14}", "cyan")], text, width)
    for title, examples, colour in (("Bad", page.bad, "red"), ("Good", page.good, "green")):
        for example in examples:
            lines += [[], [Span(f"{title}:", f"bold {colour}")]]
            lines += [[Span(f"    {row}")] for row in example.strip("\n").split("\n")]
    return lines
