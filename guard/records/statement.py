"""The in-toto statement beside a file of results: what the file is, and where it came from.

It is plain JSON, `NAME.intoto.json`: an in-toto Statement v1 whose subject is the file and whose
predicate holds the full provenance of every load that the file was made with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.editing.read import read_file
from guard.base.canonical import digest, parse
from guard.records.shapes import misshapen

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
RECORDS_TYPE = "urn:cleanguard:records:v1"
FILE_TYPE = "urn:cleanguard:file:v1"

# What decides a text, of all that a provenance says; a resumed run must agree on it.
_IDENTITY = ("quantization", "dtype", "for_training", "overrides")

_QUANTIZED = ("layers", "double", "compute_dtype")


class StatementError(ValueError):
    """A file that is no statement of ours, or one that contradicts itself."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as read from its file.

    Attributes:
        name: The name of the file that it speaks of.
        sha256: sha256 of that file's first `size` bytes, as hex.
        kind: The predicate type: records, or any other file.
        predicate: The rest, as JSON types.
    """

    name: str
    sha256: str
    kind: str
    predicate: dict[str, Any]

    @property
    def size(self) -> int:
        """How many bytes of the file it speaks for."""
        return int(self.predicate["bytes"])

    @property
    def loads(self) -> dict[str, dict[str, Any]]:
        """The provenance of each load, by its digest."""
        found: dict[str, dict[str, Any]] = self.predicate["loads"]
        return found

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The runs that wrote the file, in order."""
        found: list[dict[str, Any]] = self.predicate["runs"]
        return found

    def to_dict(self) -> dict[str, Any]:
        """The statement as in-toto has it."""
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": self.name, "digest": {"sha256": self.sha256}}],
            "predicateType": self.kind,
            "predicate": self.predicate,
        }


def statement_path(path: Path) -> Path:
    """Where the statement of a file lies."""
    return path.with_name(f"{path.name}.intoto.json")


def file_of(path: Path) -> Path:
    """The file that a statement lies beside, if this is a statement and the file is there; else itself.

    A pattern of a shell names both.
    """
    name = path.name.removesuffix(".intoto.json")
    file = path.with_name(name) if name and name != path.name else path
    return file if file.is_file() else path


def write_statement(path: Path, statement: Statement) -> None:
    """Write a statement beside its file in one step: a crash leaves the old one or the new one."""
    target = statement_path(path)
    scratch = target.with_name(f".{target.name}.new")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps(statement.to_dict(), indent=2, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    except BaseException:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def read_statement(path: Path) -> Statement:
    """Read the statement of a file.

    Raises:
        FileNotFoundError: There is none.
        StatementError: It is none of ours, or says less than a statement must.
    """
    where = statement_path(path)
    try:
        return parse_statement(parse(read_file(where)))
    except (ValueError, RecursionError) as error:
        raise StatementError(f"{where} is no statement: {error}") from error


def parse_statement(found: Any) -> Statement:
    """A statement from its JSON; raises StatementError."""
    try:
        [subject] = found["subject"]
        statement = Statement(
            subject["name"], subject["digest"]["sha256"], found["predicateType"], found["predicate"]
        )
        well_formed = (
            found["_type"] == STATEMENT_TYPE
            and set(found) == {"_type", "subject", "predicateType", "predicate"}
            and set(subject) == {"name", "digest"}
            and statement.kind in (RECORDS_TYPE, FILE_TYPE)
            and isinstance(statement.name, str)
            and isinstance(statement.sha256, str)
        )
        fault = misshapen(
            statement.predicate, "records" if statement.kind == RECORDS_TYPE else "file"
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StatementError(f"a part is missing or misshapen ({error})") from error
    if not well_formed:
        raise StatementError("it is of another type or version")
    if fault is not None:
        raise StatementError(f"a part is missing or misshapen ({fault})")
    return statement


def load_digest(load: Mapping[str, Any]) -> str:
    """What names a load: sha256 of its provenance as JSON, without the events since."""
    return digest(dict(load))


def params_digest(params: Mapping[str, Any]) -> str:
    """sha256 over a run's params, as they read once they were written as JSON."""
    return digest(json.loads(json.dumps(params, allow_nan=False)))


def identity(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the texts of a load: two loads that agree on it may write one file."""
    weights = provenance["model"]["weights"]
    return {
        **{name: provenance[name] for name in _IDENTITY},
        "quantized": {
            name: value
            for name, value in (provenance["model"].get("quantization") or {}).items()
            # Statements of earlier versions say no more than these three.
            if name in _QUANTIZED and value
        },
        "weights": weights["digest"] if weights else _hashes(provenance["model"]["files"]),
        "tokenizer": provenance["tokenizer"]["digest"],
        "bos": provenance["tokenizer"]["bos_prefix"],
        "generation": provenance["generation"]["effective"],
        "adapters": [
            _adapter_identity(adapter) if adapter else None
            for adapter in adapters_in(provenance).values()
        ],
    }


def adapters_in(provenance: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
    """The adapters that take part in what a load gives, by name.

    One that `attach_adapter` did not attach has no record, so nothing is known of it: None.
    """
    part = [*provenance.get("active_adapters", ()), *provenance.get("merged_adapters", ())]
    known = {adapter["name"]: adapter for adapter in provenance.get("adapters", ())}
    found = {name: adapter for name, adapter in known.items() if name in part}
    return {**found, **{name: None for name in part if name not in known}}


def _adapter_identity(adapter: Mapping[str, Any]) -> dict[str, str]:
    changed = {"live": str(adapter["live"])} if adapter.get("changed") else {}
    return _hashes(adapter["files"]) | changed


def sync_folder(folder: Path) -> None:
    """Make a rename durable; a file system that cannot is left at that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _hashes(files: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {file["name"]: file["sha256"] for file in files}
