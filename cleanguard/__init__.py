"""cleanguard: keeps base language models clean, from the source line to the token id.

What scripts need stands here as well as in `guard`: `from cleanguard import CleanModelLoader`.
Importing this package imports nothing else; a name is found on first use, because the loader needs
torch and the linter must not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guard import (
        Behaviour,
        CleanModelLoader,
        Completion,
        GuardError,
        JsonlWriter,
        Loaded,
        Perplexity,
        Provenance,
        Score,
        Seen,
        Traced,
        attest,
        behaviour_of,
        best_of,
        item_key,
        observe,
        provenance_of,
        traced,
        unguarded,
    )

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


def __getattr__(name: str) -> Any:
    if name in __all__:
        from cleanguard.packages import imported

        return getattr(imported("guard"), name)
    raise AttributeError(f"module 'cleanguard' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
