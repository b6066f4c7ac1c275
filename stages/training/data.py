"""Training data as a stage reads it: traced to a load, without placeholders, split by group."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from guard.records.verification import verify_file
from stages.generate.answers import is_placeholder
from stages.jsonl import read_lines
from stages.training.errors import DroppedProvenanceError


def read_traced(path: Path, expected: dict[str, type], *, answers: Sequence[str]) -> list[dict[str, Any]]:  # fmt: skip
    """The records of a file whose every record traces to a load.

    Args:
        path: Written by a stage, its statement beside it.
        expected: Fields that every record must have.
        answers: The fields that hold answers; a placeholder in one is refused.

    Raises:
        DroppedProvenanceError: There is no statement, or the file or a record differs from it.
        JobError: It cannot be read, or a record lacks a field or holds a placeholder.
    """
    if not path.exists():
        raise JobError(
            f"{path}: there is no such file; run the stage that makes it, or name another"
        )
    try:
        verdict = verify_file(path)
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    if not verdict.ok:
        first = verdict.problems[0]
        where = f"{path}:{first.line}" if first.line else str(path)
        raise DroppedProvenanceError(
            f"{where}: {first.reason}",
            evidence={"problems": len(verdict.problems), "kind": first.kind},
            remedy="data of your own goes through `cleanguard run generate --source file` first",
        )
    records = read_lines(path, {"group": str, **expected})
    for number, record in enumerate(records, 1):
        for name in answers:
            if record.get("origin") == "placeholder" or is_placeholder(record[name]):
                raise JobError(
                    f"{path}:{number}: {name} is a placeholder ({record[name].strip()!r}); "
                    "placeholders are never trained on"
                )
    return records


def split_by_group(
    records: Sequence[dict[str, Any]], share: float, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training and held-out records; all records of a group go to the same side.

    Args:
        records: Each with a `group`.
        share: Of the groups, to be held out; at least one unless it is 0.
        seed: Decides which.

    Raises:
        JobError: There are too few groups to hold one out.
    """
    groups = {record["group"] for record in records}
    if not share:
        return list(records), []
    if len(groups) < 2:
        raise JobError("holdout.eval_share: all rows are of one group, so none can be held out")
    ranked = sorted(groups, key=lambda group: hashlib.sha256(f"{seed}|{group}".encode()).digest())
    held = set(ranked[: max(1, round(share * len(groups)))])
    train = [record for record in records if record["group"] not in held]
    return train, [record for record in records if record["group"] in held]
