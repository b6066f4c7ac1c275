"""Checks files of results: every record traces to a clean load, digests match, nothing was edited.

Needs neither torch nor a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cleanguard.editing.read import regular
from guard.base.canonical import digest, parse
from guard.records.judging import (
    changed_adapter,
    file_problems,
    lift_reasons,
    notes_of,
    statement_problems,
    unknown_adapter,
)
from guard.records.statement import (
    RECORDS_TYPE,
    Statement,
    StatementError,
    adapters_in,
    read_statement,
)
from guard.records.verdicts import KINDS, Problem, Verdict

__all__ = ["KINDS", "Problem", "Verdict", "verify_file"]


def verify_file(path: Path, public_key: Path | None = None) -> Verdict:
    """Check one file against its records' own digests and the statement beside it.

    Args:
        path: The file.
        public_key: A PEM file; the statement must be signed by it then.

    Raises:
        OSError: The file itself cannot be read.
        SigningError: The key cannot be used.
        MissingExtraError: A key was given, and cryptography is not installed.
    """
    with regular(path).open("rb"):
        pass
    try:
        statement = read_statement(path)
    except FileNotFoundError:
        said = f"there is no {path.name}.intoto.json beside it, so nothing says where it came from"
        return Verdict(str(path), None, 0, (), (Problem("no-statement", said),))
    except (StatementError, OSError) as error:
        return Verdict(str(path), None, 0, (), (Problem("broken-statement", str(error)),))
    try:
        return _judge(path, statement, public_key)
    except RecursionError:
        said = f"{path.name}.intoto.json is nested too deep"
        return Verdict(str(path), None, 0, (), (Problem("broken-statement", said),))


def _judge(path: Path, statement: Statement, public_key: Path | None) -> Verdict:
    problems = list(file_problems(path, statement))
    sealed = all(problem.kind != "edited-file" for problem in problems)
    problems += statement_problems(path, statement)
    if public_key is not None:
        from guard.records.signing import signature_fault

        fault = signature_fault(path, public_key)
        problems += [] if fault is None else [Problem("unsigned", fault)]
    records = None
    if statement.kind == RECORDS_TYPE:
        chain = _Chain(statement)
        problems += chain.follow(path)
        problems += chain.ends() if sealed else []
        records = chain.number
    return Verdict(
        path=str(path),
        records=records,
        runs=len(statement.runs),
        models=tuple(sorted({str(load.get("model_id")) for load in statement.loads.values()})),
        problems=tuple(problems),
        notes=tuple(notes_of(statement)),
    )


class _Chain:
    """The records of a file, one after the other.

    Attributes:
        number: How many lines there are.
    """

    def __init__(self, statement: Statement) -> None:
        self.number = 0
        self._statement = statement
        self._runs: Mapping[str, Any] = {run["id"]: run for run in statement.runs}
        self._keys: dict[str, int] = {}
        self._before: str | None = None
        self._covered: tuple[int, str | None] = (0, None)
        self._by_run: Counter[str] = Counter()

    def follow(self, path: Path) -> Iterator[Problem]:
        """Whether each record is as it was written, in its place, and traces to a load."""
        at = 0
        with path.open("rb") as file:
            for self.number, line in enumerate(file, start=1):
                at += len(line)
                yield from self._line(line, covered=at <= self._statement.size)
                if at <= self._statement.size:
                    self._covered = self.number, self._before

    def ends(self) -> Iterator[Problem]:
        """Whether the records that the statement covers are those that it counts."""
        said = self._statement.predicate
        count, last = self._covered
        if said["records"] != count:
            counted = f"it says {said['records']} records, and covers {count}"
            yield Problem("edited-statement", counted)
        elif said["last"] != last:
            yield Problem("edited-statement", "it names another record as its last one")
        for at, run in enumerate(self._statement.runs, start=1):
            wrote = self._by_run[run["id"]]
            if run.get("records", wrote) != wrote:
                counted = (
                    f"it says that run {at} wrote {run['records']} records, and {wrote} name it"
                )
                yield Problem("edited-statement", counted)

    def _line(self, line: bytes, *, covered: bool) -> Iterator[Problem]:
        try:
            record = parse(line)
            if not isinstance(record, dict):
                raise ValueError("it is no object")
            found, self._before = self._record(record)
        except (ValueError, RecursionError) as error:
            yield Problem("unreadable-record", f"it is not JSON: {error}", self.number)
            self._before = None
            return
        yield from found
        about = record.get("provenance")
        if covered and isinstance(about, dict):
            self._by_run[str(about.get("run"))] += 1
        key = record.get("key")
        if isinstance(key, str) and self._keys.setdefault(key, self.number) != self.number:
            said = f"its key stands in line {self._keys[key]} already"
            yield Problem("doubled-key", said, self.number, key)

    def _record(self, record: dict[str, Any]) -> tuple[list[Problem], str | None]:
        """Problems of one record, and its digest for the next one."""
        key = record.get("key")
        key = key if isinstance(key, str) else None
        line, about = self.number, record.get("provenance")
        try:
            mine, prev, run, loads = (about[name] for name in ("sha256", "prev", "run", "loads"))  # type: ignore[index]
            used = {str(role): load["load"] for role, load in loads.items()}
            if not all(isinstance(name, str) for name in (run, *used.values())):
                raise TypeError("a digest is a text")
            adapters = {str(role): dict(load.get("adapters") or {}) for role, load in loads.items()}
            lifted = sum(int(load.get("lifted", 0)) for load in loads.values())
        except (TypeError, KeyError, AttributeError, ValueError):
            return [Problem("no-provenance", "it carries no provenance", line, key)], None
        found: list[Problem] = []
        sealed = {name: value for name, value in about.items() if name != "sha256"}  # type: ignore[union-attr]
        if digest({**record, "provenance": sealed}) != mine:
            said = "its content is not what its own digest says: it was edited"
            found.append(Problem("edited-record", said, line, key))
        if prev != self._before and (line > 1 or prev is not None):
            said = "it was written after another record than the one before it: records were removed, moved or edited"
            found.append(Problem("missing-record", said, line, key))
        untraced = self._untraced(run, used, adapters)
        found += [Problem("unknown-load", said, line, key) for said in untraced]
        if lifted:
            reasons = lift_reasons(self._runs.get(run)) or ""
            said = f"it was written after the guard was lifted{reasons}"
            found.append(Problem("lifted-guard", said, line, key))
        return found, mine

    def _untraced(
        self, run: str, used: Mapping[str, str], adapters: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[str]:
        """What a record was made with that nothing is known of, in words."""
        loads = self._statement.loads
        if run not in self._runs:
            yield f"its run {run} is not in the statement"
        if not used:
            yield "it names no load"
        for role, load in used.items():
            if load not in loads:
                yield f"its load ({role}) is not in the statement"
            known = adapters_in(loads.get(load, {}))
            for name, said in adapters[role].items():
                if said is None and known.get(name) is None:
                    yield unknown_adapter(name)
                elif (known.get(name) or {}).get("changed"):
                    yield changed_adapter(name)
