"""Statements beside what lm_eval writes, so that `cleanguard verify` can check it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cleanguard.errors import JobError
from guard.records.attestation import attest
from guard.records.statement import statement_path
from guard.records.writer import JsonlWriter

if TYPE_CHECKING:
    from stages.harnesses.lm_eval_model import GuardedLM


def seal_results(path: Path, lm: GuardedLM) -> None:
    """Write the statement beside a file of results.

    Args:
        path: `results_….json`, as lm_eval wrote it.
        lm: What it was made with.

    Raises:
        OSError: It cannot be read, or the statement not be written.
    """
    attest(path, lm.model, params=lm.settings())


def seal_samples(path: Path, lm: GuardedLM) -> None:
    """Give every sample of a file its provenance, and write the statement beside it.

    Args:
        path: `samples_….jsonl`, as lm_eval wrote it; each line gains `key` and `provenance`.
        lm: What it was made with.

    Raises:
        JobError: A line is no sample.
        RecordsError, OSError: It cannot be written.
    """
    with TemporaryDirectory(dir=path.parent, prefix=".sealing-") as folder:
        sealed = Path(folder) / path.name
        with (
            path.open(encoding="utf-8") as lines,
            JsonlWriter(sealed, lm.model, params={**lm.settings(), "task": task_of(path)}) as out,
        ):
            for number, line in enumerate(lines, start=1):
                sample = json.loads(line)
                if not isinstance(sample, dict) or "doc_id" not in sample:
                    raise JobError(f"{path}:{number}: no sample of lm_eval")
                out.write(f"{sample['doc_id']}/{sample.get('filter', 'none')}", _finite(sample))
        statement_path(sealed).replace(statement_path(path))
        sealed.replace(path)


def task_of(path: Path) -> str:
    """The task that lm_eval names in a file of samples, `samples_TASK_DATE.jsonl`."""
    return path.stem.removeprefix("samples_").rpartition("_")[0]


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity, which some metrics are: they become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {name: _finite(member) for name, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list) else value
