"""Looks at a guarded model for what happened behind the guard's back: adapters added, changed, chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cleanguard.catalogue import hazards
from guard.provenance.adapters import live_adapters, merged_adapters

if TYPE_CHECKING:
    from guard.prompts.state import GuardState


def observe(model: Any, state: GuardState, active: tuple[str, ...]) -> None:
    """Note adapters that are new, changed, merged or chosen since the last look, as events.

    An adapter that `attach_adapter` attached and that is another one now (it was loaded over, mixed,
    rescaled or trained) gets its new digest in the provenance.

    Args:
        model: A guarded model.
        state: Its guard.
        active: The adapters that take part now.
    """
    live = live_adapters(model)
    if live != state.adapters_seen:
        _note_changes(state, live)
    if live and state.active_seen not in (None, active):
        state.note("adapters-chosen", hazards.ADAPTER_AS_BASE, active=list(active))
    state.active_seen = active
    merged = merged_adapters(model) if live else ()
    if merged:
        noted = {
            name
            for event in state.events
            if event.kind == "adapters-merged"
            for name in event.detail["adapters"]
        }
        if not noted.issuperset(merged):
            state.note("adapters-merged", hazards.ADAPTER_AS_BASE, adapters=list(merged))


def _note_changes(state: GuardState, live: dict[str, str]) -> None:
    records = {record.name: record for record in state.provenance.adapters}
    for name, digest in live.items():
        if state.adapters_seen.get(name) == digest:
            continue
        record = records.get(name)
        if record is None:
            state.note("adapter-added", hazards.ADAPTER_AS_BASE, name=name, digest=digest)
        elif record.live not in (None, digest):
            records[name] = replace(record, live=digest, changed=True)
            state.note("adapter-changed", hazards.ADAPTER_AS_BASE, name=name, digest=digest)
    if any(records[r.name] is not r for r in state.provenance.adapters):
        adapters = tuple(records[r.name] for r in state.provenance.adapters)
        state.provenance = replace(state.provenance, adapters=adapters)
    state.adapters_seen = live
