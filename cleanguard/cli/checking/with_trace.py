"""`check --with-trace`: holds findings against what a run of the same files saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cleanguard.catalogue.findings import Finding, Position, Traced
from cleanguard.catalogue.hazards import BY_CODE
from cleanguard.editing.read import regular
from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.report.spoken import say
from cleanguard.settings.config import Settings, selected

VERSION = 1
# What must have run for a hazard to be seen, or not to be.
_EXERCISED: Mapping[str, tuple[str, ...]] = {
    "CG101": ("load",),
    "CG102": ("load",),
    "CG103": ("change", "load"),
    "CG104": ("load",),
    "CG105": ("load",),
    "CG106": ("load",),
    "CG107": ("load",),
    "CG108": ("load",),
    "CG109": ("load",),
    "CG110": ("load",),
    "CG111": ("load",),
    "CG201": ("encode", "prefill", "generate"),
    "CG202": ("encode", "generate"),
    "CG203": ("render",),
    "CG204": ("encode", "generate"),
    "CG205": ("encode",),
    "CG301": ("generate",),
    "CG302": ("generate",),
    "CG303": ("generate",),
    "CG304": ("generate",),
    "CG401": ("batch", "prefill"),
    "CG402": ("batch",),
    "CG403": ("save",),
    "CG404": ("change",),
    "CG501": ("write",),
}
# `check` reports these where a side is set or a collator made, a trace where a model is handed the rows.
_ANYWHERE = frozenset({"CG302", "CG401", "CG402", "CG404", "CG501"})


# A second BOS is one hazard, told at the tokenizer where a model reads it and at the trainer where it is trained on.
_ALIKE: Mapping[str, frozenset[str]] = {
    "CG202": frozenset({"CG202", "CG402"}),
    "CG402": frozenset({"CG202", "CG402"}),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a file: its first position, and the one behind its last."""

    start: Position
    end: Position

    def meets(self, other: Place) -> bool:
        """Whether one begins inside of the other."""
        if self.start.cell != other.start.cell:
            return False
        return self.start <= other.start <= self.end or other.start <= self.start <= other.end


