"""Checks files of results: every record traces to a clean load, digests match, nothing was edited.

Needs neither torch nor a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cleanguard import hazards
from guard.canonical import digest, parse
from guard.redaction import redact_value
from guard.statement import (
    RECORDS_TYPE,
    Statement,
    StatementError,
    load_digest,
    read_statement,
)

Kind = Literal[
    "no-statement", "broken-statement", "edited-file", "edited-statement", "unsealed", "unreadable-record",
    "no-provenance", "edited-record", "missing-record", "unknown-load", "overridden-check", "lifted-guard",
    "doubled-key", "secret", "unsigned",
]  # fmt: skip
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]
_CODE = hazards.DROPPED_PROVENANCE.code


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, or one record of it, cannot be relied on.

    Attributes:
        kind: What is wrong, in kebab-case.
        reason: In words.
        line: The record's line, from 1; None where it is about the whole file.
        key: The record's key.
        code: The hazard that it bears on.
    """

    kind: Kind
    reason: str
    line: int | None = None
    key: str | None = None
    code: str = _CODE


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about one file.

    Attributes:
        path: The file.
        records: How many records it has; None if it is no file of records.
        runs: How many runs wrote it.
        models: The model ids of its loads.
        problems: Why it cannot be relied on; empty if it can.
        notes: What is worth knowing and no fault.
    """

    path: str
    records: int | None
    runs: int
    models: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


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
    with path.open("rb"):
        pass
    try:
        statement = read_statement(path)
    except FileNotFoundError:
        said = f"there is no {path.name}.intoto.json beside it, so nothing says where it came from"
        return Verdict(str(path), None, 0, (), (Problem("no-statement", said),))
    except (StatementError, OSError) as error:
        return Verdict(str(path), None, 0, (), (Problem("broken-statement", str(error)),))
    problems = [*_check_file(path, statement), *_check_loads(statement)]
    if public_key is not None:
        from guard.signing import signature_fault

        fault = signature_fault(path, public_key)
        problems += [] if fault is None else [Problem("unsigned", fault)]
    records = None
    if statement.kind == RECORDS_TYPE:
        records, found = _check_records(path, statement)
        problems += found
    return Verdict(
        path=str(path),
        records=records,
        runs=len(statement.runs),
        models=tuple(sorted({str(load.get("model_id")) for load in statement.loads.values()})),
        problems=tuple(problems),
        notes=tuple(_notes(statement)),
    )


def _check_file(path: Path, statement: Statement) -> Iterator[Problem]:
    """Whether the file is, byte for byte, what the statement speaks of."""
    total, left = hashlib.sha256(), statement.size
    with path.open("rb") as file:
        while left and (piece := file.read(min(1 << 20, left))):
            total.update(piece)
            left -= len(piece)
        rest = bool(file.read(1))
    if left:
        yield Problem("edited-file", f"it is {left} bytes shorter than its statement says")
    elif total.hexdigest() != statement.sha256:
        yield Problem("edited-file", "its sha256 is not the one in its statement")
    elif rest:
        yield Problem(
            "unsealed",
            "what follows its first "
            f"{statement.size} bytes is not covered by the statement: the run was killed, or lines "
            "were added by hand; run it again, it resumes and seals the file",
        )


def _check_loads(statement: Statement) -> Iterator[Problem]:
    """Whether each load is the one that its digest names, and was clean."""
    for named, load in statement.loads.items():
        model = load.get("model_id")
        if load_digest(load) != named:
            yield Problem("edited-statement", f"the provenance of {model} was edited")
        for name in load.get("overrides", ()):
            said = f"{model} was loaded with {name}=True"
            yield Problem("overridden-check", said, code=_override_code(load, str(name)))
    if redact_value(statement.predicate, by_name=False) != statement.predicate:
        yield Problem("secret", "the statement holds a secret: change the secret, then remove it")


def _override_code(load: Mapping[str, Any], name: str) -> str:
    about = {
        "allow_adapter": "no-adapter",
        "allow_chat_model": "base-model",
        "allow_pickle": "safetensors-only",
    }
    for check in load.get("checks", ()):
        if check.get("name") == about.get(name) and check.get("code"):
            return str(check["code"])
    return hazards.REMOTE_CODE.code if name == "trust_remote_code" else _CODE


def _check_records(path: Path, statement: Statement) -> tuple[int, list[Problem]]:
    """Whether each record is as it was written, in its place, and traces to a load."""
    problems: list[Problem] = []
    runs = {run["id"]: run for run in statement.runs}
    keys: dict[str, int] = {}
    before: str | None = None
    number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = parse(line)
                if not isinstance(record, dict):
                    raise ValueError("it is no object")
            except (ValueError, RecursionError) as error:
                problems.append(Problem("unreadable-record", f"it is not JSON: {error}", number))
                before = None
                continue
            found, before = _check_record(record, number, before, runs, statement)
            key = record.get("key")
            if isinstance(key, str) and keys.setdefault(key, number) != number:
                said = f"its key stands in line {keys[key]} already"
                found.append(Problem("doubled-key", said, number, key))
            problems += found
    return number, problems


def _check_record(
    record: dict[str, Any],
    line: int,
    before: str | None,
    runs: Mapping[str, Any],
    statement: Statement,
) -> tuple[list[Problem], str | None]:
    """Problems of one record, and its digest for the next one."""
    key = record.get("key")
    key = key if isinstance(key, str) else None
    about = record.get("provenance")
    try:
        mine, prev, run, loads = (about[name] for name in ("sha256", "prev", "run", "loads"))  # type: ignore[index]
        used = {str(role): load["load"] for role, load in loads.items()}
        lifted = sum(int(load.get("lifted", 0)) for load in loads.values())
    except (TypeError, KeyError, AttributeError, ValueError):
        return [Problem("no-provenance", "it carries no provenance", line, key)], None
    found: list[Problem] = []
    sealed = {name: value for name, value in about.items() if name != "sha256"}  # type: ignore[union-attr]
    if digest({**record, "provenance": sealed}) != mine:
        said = "its content is not what its own digest says: it was edited"
        found.append(Problem("edited-record", said, line, key))
    if prev != before and (line > 1 or prev is not None):
        said = "it was written after another record than the one before it: records were removed, moved or edited"
        found.append(Problem("missing-record", said, line, key))
    if run not in runs:
        found.append(Problem("unknown-load", f"its run {run} is not in the statement", line, key))
    for role, load in used.items():
        if load not in statement.loads:
            said = f"its load ({role}) is not in the statement"
            found.append(Problem("unknown-load", said, line, key))
    if not used:
        found.append(Problem("unknown-load", "it names no load", line, key))
    if lifted:
        said = f"it was written after the guard was lifted{_reasons(runs.get(run))}"
        found.append(Problem("lifted-guard", said, line, key))
    return found, mine


def _reasons(run: Mapping[str, Any] | None) -> str:
    events = [event for role in (run or {}).get("events", {}).values() for event in role]
    reasons = [
        str(event["detail"].get("reason")) for event in events if event["kind"] == "unguarded"
    ]
    return f" ({'; '.join(reasons)})" if reasons else ""


def _notes(statement: Statement) -> Iterator[str]:
    for at, run in enumerate(statement.runs, start=1):
        if run.get("outcome") not in (None, "complete"):
            yield f"run {at} of {len(statement.runs)} ended early: {run['outcome']}"
        if run.get("repaired_bytes"):
            yield f"run {at} cut off an unfinished last line of {run['repaired_bytes']} bytes"
    for load in statement.loads.values():
        for check in load.get("checks", ()):
            if check.get("verdict") == "recorded":
                yield f"{load.get('model_id')}: {check['name']}: {check['detail']}"
