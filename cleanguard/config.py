"""Settings of a run: `[tool.cleanguard]` in pyproject.toml, or the file given with `--config`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cleanguard.config_file import ConfigError, ConfigFile, read
from cleanguard.selection import (
    UnknownSelectorError,
    codes_of,
    did_you_mean,
    linted_codes_of,
    resolve,
)

__all__ = ["ConfigError", "Scope", "Settings", "load_settings", "selected"]

Scope = Literal["base", "all"]


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
        min_items: Fewest evaluation items that a reported rate may rest on.
        target_versions: Requirements such as `transformers>=5` that keyword checks are made for;
            the installed versions where none is given, the newest known ones otherwise.
        loader_modules: gitignore-style patterns of files that are the loader itself and may load raw.
        require_suppression_reason: A suppression comment must say why, or it suppresses nothing.
        root: The folder that `exclude` and `loader_modules` are relative to.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    scope: Scope = "base"
    base_models: tuple[str, ...] = ()
    chat_models: tuple[str, ...] = ()
    min_items: int = 200
    target_versions: tuple[str, ...] = ()
    loader_modules: tuple[str, ...] = ()
    require_suppression_reason: bool = True
    root: Path = Path()


def selected(settings: Settings) -> frozenset[str]:
    """The codes that a run with these settings reports.

    Raises:
        ConfigError: An entry of `select` or `ignore` names nothing that a lint rule looks for.
    """
    try:
        return resolve(settings.select, settings.ignore)
    except UnknownSelectorError as error:
        raise ConfigError(str(error)) from None


def load_settings(start: Path, explicit: Path | None = None) -> Settings:
    """The settings that hold for `start`.

    Args:
        start: The file or folder that is checked. The nearest pyproject.toml with a
            `[tool.cleanguard]` table in it or above it counts, up to the folder that holds `.git`.
        explicit: A file with the same table, read instead; its patterns are relative to the current folder.

    Raises:
        ConfigError: A file that cannot be read, a key that does not exist, a value of the wrong type.
    """
    if explicit is not None:
        source = read(explicit)
        table = _table(source.data)
        if table is None:
            raise source.error("there is no [tool.cleanguard] table; add one above the keys")
        return _settings(source, table, Path.cwd())
    start = start.absolute()
    folder = top = start if start.is_dir() else start.parent
    for top in _folders_up(folder):
        path = top / "pyproject.toml"
        if path.is_file():
            source = read(path)
            table = _table(source.data)
            if table is not None:
                return _settings(source, table, top)
    return Settings(root=top if (top / ".git").exists() else folder)


def _folders_up(folder: Path) -> Iterator[Path]:
    for candidate in (folder, *folder.parents):
        yield candidate
        if (candidate / ".git").exists():
            return


def _table(data: Mapping[str, Any]) -> Any:
    tool = data.get("tool", {})
    return tool.get("cleanguard") if isinstance(tool, dict) else None


def _settings(source: ConfigFile, table: Any, root: Path) -> Settings:
    if not isinstance(table, dict):
        raise source.error("`tool.cleanguard` must be a table", "cleanguard")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _PARSERS:
            known = ", ".join(sorted(_PARSERS))
            problem = f"unknown key {key!r}{did_you_mean(key, _PARSERS)} (known keys: {known})"
            raise source.error(problem, key)
        values[key.replace("-", "_")] = _PARSERS[key](source, key, value)
    return Settings(**values, root=root)


def _strings(source: ConfigFile, key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise source.error(f"`{key}` must be a list of strings, not {value!r}", key)


def _flag(source: ConfigFile, key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise source.error(f"`{key}` must be true or false, not {value!r}", key)


def _scope(source: ConfigFile, key: str, value: Any) -> Scope:
    for scope in get_args(Scope):
        if value == scope:
            return scope  # type: ignore[no-any-return]
    hint = did_you_mean(value, get_args(Scope)) if isinstance(value, str) else ""
    raise source.error(f'`{key}` must be "base" or "all", not {value!r}{hint}', key)


def _entries(
    codes: Callable[[str], frozenset[str]],
) -> Callable[[ConfigFile, str, Any], tuple[str, ...]]:
    def parse(source: ConfigFile, key: str, value: Any) -> tuple[str, ...]:
        entries = _strings(source, key, value)
        for entry in entries:
            try:
                codes(entry)
            except UnknownSelectorError as error:
                raise source.error(f"`{key}`: {error}", key, entry) from None
        return entries

    return parse


def _whole(source: ConfigFile, key: str, value: Any) -> int:
    if type(value) is int and value > 0:
        return value
    raise source.error(f"`{key}` must be a whole number above 0, not {value!r}", key)


def _targets(source: ConfigFile, key: str, value: Any) -> tuple[str, ...]:
    targets = _strings(source, key, value)
    for target in targets:
        if not _TARGET.match(target):
            problem = f"`{key}`: {target!r} is not like `transformers==4.57` or `trl>=1`"
            raise source.error(problem, key, target)
    return targets


def _patterns(source: ConfigFile, key: str, value: Any) -> tuple[str, ...]:
    from pathspec import GitIgnoreSpec

    patterns = _strings(source, key, value)
    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError:
            raise source.error(
                f"`{key}`: {pattern!r} is not a gitignore pattern", key, pattern
            ) from None
    return patterns


_TARGET = re.compile(r"^[A-Za-z][\w.-]*\s*(==|>=)\s*\d+(\.\d+)*$")
_PARSERS: Mapping[str, Callable[[ConfigFile, str, Any], Any]] = {
    "select": _entries(linted_codes_of),
    "ignore": _entries(codes_of),
    "exclude": _patterns,
    "scope": _scope,
    "base-models": _strings,
    "chat-models": _strings,
    "min-items": _whole,
    "target-versions": _targets,
    "loader-modules": _patterns,
    "require-suppression-reason": _flag,
}
