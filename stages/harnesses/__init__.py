"""Other people's harnesses over a guarded base model: lm-evaluation-harness and inspect_ai.

Nothing here is imported unless it is asked for; only this room knows the two packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.harnesses.lm_eval_files import seal_results, seal_samples
    from stages.harnesses.lm_eval_model import GuardedLM

__all__ = ["GuardedLM", "seal_results", "seal_samples"]

_HOME = {
    "GuardedLM": "stages.harnesses.lm_eval_model",
    "seal_results": "stages.harnesses.lm_eval_files",
    "seal_samples": "stages.harnesses.lm_eval_files",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'stages.harnesses' has no attribute {name!r}")
