"""Puts the records that several processes wrote into one file, in an order that all agree on.

Every record keeps the run and the loads that made it; only its place in the chain is new.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from guard.base.canonical import digest, one_line, parse
from guard.errors import RecordsError
from guard.records.journal import Journal
from guard.records.resume import Found, recover, statement_of
from guard.records.statement import (
    RECORDS_TYPE,
    Statement,
    StatementError,
    read_statement,
    statement_path,
    sync_folder,
    write_statement,
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of records, held open: what it holds, and where each key's line begins."""

    journal: Journal
    found: Found
    places: dict[str, int]


def merge_records(target: Path, parts: Sequence[Path], order: Sequence[str]) -> tuple[str, ...]:
    """Make one file of a file and its parts, and remove the parts.

    A merge that was killed is finished by the next one: the file is replaced in one step, and a
    record that stands in several of the files counts once.

    Args:
        target: The file; it need not be there.
        parts: Files that JsonlWriter wrote with the same params; those that are not there, or hold
            nothing, are passed over.
        order: The keys as they are to stand; records with other keys come behind.

    Returns:
        The keys of the file's records, as they stand now.

    Raises:
        RecordsError: A file was edited, or written with other params.
        RecordsBusyError: A process is still writing one of them.
    """
    _finish(target)
    with ExitStack() as stack:
        held = [part for path in (target, *parts) if (part := _open(path, stack)) is not None]
        _refuse_other_params(held)
        keys = [key for part in held for key in part.places]
        ranks = {key: rank for rank, key in enumerate(order)}
        wanted = sorted(dict.fromkeys(keys), key=lambda key: ranks.get(key, len(ranks)))
        there = held and held[0].journal.path == target
        if held and not (there and list(held[0].places) == wanted):
            _write(target, held, wanted)
            _finish(target)
    for path in parts:
        path.unlink(missing_ok=True)
        statement_path(path).unlink(missing_ok=True)
    return tuple(wanted)


def _open(path: Path, stack: ExitStack) -> _Part | None:
    if not path.exists():
        return None
    journal = Journal(path)
    stack.callback(journal.close)
    if not journal.size:
        return None
    found = recover(journal, statement_of(journal))
    places = {str(parse(line)["key"]): at for at, line in journal.lines()}
    return _Part(journal, found, places)


def _refuse_other_params(held: Sequence[_Part]) -> None:
    params = {digest(part.found.runs[-1]["params"]): part.journal.path for part in held}
    if len(params) > 1:
        one, other = list(params.values())[:2]
        raise RecordsError(
            f"{one} and {other} were written with different params",
            remedy="remove the one that does not belong there, with the statement beside it",
        )


def _write(target: Path, held: Sequence[_Part], wanted: Sequence[str]) -> None:
    """Write the merged file and its statement beside the target, under names of their own."""
    scratch = _scratch(target)
    total, size, mark = sha256(), 0, None
    wrote: Counter[str] = Counter()
    with scratch.open("wb") as file:
        for record in _records(held, wanted):
            wrote[record["provenance"]["run"]] += 1
            record["provenance"]["prev"] = mark
            record["provenance"].pop("sha256")
            mark = record["provenance"]["sha256"] = digest(record)
            line = one_line(record)
            file.write(line)
            total.update(line)
            size += len(line)
        file.flush()
        os.fsync(file.fileno())
    runs = {run["id"]: run for part in held for run in part.found.runs}
    for name, run in runs.items():
        run["records"] = wrote[name]  # a record that stood in two files counts once
    predicate = {
        "schema": "cleanguard-records/1",
        "bytes": size,
        "records": len(wanted),
        "last": mark,
        "runs": list(runs.values()),
        "loads": {name: load for part in held for name, load in part.found.loads.items()},
    }
    write_statement(scratch, Statement(target.name, total.hexdigest(), RECORDS_TYPE, predicate))


def _records(held: Sequence[_Part], wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        files = [stack.enter_context(part.journal.path.open("rb")) for part in held]
        for key in wanted:
            at, part = next((at, part) for at, part in enumerate(held) if key in part.places)
            files[at].seek(part.places[key])
            yield parse(files[at].readline())


def _finish(target: Path) -> None:
    """Bring a merge that was written whole into its place; one that was not is forgotten."""
    scratch = _scratch(target)
    if scratch.exists():
        try:
            statement = read_statement(scratch)
        except (OSError, StatementError):
            statement = None
        if statement is not None and sha256(scratch.read_bytes()).hexdigest() == statement.sha256:
            write_statement(target, statement)
            scratch.replace(target)
            sync_folder(target.parent)
        else:
            scratch.unlink()
    statement_path(scratch).unlink(missing_ok=True)


def _scratch(target: Path) -> Path:
    return target.with_name(f".{target.name}.merged")
