"""Runtime guard for base language models: loading, prompt checks, generation and provenance.

`import guard` is light: torch and transformers are imported when a name that needs them is first
used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guard.behaviour import Behaviour, behaviour_of
    from guard.errors import GuardError
    from guard.generation.completion import Completion
    from guard.loader import CleanModelLoader, Loaded
    from guard.prompts.enforcement import unguarded
    from guard.prompts.state import provenance_of
    from guard.provenance.record import Provenance
    from guard.records.attestation import attest
    from guard.records.writer import JsonlWriter, item_key
    from guard.scoring.continuations import Score, best_of
    from guard.scoring.perplexity import Perplexity

__all__ = [
    "Behaviour",
    "CleanModelLoader",
    "Completion",
    "GuardError",
    "JsonlWriter",
    "Loaded",
    "Perplexity",
    "Provenance",
    "Score",
    "attest",
    "behaviour_of",
    "best_of",
    "item_key",
    "provenance_of",
    "unguarded",
]

_HOME = {
    "Behaviour": "guard.behaviour",
    "behaviour_of": "guard.behaviour",
    "CleanModelLoader": "guard.loader",
    "Completion": "guard.generation.completion",
    "GuardError": "guard.errors",
    "JsonlWriter": "guard.records.writer",
    "Loaded": "guard.loader",
    "Perplexity": "guard.scoring.perplexity",
    "Provenance": "guard.provenance.record",
    "Score": "guard.scoring.continuations",
    "attest": "guard.records.attestation",
    "best_of": "guard.scoring.continuations",
    "item_key": "guard.records.writer",
    "provenance_of": "guard.prompts.state",
    "unguarded": "guard.prompts.enforcement",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'guard' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