@dataclass(frozen=True, slots=True)
class Happened:
    """A hazard, or a call that is watched, in one file.

    Attributes:
        what: A code, or the kind of call.
        path: The file, resolved.
        places: Where it is, first its own place.
        count: How often.
        content: The rest of the trace's entry.
    """

    what: str
    path: Path
    places: tuple[Place, ...]
    count: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace as it was saved.

    Attributes:
        file: Where it was saved.
        hazards: What it saw of hazards; each once for every file that takes part.
        reached: What it saw of calls.
        digests: sha256 of the files that it ran, by their resolved paths.
    """

    file: Path
    hazards: tuple[Happened, ...]
    reached: tuple[Happened, ...]
    digests: Mapping[Path, str | None]


def read_trace(file: Path) -> Trace:
    """Read a trace that `cleanguard trace --save` wrote.

    Raises:
        JobError: It cannot be read, or is none.
    """
    advice = "`cleanguard trace --save FILE SCRIPT` writes one"
    try:
        data = json.loads(regular(file).read_text(encoding="utf-8"))
        if data["trace"] != VERSION:
            raise JobError(f"{file}: version {data['trace']!r} of the format is not known")
        folder = Path(data["folder"])
        return Trace(
            file,
            tuple(one for entry in data["hazards"] for one in _happened(entry, "code", folder)),
            tuple(one for entry in data["reached"] for one in _happened(entry, "what", folder)),
            {(folder / name).resolve(): digest for name, digest in data["files"].items()},
        )
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise JobError(f"{file}: cannot read the trace: {reason}; {advice}") from None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise JobError(f"{file}: not a trace; {advice}") from None


def _happened(entry: Mapping[str, Any], what: str, folder: Path) -> Iterator[Happened]:
    others = [*entry.get("related", ()), *entry.get("callers", ())]
    by_file: dict[Path, list[Place]] = {}
    for one in (entry, *others):
        path = (folder / one["filename"]).resolve()
        place = Place(Position(**one["location"]), Position(**one["end_location"]))
        by_file.setdefault(path, []).append(place)
    for path, places in by_file.items():
        yield Happened(entry[what], path, tuple(places), int(entry["count"]), entry)


def compared(
    findings: Sequence[Finding],
    traces: Sequence[Trace],
    files: Sequence[SourceFile],
    settings: Settings,
) -> tuple[Finding, ...]:
    """The findings with what the traces say, and those that only a run could see, in order.

    A file that was changed since its trace is left as it is; that is said.
    """
    paths = {file.name: file.path.resolve() for file in files}
    current = [_of_current_files(trace, paths) for trace in traces]
    hazards = [one for trace in current for one in trace.hazards]
    reached = [one for trace in current for one in trace.reached]
    stale = {path for trace in traces for path in trace.digests} - {
        path for trace in current for path in trace.digests
    }
    told: list[Finding] = []
    used: set[int] = set()
    for finding in findings:
        path = paths[finding.filename]
        if path in stale or not BY_CODE[finding.code].traced:
            told.append(finding)
            continue
        alike = _ALIKE.get(finding.code, frozenset({finding.code}))
        seen = [one for one in hazards if one.path == path and one.what in alike]
        calls = [one for one in reached if one.path == path]
        told.append(_told(finding, seen, calls, used))
    told += _only_run(hazards, used, paths, selected(settings))
    return tuple(sorted(told, key=lambda finding: finding.sort_key))


def _of_current_files(trace: Trace, paths: Mapping[str, Path]) -> Trace:
    changed = {
        path
        for path in paths.values()
        if trace.digests.get(path) is not None and trace.digests[path] != _sha256(path)
    }
    for path in sorted(changed):
        say(f"cleanguard: {path} was changed after {trace.file} was made", err=True)
    return Trace(
        trace.file,
        tuple(one for one in trace.hazards if one.path not in changed),
        tuple(one for one in trace.reached if one.path not in changed),
        {path: digest for path, digest in trace.digests.items() if path not in changed},
    )


def _told(
    finding: Finding, seen: Sequence[Happened], calls: Sequence[Happened], used: set[int]
) -> Finding:
    here = Place(finding.location, finding.end_location)
    kinds = _EXERCISED.get(finding.code, ())
    own = [one for one in calls if one.what in kinds and here.meets(one.places[0])]
    meets = [one for one in seen if any(here.meets(place) for place in one.places)]
    if not meets:
        meets = [one for one in seen if _ANYWHERE & {finding.code, one.what}]
    if meets:
        used.update(id(one.content) for one in meets)
        count = sum(one.count for one in meets)
        message = str(meets[0].content["message"])
        return _marked(finding, Traced("confirmed", count, message), f"confirmed, seen {count}×")
    anywhere = finding.code in _ANYWHERE and any(one.what in kinds for one in calls)
    passed = any(
        one.what in kinds and any(here.meets(place) for place in one.places) for one in calls
    )
    if own or anywhere or passed:
        return _marked(finding, Traced("contradicted"), "contradicted: it ran without the hazard")
    return _marked(finding, Traced("not reached"), "not reached")


def _marked(finding: Finding, traced: Traced, said: str) -> Finding:
    return replace(finding, traced=traced, message=f"{finding.message} [trace: {said}]")


def _only_run(
    hazards: Sequence[Happened],
    used: set[int],
    paths: Mapping[str, Path],
    active: frozenset[str],
) -> Iterator[Finding]:
    names = {path: name for name, path in paths.items()}
    told: set[int] = set()
    for one in hazards:
        known = id(one.content) in used or id(one.content) in told
        if known or one.path not in names or one.what not in active:
            continue
        told.add(id(one.content))
        message = str(one.content["message"])
        yield Finding(
            hazard=BY_CODE[one.what],
            severity="warning" if one.content.get("severity") == "warning" else "error",
            confidence="followed",
            filename=names[one.path],
            location=one.places[0].start,
            end_location=one.places[0].end,
            message=f"{message} [trace: only the run saw it, {one.count}×]",
            remedy=BY_CODE[one.what].remedy,
            traced=Traced("only the run", one.count, message),
        )


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
