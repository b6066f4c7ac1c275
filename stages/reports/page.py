"""Renders a template to one HTML file that needs nothing else."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from cleanguard.report.escaping import visible
from stages.reports._libraries import jinja2

_SHARED = "stages.reports"


def _visible(value: Any) -> Any:
    """Text with what cannot be seen spelt out; the escaping of markup comes after it."""
    return visible(value) if type(value) is str else value


def page(package: str, template: str, report: Any, **values: Any) -> str:
    """A page; templates find each other in their own package and in this one.

    Args:
        package: Where the template lies.
        template: Its file name.
        report: What it shows; its `settings` are put in as JSON.
        values: What else the template names.
    """

    def source(name: str) -> str | None:
        for place in (package, _SHARED):
            file = resources.files(place) / name
            if file.is_file():
                return file.read_text(encoding="utf-8")
        return None

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    settings = json.dumps(report.settings, indent=2, ensure_ascii=False)
    return str(
        environment.get_template(template).render(report=report, settings=settings, **values)
    )
