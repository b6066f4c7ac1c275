"""Attaches an adapter to the base that it was trained on, and to no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from cleanguard.errors import JobError
from guard import CleanModelLoader
from guard.errors import AdapterMismatch, GuardError
from guard.files.hub import need
from stages.jsonl import parsed
from stages.lineage import lineage_of

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
    check_settings(path)
    check_weights(path)
    check_base(loaded, path)
    with told_apart(str(path)):
        return CleanModelLoader.attach_adapter(loaded.model, path, is_trainable=is_trainable)


@contextmanager
def told_apart(adapter: str) -> Iterator[None]:
    """Say of whatever PEFT raises inside the block that it is the adapter which cannot be attached.

    Raises:
        JobError: In its place; the guard's own errors go on as they are.
    """
    try:
        yield
    except AdapterMismatch as error:
        raise JobError(
            f"{adapter} does not fit this base: {error.args[0]}; "
            "look at its adapter_config.json, or train it on this base"
        ) from error
    except GuardError:
        raise
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
        # PEFT names every tensor that does not fit; the first line says enough.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise JobError(
            f"{adapter} does not fit this base: {reason}; "
            "look at its adapter_config.json, or train it on this base"
        ) from error


def check_settings(path: Path) -> str | None:
    """The base that an adapter_config.json names; None if it names none, or there is no such file.

    Raises:
        JobError: It is not what PEFT writes.
        MissingExtraError: peft is not installed.
    """
    file = path / "adapter_config.json"
    try:
        found = parsed(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None  # the guard says what is missing
    except (OSError, ValueError) as error:
        raise _damaged(file, str(error)) from None
    if not isinstance(found, dict):
        raise _damaged(file, "not a JSON object")
    kind, base = found.get("peft_type"), found.get("base_model_name_or_path")
    if kind not in list(need("peft", "train").PeftType):
        raise _damaged(file, f"peft_type is {kind!r}, which PEFT does not know")
    if base is not None and not isinstance(base, str):
        raise _damaged(file, f"base_model_name_or_path is {base!r}, and not text")
    return base


def _damaged(file: Path, why: str) -> JobError:
    return JobError(f"{file} is damaged ({why}); copy or train the adapter again")


def check_weights(path: Path) -> None:
    """Raise JobError for a weights file that is cut off or no safetensors; none at all is let by."""
    file = path / "adapter_model.safetensors"
    try:
        with safe_open(file, framework="np") as opened:
            opened.keys()
    except FileNotFoundError:
        return  # the guard says what is missing
    except (SafetensorError, OSError) as error:
        raise _damaged(file, str(error)) from None


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
