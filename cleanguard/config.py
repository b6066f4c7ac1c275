"""Settings of a run: `[tool.cleanguard]` in pyproject.toml, or the file given with `--config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["base", "all"]


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file, the key and the remedy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a check or a migration can be told.

    Attributes:
        select: Codes, code prefixes such as `CG1`, hazard names, or `ALL`; empty means the defaults.
        ignore: Codes, prefixes or names that are never reported; wins over `select`.
        exclude: gitignore-style patterns, relative to `root`, added to the built-in ones.
        scope: `base` leaves known chat models alone, `all` reports their loads too.
        base_models: Shell-style patterns of model ids that are base models.
        chat_models: Shell-style patterns of model ids that are chat models.
        loader_modules: gitignore-style patterns of files that are the loader itself and may load raw.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    scope: Scope = "base"
    base_models: tuple[str, ...] = ()
    chat_models: tuple[str, ...] = ()
    loader_modules: tuple[str, ...] = ()
