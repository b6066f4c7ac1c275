"""The embedded model: a base of 681,344 parameters in the package, which runs offline on a CPU."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["model_path"]


def model_path() -> Path:
    """The folder of the embedded model, as `from_pretrained` takes it."""
    return Path(str(resources.files("stages.tiny") / "model"))
