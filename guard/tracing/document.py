"""The whole of a trace as JSON: findings with their evidence, loads, places, provenance."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cleanguard.catalogue.findings import Finding
from cleanguard.report.json import as_object
from cleanguard.secrets.redaction import redact_value
from guard.observing.events import Site
from guard.tracing.findings import placed
from guard.tracing.gathering import Gathered, Seen

VERSION = 1
# Files above this are named with their size and not read: 1.5 GB a second would be felt.
_LARGEST = 4 * 2**30
_DECIDES = re.compile(r".*\.(safetensors|bin|json|jinja|model|txt|py|tiktoken)")


def document(
    gathered: Gathered,
    findings: Sequence[Finding],
    *,
    command: Sequence[str],
    folder: Path,
    script_exit: int,
    exit_code: int,
) -> dict[str, Any]:
    """What a trace saw, in JSON types, secrets hidden.

    Args:
        gathered: What the processes saw.
        findings: What of it is reported.
        command: The script with its arguments.
        folder: The current folder.
        script_exit: The script's own exit code; 128 and the signal's number if one killed it.
        exit_code: The trace's.
    """
    from guard.provenance.environment import session

    facts = {_key(fact, folder): fact for fact in gathered.facts}
    found = {
        "trace": VERSION,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": list(command),
        "folder": str(folder),
        "script_exit": script_exit,
        "exit": exit_code,
        "findings": [_with_evidence(finding, facts, folder) for finding in findings],
        "hazards": [_hazard(fact, folder) for fact in gathered.facts],
        "files": _files(gathered, folder),
        "reached": [_place(seen, folder) for seen in gathered.reached],
        "events": list(gathered.events),
        "training": dict(gathered.training),
        "processes": list(gathered.processes),
        "not_seen": list(gathered.unseen),
        "provenance": {"session": session(), "models": _models(gathered)},
    }
    hidden = redact_value(found)
    assert isinstance(hidden, dict)
    return hidden


def dump(content: Mapping[str, Any]) -> str:
    """A document as text with a closing newline."""
    return json.dumps(content, indent=2, default=str) + "\n"


def _with_evidence(
    finding: Finding, facts: Mapping[tuple[Any, ...], Seen], folder: Path
) -> dict[str, Any]:
    place = finding.location
    fact = facts[(finding.code, finding.filename, place.cell, place.row, place.column)]
    return {
        **as_object(finding),
        "count": fact.count,
        "evidence": dict(fact.content.get("evidence") or {}),
        "function": fact.site.function,
        "related": [_where(site, folder) for site in fact.others],
    }


def _key(fact: Seen, folder: Path) -> tuple[Any, ...]:
    filename, start, _ = placed(fact.site, folder)
    return (fact.what, filename, start.cell, start.row, start.column)


def _hazard(fact: Seen, folder: Path) -> dict[str, Any]:
    """A fact, reported or not: a check is compared with all of them."""
    place = {"code": fact.what, "severity": fact.content["severity"], **_place(fact, folder)}
    others = [_where(site, folder) for site in fact.others]
    return {**place, "message": fact.content["message"], "related": others}


def _files(gathered: Gathered, folder: Path) -> dict[str, str | None]:
    """The sha256 of each of the person's files, which says whether a trace is still about it."""
    names = {placed(seen.site, folder)[0] for seen in (*gathered.facts, *gathered.reached)}
    return {name: _sha256(folder / name) for name in sorted(names)}


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _where(site: Site, folder: Path) -> dict[str, Any]:
    filename, start, end = placed(site, folder)
    return {"filename": filename, "location": asdict(start), "end_location": asdict(end)}


def _place(seen: Seen, folder: Path) -> dict[str, Any]:
    filename, start, end = placed(seen.site, folder)
    known = ("what", "site", "related", "callers", "code", "message", "severity", "evidence")
    return {
        "what": seen.what,
        "filename": filename,
        "location": asdict(start),
        "end_location": asdict(end),
        "count": seen.count,
        "callers": [_where(site, folder) for site in seen.others],
        **{key: value for key, value in seen.content.items() if key not in known},
    }


def _models(gathered: Gathered) -> list[dict[str, Any]]:
    """The files behind each name that was loaded."""
    found: dict[str, dict[str, Any]] = {}
    for event in gathered.events:
        if event["kind"] != "load" or not event["name"] or event["name"] in found:
            continue
        folder, commit = _files_of(str(event["name"]), event["asked"].get("revision"))
        found[event["name"]] = {
            "name": event["name"],
            "what": event["what"],
            "commit": commit,
            "files": _records(folder) if folder else None,
        }
    return list(found.values())


def _files_of(name: str, revision: Any) -> tuple[Path | None, str | None]:
    """The folder of a model's files, and the commit where the hub's cache names it."""
    if Path(name).is_dir():
        return Path(name), None
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    repository = cache / ("models--" + name.replace("/", "--"))
    reference = repository / "refs" / str(revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else str(revision or "")
    snapshot = repository / "snapshots" / commit
    return (snapshot, commit) if commit and snapshot.is_dir() else (None, None)


def _records(folder: Path) -> list[dict[str, Any]]:
    from guard.provenance.digests import file_records_of

    paths = [path for path in sorted(folder.iterdir()) if _DECIDES.fullmatch(path.name)]
    paths = [path for path in paths if path.is_file() and path.stat().st_size <= _LARGEST]
    return [asdict(record) for record in file_records_of(paths)]
