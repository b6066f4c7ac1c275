"""What records are made with: a load as it stands now, adapters and events included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from guard.errors import RecordsError
from guard.provenance import Event, Provenance
from guard.statement import load_digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from guard.state import GuardState


class Source:
    """One load: a guarded model, which is asked anew each time, or a provenance as it is.

    Attributes:
        loads: The provenance of each state that was seen, events left out, by its digest.
    """

    def __init__(self, of: Provenance | PreTrainedModel) -> None:
        self.loads: dict[str, dict[str, Any]] = {}
        self._fixed: Provenance | None = None
        self._state: GuardState | None = None
        if isinstance(of, Provenance):
            self._fixed = of
        else:
            from guard.state import state_of

            self._state = state_of(of)
        self._seen: Provenance | None = None
        self._compact: dict[str, Any] = {}

    @property
    def provenance(self) -> Provenance:
        """The load as it stands now; the same object as long as nothing was attached."""
        found = self._fixed or (self._state.provenance if self._state else None)
        assert found is not None
        return found

    def digest(self) -> str:
        """What names the load as it stands now."""
        return str(self.compact()["load"])

    def compact(self) -> dict[str, Any]:
        """What a record says of the load: digests, and how often the guard was lifted so far."""
        now = self.provenance
        if now is not self._seen:
            plain = {name: value for name, value in now.to_dict().items() if name != "events"}
            named = load_digest(plain)
            self.loads[named] = plain
            weights = plain["model"]["weights"]
            self._compact = {
                "load": named,
                "weights": weights["digest"] if weights else None,
                "tokenizer": plain["tokenizer"]["digest"],
            }
            if plain["adapters"]:
                self._compact["adapters"] = [
                    adapter["weights"]["digest"] if adapter["weights"] else None
                    for adapter in plain["adapters"]
                ]
            self._seen = now
        lifted = sum(event.kind == "unguarded" for event in self._events())
        return {**self._compact, "lifted": lifted} if lifted else dict(self._compact)

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
        return self.provenance.events


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
