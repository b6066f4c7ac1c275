"""What records are made with: a load as it stands now, adapters and events included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from guard.errors import RecordsError
from guard.provenance.record import Event, Provenance
from guard.records.statement import adapters_in, load_digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from guard.prompts.state import GuardState


class Source:
    """One load: a guarded model, which is asked anew each time, or a provenance as it is.

    Attributes:
        loads: The provenance of each state that was seen, events left out, by its digest.
    """

    def __init__(self, of: Provenance | PreTrainedModel) -> None:
        self.loads: dict[str, dict[str, Any]] = {}
        self._fixed: Provenance | None = None
        self._state: GuardState | None = None
        self._model: Any = None
        if isinstance(of, Provenance):
            self._fixed = of
        else:
            from guard.prompts.state import state_of

            self._model, self._state = of, state_of(of)
        self._seen: tuple[Any, ...] | None = None
        self._compact: dict[str, Any] = {}

    def _now(self) -> tuple[Provenance, tuple[str, ...], list[str]]:
        """What was recorded, the adapters that take part, and those that were merged."""
        if self._state is not None:
            from guard.prompts.state import look_at

            active = look_at(self._model)
        merged = [
            str(name)
            for event in self._events()
            if event.kind == "adapters-merged"
            for name in event.detail.get("adapters", ())
        ]
        if self._state is None:
            assert self._fixed is not None
            return self._fixed, self._fixed.active_adapters, merged
        return self._state.provenance, active, merged

    def plain(self) -> dict[str, Any]:
        """The load as it stands now, in JSON types: its provenance without the events."""
        recorded, active, merged = self._now()
        found = replace(recorded, active_adapters=active, events=()).to_dict()
        del found["events"]
        return {**found, "merged_adapters": merged}

    def digest(self) -> str:
        """What names the load as it stands now."""
        return str(self.compact()["load"])

    def compact(self) -> dict[str, Any]:
        """What a record says of the load: digests, and how often the guard was lifted so far."""
        now = self._now()
        if self._seen is None or now[0] is not self._seen[0] or now[1:] != self._seen[1:]:
            self._compact = self._measure()
            self._seen = now
        lifted = sum(event.kind == "unguarded" for event in self._events())
        return {**self._compact, "lifted": lifted} if lifted else dict(self._compact)

    def _measure(self) -> dict[str, Any]:
        plain = self.plain()
        named = load_digest(plain)
        self.loads[named] = plain
        weights = plain["model"]["weights"]
        found: dict[str, Any] = {
            "load": named,
            "weights": weights["digest"] if weights else None,
            "tokenizer": plain["tokenizer"]["digest"],
        }
        part = adapters_in(plain)
        if part:
            found["adapters"] = {name: _named(adapter) for name, adapter in part.items()}
        return found

    @property
    def happened(self) -> int:
        """How many events there are so far."""
        return len(self._events())

    def events(self) -> list[dict[str, Any]]:
        """What happened to the load, in JSON types."""
        return [asdict(event) for event in self._events()]

    def _events(self) -> tuple[Event, ...]:
        if self._state is not None:
            return tuple(self._state.events)
        return self._fixed.events if self._fixed is not None else ()


def _named(adapter: Mapping[str, Any] | None) -> str | None:
    """What names an adapter in a record: its files' tensors, or its own once they are others."""
    if adapter is None:
        return None
    if adapter.get("changed"):
        return str(adapter["live"])
    return str(adapter["weights"]["digest"]) if adapter["weights"] else None


def sources_of(
    given: Provenance | PreTrainedModel | Mapping[str, Provenance | PreTrainedModel],
) -> dict[str, Source]:
    """Sources by role; a single one has the role `model`.

    Raises:
        UnguardedModelError: A model was not loaded by CleanModelLoader.
        RecordsError: There is no source.
    """
    if isinstance(given, Provenance) or not isinstance(given, Mapping):
        return {"model": Source(given)}
    if not given:
        raise RecordsError(
            "there is no source", remedy="pass the model, or its provenance, that makes the records"
        )
    return {str(role): Source(of) for role, of in given.items()}
