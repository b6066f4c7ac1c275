"""JsonlWriter: results as JSON lines that can be resumed, traced to a load, and checked later.

Each record carries compact provenance: the run, the digests of the load, weights and tokenizer, a
digest of its own, and the digest of the record before it. The full statement lies beside the file.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cleanguard.nesting import nested_deeper_than
from cleanguard.secrets.redaction import redact_value
from guard.base.canonical import canonical, digest, one_line
from guard.errors import RecordsError
from guard.provenance.record import Provenance, utc_now
from guard.records.journal import Journal, Line
from guard.records.resume import Found, read_back
from guard.records.sources import Source, sources_of
from guard.records.statement import RECORDS_TYPE, Statement, params_digest, write_statement

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_RESERVED = ("key", "provenance")
_DEEPEST = 200  # parsers and Python's own stack give out at several hundred


class JsonlWriter:
    """Appends records to a file; what a run finished before it died is not done again.

    Use it in a `with` block::

        with JsonlWriter("answers.jsonl", model) as out:
            for item in items:
                if item.key not in out:
                    out.write(item.key, {"text": loader.generate(model, tokenizer, item.prompt, …)})

    Args:
        path: The file; its folder must exist. A statement is kept beside it.
        sources: What the records are made with: a guarded model or its provenance, or several by
            role, as `{"base": model, "judge": other}`. A model is asked again at every record, so
            adapters that are attached later are recorded.
        params: Settings of the run, in JSON types; secrets in them are hidden.
        batch: Records between two fsyncs. A record is in the file when `write` returns, and stays
            there if this process is killed; a power cut may cost those since the last fsync.
        seconds: The next record after this time brings an fsync too.

    Raises:
        RecordsBusyError: Another run has the file open.
        RecordsError: The file was not written by a JsonlWriter, was edited, or was written with
            another model or other params; or an argument cannot be meant.
        UnguardedModelError: A model was not loaded by CleanModelLoader.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        sources: Provenance | PreTrainedModel | Mapping[str, Provenance | PreTrainedModel],
        *,
        params: Mapping[str, Any] | None = None,
        batch: int = 64,
        seconds: float = 10.0,
    ) -> None:
        self._sources: dict[str, Source] = sources_of(sources)
        self._params = redact_value(_plain(params or {}, "params"))
        _refuse_odd(batch, seconds)
        self._batch, self._seconds = batch, seconds
        self._lock = threading.RLock()
        self._journal = Journal(Path(fspath(path)))
        try:
            loads = {role: source.digest() for role, source in self._sources.items()}
            self._found: Found = read_back(self._journal, self._sources, self._params)
            self._run: dict[str, Any] = {
                "id": secrets.token_hex(8),
                "started": utc_now(),
                "ended": None,
                "outcome": "open",
                "records": 0,
                "repaired_bytes": self._found.repaired,
                "params": self._params,
                "params_sha256": params_digest(self._params),
                "loads": loads,
                "events": {},
            }
            self._told: object = None
            self._state()
            self._flushed_at, self._unsynced = time.monotonic(), 0
            self._seal()
        except BaseException:
            self._journal.close()
            raise
        self._open = True

    @property
    def run_id(self) -> str:
        """Names this run in every record that it writes."""
        return str(self._run["id"])

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all records: those found in the file and those written since."""
        return frozenset(self._found.keys)

    def __contains__(self, key: object) -> bool:
        # A signal may have come between a line's joining those that wait and its key's being kept.
        latest = self._journal.waiting[-1:]
        return key in self._found.keys or any(key == line.key for line in latest)

    def __len__(self) -> int:
        return len(self._found.keys)

    def write(
        self, key: str, record: Mapping[str, Any] | Any, *, roles: Sequence[str] | None = None
    ) -> None:
        """Add a record.

        Args:
            key: Names the item; unique in the file.
            record: Its fields, in JSON types, or a dataclass such as `Completion`.
            roles: Which of the sources made it; all if not said.

        Raises:
            RecordsError: The key is there already, a field is no JSON or has a name that is taken,
                there is no such role, the writer is closed or belongs to another process, or the
                disk is full (nothing is lost: flush again).
        """
        self._journal.refuse_other_process()
        fields = _plain(record, f"the record {key!r}")
        with self._lock:
            self._check(key, fields)
            chosen = self._chosen(roles)
            line: dict[str, Any] = {
                "key": key,
                **fields,
                "provenance": {
                    "run": self.run_id,
                    "loads": {role: source.compact() for role, source in chosen.items()},
                    "prev": self._journal.mark,
                },
            }
            line["provenance"]["sha256"] = digest(line)
            self._journal.append(Line(one_line(line), key, line["provenance"]["sha256"]))
            self._found.keys.add(key)
            self._unsynced += 1
            late = time.monotonic() - self._flushed_at >= self._seconds
            self._write(durable=self._unsynced >= self._batch or late)

    def flush(self) -> None:
        """Write what waits and make all records durable; raises RecordsError as `write` does."""
        self._journal.refuse_other_process()
        with self._lock:
            self._write(durable=True)

    def _write(self, *, durable: bool) -> None:
        # What a record was made with is stated before the record is in the file.
        if self._journal.waiting and self._state():
            self._seal()
        if self._journal.waiting or self._unsynced:
            self._journal.write(durable=durable)
        if durable:
            self._unsynced, self._flushed_at = 0, time.monotonic()

    def close(self, outcome: str = "complete") -> None:
        """Write what waits and the final statement; closing again does nothing.

        In a process that was forked from the writer's own it does nothing either.
        """
        if not self._journal.ours:
            return
        with self._lock:
            if not self._open:
                return
            try:
                self._journal.write()
                self._state()
                self._run |= {"ended": utc_now(), "outcome": outcome}
                self._seal()
            finally:
                self._open = False
                self._journal.close()

    def __enter__(self) -> JsonlWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self.close("complete" if kind is None else f"stopped by {kind.__name__}")

    def _check(self, key: str, fields: dict[str, Any]) -> None:
        if not self._open:
            raise RecordsError("the writer is closed", remedy="open the file again: it resumes")
        if not isinstance(key, str) or not key:
            raise RecordsError(f"the key {key!r} is no text", remedy="a key is a string, not empty")
        if key in self:
            raise RecordsError(
                f"{self._journal.path} has a record {key!r} already",
                remedy="ask `key in writer` first, and skip what is done",
            )
        taken = [name for name in _RESERVED if name in fields]
        if taken:
            raise RecordsError(
                f"the record {key!r} has a field {taken[0]!r}", remedy="give it another name"
            )

    def _chosen(self, roles: Sequence[str] | None) -> Mapping[str, Source]:
        if roles is None:
            return self._sources
        named: list[Any] = list(roles) if isinstance(roles, Iterable) else [roles]
        known = all(isinstance(role, str) and role in self._sources for role in named)
        if not known or isinstance(roles, str):
            raise RecordsError(
                f"roles={roles!r} are not the roles of sources",
                remedy=f"list some of those that the writer was given: {', '.join(self._sources)}",
            )
        return {role: self._sources[role] for role in named}

    def _state(self) -> bool:
        """Bring loads and events up to date; whether the statement has something new to say."""
        for source in self._sources.values():
            self._found.loads |= source.loads
        now = (len(self._found.loads), [source.happened for source in self._sources.values()])
        changed = now != self._told
        if changed:
            events = {role: source.events() for role, source in self._sources.items()}
            self._run["events"] = redact_value(events, by_name=False)
            self._told = now
        return changed

    def _seal(self) -> None:
        """Write the statement for what is in the file now."""
        self._run["records"] = self._journal.count - self._found.count
        predicate = {
            "schema": "cleanguard-records/1",
            "bytes": self._journal.size,
            "records": self._journal.count,
            "last": self._journal.settled_mark,
            "runs": [*self._found.runs, self._run],
            "loads": self._found.loads,
        }
        name = self._journal.path.name
        write_statement(
            self._journal.path, Statement(name, self._journal.sha256(), RECORDS_TYPE, predicate)
        )


def item_key(*parts: Any) -> str:
    """A key from whatever names an item: sha256 over its parts, which are JSON types, as hex."""
    return digest(list(parts))


def _refuse_odd(batch: Any, seconds: Any) -> None:
    if isinstance(batch, bool) or not isinstance(batch, Integral) or batch < 1:
        raise RecordsError(f"batch={batch!r}", remedy="batch is a whole number from 1")
    if isinstance(seconds, bool) or not isinstance(seconds, Real) or not float(seconds) >= 0:
        raise RecordsError(f"seconds={seconds!r}", remedy="seconds is a number from 0")


def _plain(value: Any, what: str) -> dict[str, Any]:
    try:
        fields = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
            raise TypeError(f"{type(value).__name__} is no mapping of names")
        text = canonical(dict(fields))
        opened = text.count(b"[") + text.count(b"{")
        if opened > _DEEPEST and nested_deeper_than(fields, _DEEPEST):
            raise RecursionError
    except RecursionError:
        raise RecordsError(
            f"{what} is nested more than {_DEEPEST} deep, which not every reader can follow",
            remedy="write it flat, or as a text",
        ) from None
    except (TypeError, ValueError) as error:
        raise RecordsError(
            f"{what} cannot be written as JSON: {error}",
            remedy="use strings, finite numbers, booleans, None, lists and dicts",
        ) from error
    return dict(fields)
