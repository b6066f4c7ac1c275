"""The report as JSON: every number, unrounded, with the provenance of every model."""

from __future__ import annotations

from dataclasses import asdict, fields
from math import isfinite
from pathlib import Path
from typing import Any

from cleanguard.report.hidden import as_document
from guard.provenance.record import Provenance
from stages.reports.model import SCHEMA


def as_json(report: Any, schema: str = SCHEMA) -> str:
    """A whole report, which is a dataclass, as JSON text under the name of its schema."""
    plain: dict[str, Any] = {"schema": schema}
    for field in fields(report):
        value = getattr(report, field.name)
        plain[field.name] = _plain(value)
    return as_document(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Provenance):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    return value
