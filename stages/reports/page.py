"""Renders a template to one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from cleanguard.report.escaping import unmarked_html, visible
from cleanguard.report.hidden import as_link
from cleanguard.secrets.redaction import known_secrets, redact_formats, redact_value
from stages.reports._libraries import jinja2

_SHARED = "stages.reports"


def _shown(secrets: Sequence[str], value: Any) -> Any:
    """Text without secrets, what cannot be seen spelt out; the escaping of markup comes after it."""
    value = str(value) if isinstance(value, Path) else value
    return visible(redact_formats(value, secrets)) if type(value) is str else value


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
        finalize=partial(_shown, known_secrets()),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["href"] = as_link
    hidden = redact_value(report.settings, by_name=False)
    settings = json.dumps(hidden, indent=2, ensure_ascii=False)
    text = environment.get_template(template).render(report=report, settings=settings, **values)
    return unmarked_html(text)
