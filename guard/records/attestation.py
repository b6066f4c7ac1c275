"""Writes the statement for a finished file that is no file of records: a report, a plot, a table."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.secrets.redaction import redact_value
from guard.provenance.digests import sha256_of
from guard.provenance.record import Provenance, utc_now
from guard.records.sources import sources_of
from guard.records.statement import (
    FILE_TYPE,
    Statement,
    params_digest,
    statement_path,
    write_statement,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def attest(
    path: str | PathLike[str],
    sources: Provenance | PreTrainedModel | Mapping[str, Provenance | PreTrainedModel],
    *,
    params: Mapping[str, Any] | None = None,
) -> Path:
    """Write beside a file which loads it was made with, and its sha256.

    Args:
        path: The finished file.
        sources: As in `JsonlWriter`.
        params: Settings that it was made with, in JSON types; secrets in them are hidden.

    Returns:
        Where the statement lies. `cleanguard verify` compares the file with it.

    Raises:
        OSError: The file cannot be read, or the statement not be written.
        UnguardedModelError: A model was not loaded by CleanModelLoader.
    """
    file = Path(fspath(path))
    found = sources_of(sources)
    now = utc_now()
    settings = redact_value(dict(params or {}))
    run = {
        "id": secrets.token_hex(8),
        "started": now,
        "ended": now,
        "outcome": "complete",
        "params": settings,
        "params_sha256": params_digest(settings),
        "loads": {role: source.digest() for role, source in found.items()},
        "events": redact_value({r: s.events() for r, s in found.items()}, by_name=False),
    }
    predicate = {
        "schema": "cleanguard-file/1",
        "bytes": file.stat().st_size,
        "runs": [run],
        "loads": {named: load for source in found.values() for named, load in source.loads.items()},
    }
    write_statement(file, Statement(file.name, sha256_of(file), FILE_TYPE, predicate))
    return statement_path(file)
