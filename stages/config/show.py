"""Prints a configuration so that it can be read back: TOML with each setting's help."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages.config.fields import options_of


def as_toml(config: Any, *, explained: bool = True) -> str:
    """A configuration as TOML that `--config` reads back.

    Args:
        config: A dataclass instance.
        explained: Put each setting's help above it; those that are unset stand in a comment.
    """
    plain = as_plain(config)
    table = ""
    lines: list[str] = []
    for one in sorted(options_of(type(config)), key=lambda one: one.key.rpartition(".")[0]):
        here, _, name = one.key.rpartition(".")
        if here != table:
            lines += ["", f"[{here}]"]
            table = here
        value = _at(plain, one.key)
        if explained:
            among = f" ({', '.join(one.choices)})" if one.choices else ""
            lines.append(f"# {one.help}{among}")
        if value is not None:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
        elif explained:
            lines.append(f"# {name} is not set")
    return "\n".join(lines).strip() + "\n"


def as_plain(config: Any) -> dict[str, Any]:
    """A configuration in JSON types, nested as its sections are."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config), default=_plain))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} in a configuration")


def _at(plain: Mapping[str, Any], key: str) -> Any:
    found: Any = plain
    for part in key.split("."):
        found = found[part]
    return found
