"""Runtime guard for base language models: loading, prompt checks, generation and provenance.

`import guard` is light: torch and transformers are imported when a name that needs them is first
used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guard.behaviour import Behaviour, behaviour_of
    from guard.enforcing.passing import unguarded
    from guard.errors import GuardError
    from guard.generation.completion import Completion
    from guard.loader import CleanModelLoader, Loaded
    from guard.observing.recorder import observe
    from guard.observing.seen import Seen
    from guard.prompts.state import provenance_of
    from guard.provenance.record import Provenance
    from guard.records.attestation import attest
    from guard.records.writer import JsonlWriter, item_key
    from guard.scoring.continuations import Score, best_of
    from guard.scoring.perplexity import Perplexity
    from guard.tracing.session import Traced, traced

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
    "Seen",
    "Traced",
    "attest",
    "behaviour_of",
    "best_of",
    "item_key",
    "observe",
    "provenance_of",
    "traced",
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
    "Seen": "guard.observing.seen",
    "Traced": "guard.tracing.session",
    "Score": "guard.scoring.continuations",
    "attest": "guard.records.attestation",
    "best_of": "guard.scoring.continuations",
    "item_key": "guard.records.writer",
    "observe": "guard.observing.recorder",
    "provenance_of": "guard.prompts.state",
    "traced": "guard.tracing.session",
    "unguarded": "guard.enforcing.passing",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        _refuse_a_strangers_cleanguard()
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'guard' has no attribute {name!r}")


def _refuse_a_strangers_cleanguard() -> None:
    """A `cleanguard.py` of the user's would answer every import below with an error of Python's."""
    found = find_spec("cleanguard")
    home = Path(__file__).resolve().parents[1]
    if found is None or not found.origin:
        raise ImportError(f"the package `cleanguard` is missing from {home}; install it again")
    if Path(found.origin).resolve() != home / "cleanguard" / "__init__.py":
        raise ImportError(
            f"`cleanguard` would be imported from {found.origin}, which hides the one in {home} "
            "(CG603 shadowed-guard); rename it, or take its folder off PYTHONPATH"
        )


def __dir__() -> list[str]:
    return sorted(__all__)
