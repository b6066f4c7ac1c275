"""Attaches an adapter to the base that it was trained on, and to no other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from cleanguard.errors import JobError
from guard import CleanModelLoader
from stages.training.lineage import lineage_of

if TYPE_CHECKING:
    from guard import Loaded


def attach(loaded: Loaded, path: Path, *, is_trainable: bool = False) -> Any:
    """Put an adapter on a loaded base; one with a lineage must name this base's weights.

    Args:
        loaded: The base.
        path: The adapter's folder.
        is_trainable: Its weights are to be trained further.

    Raises:
        JobError: The adapter was trained on another base or tokenizer, or stands on another one; or its
            files are damaged.
    """
    if (lineage_of(path) or {}).get("on"):
        raise JobError(
            f"{path}: stands on another adapter; only evaluate, differentiate and audit take stacks"
        )
    check_weights(path)
    check_base(loaded, path)
    return CleanModelLoader.attach_adapter(loaded.model, path, is_trainable=is_trainable)


def check_weights(path: Path) -> None:
    """Raise JobError for a weights file that is cut off or no safetensors; none at all is let by."""
    file = path / "adapter_model.safetensors"
    try:
        with safe_open(file, framework="np") as opened:
            opened.keys()
    except FileNotFoundError:
        return  # the guard says what is missing
    except (SafetensorError, OSError) as error:
        raise JobError(f"{file} is damaged ({error}); copy or train the adapter again") from None


def check_base(loaded: Loaded, path: Path) -> None:
    """Raise JobError if an adapter's lineage names another base or tokenizer than the loaded one."""
    lineage = lineage_of(path)
    if lineage is not None:
        full = loaded.provenance.to_dict()
        here = {
            "weights": _digest(full["model"]["weights"]),
            "tokenizer": full["tokenizer"]["digest"],
        }
        base = lineage["base"]
        there = {"weights": _digest(base["weights"]), "tokenizer": base["tokenizer"]}
        other = [
            name
            for name, mine in here.items()
            if None not in (mine, there[name]) and mine != there[name]
        ]
        if other:
            raise JobError(
                f"{path}: trained on another base ({base['model_id']}): its {' and '.join(other)} "
                f"differ from those of {loaded.provenance.model_id}"
            )


def _digest(weights: Any) -> Any:
    return weights["digest"] if isinstance(weights, dict) else None
