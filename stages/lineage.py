"""What a trained adapter says of itself, in the file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from stages.jsonl import parsed

LINEAGE = "lineage.json"
_BASE = frozenset({"model_id", "weights", "tokenizer"})


def lineage_of(adapter: Path) -> dict[str, Any] | None:
    """The lineage of an adapter; None if it has none.

    Raises:
        JobError: The file is there, and is not what training writes.
    """
    path = adapter / LINEAGE
    try:
        found = parsed(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise JobError(f"{path} is damaged ({error}); train the adapter again") from None
    if not _is_lineage(found):
        raise JobError(f"{path} is damaged (not what training writes); train the adapter again")
    lineage: dict[str, Any] = found
    return lineage


def refuse_no_adapter(adapter: Path, setting: str) -> None:
    """Raise JobError, which names the setting, for a folder that holds no adapter."""
    if not (adapter.expanduser() / "adapter_config.json").is_file():
        raise JobError(
            f"{setting}: {adapter} holds no adapter_config.json; train one, or name the "
            "directory that PEFT saved"
        )


def _is_lineage(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and isinstance(found.get("base"), dict)
        and found["base"].keys() >= _BASE
        and all(isinstance(found.get(part), dict) for part in ("data", "metrics"))
        and all(
            isinstance(entry, dict) and entry.keys() >= {"path", "sha256"}
            for entry in found.get("on", ())
        )
    )
