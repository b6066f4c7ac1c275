"""Reads back a file of records that a run goes on with, and repairs its torn end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guard.base.canonical import digest, parse
from guard.errors import RecordsError
from guard.records.journal import Journal
from guard.records.sources import Source
from guard.records.statement import (
    RECORDS_TYPE,
    Statement,
    StatementError,
    identity,
    read_statement,
)

_EDITED = "run `cleanguard verify` on it, and write to a new file"


@dataclass(slots=True)
class Found:
    """What a file of records held when it was opened.

    Attributes:
        keys: The keys of its records; the writer adds to them.
        count: How many records there were.
        repaired: Bytes of an unfinished last line that were cut off.
        runs: The runs that wrote it.
        loads: The loads that they used, by digest.
    """

    keys: set[str] = field(default_factory=set)
    count: int = 0
    repaired: int = 0
    runs: list[dict[str, Any]] = field(default_factory=list)
    loads: dict[str, dict[str, Any]] = field(default_factory=dict)


def read_back(journal: Journal, sources: Mapping[str, Source], params: Mapping[str, Any]) -> Found:
    """Read a journal's file, cut off a torn end, and compare its statement with this run.

    Raises:
        RecordsError: It has no statement, was edited since, or was written with other loads or
            other params.
    """
    if not journal.size:
        return Found()
    statement = statement_of(journal)
    _compare(journal, statement, sources, params)
    return recover(journal, statement)


def recover(journal: Journal, statement: Statement) -> Found:
    """Read a journal's records and cut off a torn end.

    Raises:
        RecordsError: The file is not what its statement says.
    """
    found = Found(loads=dict(statement.loads), runs=[dict(run) for run in statement.runs])
    end, mark, per_run = _scan(journal, found)
    if end < statement.size or journal.sha256_of_first(statement.size) != statement.sha256:
        raise RecordsError(
            f"{journal.path} is not what its statement says: it was edited since it was written",
            remedy=_EDITED,
        )
    found.repaired = journal.size - end
    journal.adopt(end, found.count, mark)
    for run in found.runs:
        run["records"] = per_run.get(run["id"], 0)
        if run["outcome"] == "open":
            run["outcome"] = "killed"
    return found


def statement_of(journal: Journal) -> Statement:
    """The statement beside a journal's file; raises RecordsError if there is none of records."""
    try:
        statement = read_statement(journal.path)
    except FileNotFoundError:
        raise RecordsError(
            f"{journal.path} holds something and has no statement beside it",
            remedy="only a file that JsonlWriter wrote can be resumed; name another file",
        ) from None
    except StatementError as error:
        raise RecordsError(str(error), remedy=_EDITED) from error
    if statement.kind != RECORDS_TYPE:
        raise RecordsError(f"{journal.path} is no file of records", remedy="name another file")
    return statement


def _compare(
    journal: Journal,
    statement: Statement,
    sources: Mapping[str, Source],
    params: Mapping[str, Any],
) -> None:
    """Refuse to mix records of different models or settings in one file."""
    if not statement.runs:
        return
    last = statement.runs[-1]
    if digest(last["params"]) != digest(params):
        names = sorted({*last["params"], *params})
        other = [name for name in names if last["params"].get(name) != params.get(name)]
        raise RecordsError(
            f"{journal.path} was written with other params: {', '.join(other)}",
            evidence={"differ": other},
            remedy="write to another file, or run with the same params",
        )
    for role, load in last["loads"].items():
        if role not in sources or load not in statement.loads:
            raise RecordsError(
                f"{journal.path} was written with a model in the role {role!r}",
                remedy="name the same roles, or write to another file",
            )
        before = _identity(journal, statement.loads[load])
        now = identity(sources[role].plain())
        other = sorted(name for name in now if now[name] != before[name])
        if other:
            raise RecordsError(
                f"{journal.path} was written with another model: {', '.join(other)} differ",
                evidence={"role": role, "differ": other},
                remedy="write to another file, or load the same model in the same way",
            )


def _identity(journal: Journal, load: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return identity(load)
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordsError(
            f"the statement of {journal.path} has a load that is misshapen ({error})",
            remedy=_EDITED,
        ) from error


def _scan(journal: Journal, found: Found) -> tuple[int, str | None, dict[str, int]]:
    """Where the last whole record ends, its digest, and the records of each run."""
    mark: str | None = None
    end, number, torn = 0, 0, 0
    per_run: dict[str, int] = {}
    for at, line in journal.lines():
        number += 1
        try:
            record: Any = parse(line) if line.endswith(b"\n") else None
            key, about = record["key"], record["provenance"]
            chained, mine, run = about["prev"] == mark, about["sha256"], about["run"]
            if not isinstance(key, str) or not isinstance(run, str):
                raise TypeError("a key and a run are texts")
        except (ValueError, TypeError, KeyError, RecursionError):
            torn = torn or number
            continue
        if torn or not chained or key in found.keys:
            raise RecordsError(
                f"{journal.path}, line {torn or number}, is damaged or does not follow the one "
                "before it",
                evidence={"line": torn or number},
                remedy=_EDITED,
            )
        found.keys.add(key)
        found.count += 1
        per_run[run] = per_run.get(run, 0) + 1
        end, mark = at + len(line), mine
    return end, mark, per_run
