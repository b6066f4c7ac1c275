"""Judges a statement: whether it speaks of this file as it is, and whether its loads were clean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cleanguard.catalogue import hazards
from cleanguard.report.counting import counted
from cleanguard.secrets.redaction import redact_value
from guard.records.statement import FILE_TYPE, Statement, adapters_in, load_digest, params_digest
from guard.records.verdicts import CODE, Problem


def file_problems(path: Path, statement: Statement) -> Iterator[Problem]:
    """Whether the file is, byte for byte, what the statement speaks of."""
    total, left = hashlib.sha256(), statement.size
    with path.open("rb") as file:
        while left and (piece := file.read(min(1 << 20, left))):
            total.update(piece)
            left -= len(piece)
        rest = bool(file.read(1))
    if left:
        yield Problem(
            "edited-file", f"it is {counted(left, 'byte')} shorter than its statement says"
        )
    elif total.hexdigest() != statement.sha256:
        yield Problem("edited-file", "its sha256 is not the one in its statement")
    elif rest:
        yield Problem(
            "unsealed",
            "what follows its first "
            f"{statement.size} bytes is not covered by the statement: the run was killed, or lines "
            "were added by hand; run it again, it resumes and seals the file",
        )


def statement_problems(path: Path, statement: Statement) -> Iterator[Problem]:
    """Whether the statement names this file, and its loads and runs are whole and were clean."""
    if statement.name != path.name:
        yield Problem("edited-statement", f"it speaks of a file called {statement.name!r}")
    yield from _check_loads(statement)
    named: dict[str, int] = {}
    for at, run in enumerate(statement.runs, start=1):
        which = f"run {at} of {len(statement.runs)}"
        yield from _check_run(statement, run, which)
        if run.get("id") is not None and named.setdefault(run["id"], at) != at:
            yield Problem("edited-statement", f"{which} has the name of run {named[run['id']]}")
    yield from _check_adapters(path, statement)
    traced = bool(statement.runs) and all(run["loads"] for run in statement.runs)
    if statement.kind == FILE_TYPE and not traced:
        yield Problem("unknown-load", "it names no load, so nothing says what it was made with")
    if redact_value(statement.predicate, by_name=False) != statement.predicate:
        yield Problem("secret", "the statement holds a secret: change the secret, then remove it")


def _check_loads(statement: Statement) -> Iterator[Problem]:
    """Whether each load is the one that its digest names, and was clean."""
    for named, load in statement.loads.items():
        model = load.get("model_id")
        if load_digest(load) != named:
            yield Problem("edited-statement", f"the provenance of {model} was edited")
        for name in load.get("overrides", ()):
            said = f"{model} was loaded with {name}=True"
            yield Problem("overridden-check", said, code=_override_code(load, str(name)))


def _check_adapters(path: Path, statement: Statement) -> Iterator[Problem]:
    """Whether the adapters are known that a report was made with; records name their own."""
    # Weights that were trained are such an adapter themselves.
    if statement.kind != FILE_TYPE or path.suffix == ".safetensors":
        return
    for load in statement.loads.values():
        for name, adapter in adapters_in(load).items():
            if adapter is None:
                yield Problem("unknown-load", unknown_adapter(name))
            elif adapter.get("changed"):
                yield Problem("unknown-load", changed_adapter(name))


def unknown_adapter(name: str) -> str:
    """What to say of an adapter without a digest."""
    return (
        f"the adapter {name!r} took part, and nothing says what it is: attach_adapter did not "
        "attach it"
    )


def changed_adapter(name: str) -> str:
    """What to say of an adapter that is no longer the one that its files gave."""
    return (
        f"the adapter {name!r} took part, and it was not the one of its files any more: it was trained, "
        "mixed or loaded over in memory"
    )


def _override_code(load: Mapping[str, Any], name: str) -> str:
    about = {
        "allow_adapter": "no-adapter",
        "allow_chat_model": "base-model",
        "allow_pickle": "safetensors-only",
    }
    for check in load.get("checks", ()):
        if check.get("name") == about.get(name) and check.get("code"):
            return str(check["code"])
    return hazards.REMOTE_CODE.code if name == "trust_remote_code" else CODE


def _check_run(statement: Statement, run: Mapping[str, Any], which: str) -> Iterator[Problem]:
    """Whether a run's loads are there, its params are as written, and the guard stayed on."""
    for role, load in run["loads"].items():
        if load not in statement.loads:
            yield Problem("unknown-load", f"the load ({role}) of {which} is not in the statement")
    # Statements of earlier versions have no digest of the params.
    if run.get("params_sha256") not in (None, params_digest(run["params"])):
        yield Problem("edited-statement", f"the params of {which} were edited")
    yield from _check_times(run, which)
    # A record says for itself whether it was written before or after.
    reasons = lift_reasons(run) if statement.kind == FILE_TYPE else None
    if reasons is not None:
        yield Problem("lifted-guard", f"it was made after the guard was lifted{reasons}")


def _check_times(run: Mapping[str, Any], which: str) -> Iterator[Problem]:
    """Whether a run ended after it began, and says so if it says how it ended."""
    started, ended = run.get("started"), run.get("ended")
    outcome = run["outcome"]
    if ended is not None and started is not None and _moment(ended) < _moment(started):
        yield Problem(
            "edited-statement",
            f"{which} ended before it began ({started}, {ended})",
        )
    if outcome == "complete" and "ended" in run and ended is None:
        yield Problem("edited-statement", f"{which} is called complete, and has no end")
    if outcome == "open" and ended is not None:
        yield Problem("edited-statement", f"{which} is called open, and ended at {ended}")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def lift_reasons(run: Mapping[str, Any] | None) -> str | None:
    """Why the guard was lifted before or in a run, to end a sentence; None if it was not."""
    events = [event for role in (run or {}).get("events", {}).values() for event in role]
    reasons = [
        str(event["detail"].get("reason")) for event in events if event["kind"] == "unguarded"
    ]
    return f" ({'; '.join(reasons)})" if reasons else None


# Events of prompts that pass and are only noted; docs/border.md says why each is no error.
NOTED: Mapping[str, str] = {
    "control-token-in-a-step": "a control token came in alone behind a cache, the model's own or a prompt's",
    "inputs-embeds": "embeddings came in without ids, and nobody can read them",
    "traced": "torch.jit.trace made a copy of the model that nothing checks",
    "tokens-added": "the tokenizer grew after the load",
    "embedding-replaced": "the embedding was replaced or resized after the load",
    "adapter-without-effect": "an adapter was attached whose update is zero: what ran is the base",
    "special-tokens-as-text": "a call read special tokens as plain text",
}


def noted_kinds(run: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds of `NOTED` events before or in a run, in the order of that table."""
    found = {event.get("kind") for role in run.get("events", {}).values() for event in role}
    return tuple(kind for kind in NOTED if kind in found)


def notes_of(statement: Statement) -> Iterator[str]:
    """What is worth knowing of a statement and no fault."""
    for at, run in enumerate(statement.runs, start=1):
        if run["outcome"] != "complete":
            yield f"run {at} of {len(statement.runs)} ended early: {run['outcome']}"
        if run.get("repaired_bytes"):
            yield f"run {at} cut off an unfinished last line of {run['repaired_bytes']} bytes"
        for kind in noted_kinds(run):
            yield f"run {at} of {len(statement.runs)}: {kind}: {NOTED[kind]}"
    for load in statement.loads.values():
        for check in load.get("checks", ()):
            if check.get("verdict") == "recorded":
                yield f"{load.get('model_id')}: {check.get('name')}: {check.get('detail')}"
