"""Settings of a run: `[tool.cleanguard]` in pyproject.toml, or the file given with `--config`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cleanguard.catalogue.selection import UnknownSelectorError, did_you_mean, resolve
from cleanguard.settings.config_file import (
    ConfigError,
    ConfigFile,
    mentions,
    parsed,
    read,
    shown_path,
)
from cleanguard.settings.config_values import PARSERS, FileIgnores, Scope, Severities

__all__ = [
    "ConfigError",
    "Scope",
    "Settings",
    "complaint",
    "inline_settings",
    "load_settings",
    "own_settings",
    "parsed_option",
    "selected",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a check or a migration can be told.

    Attributes:
        select: Codes, code prefixes such as `CG1`, hazard names, or `ALL`; empty means the defaults.
        extend_select: More of the same, added to `select` or to the defaults.
        ignore: Codes, prefixes or names that are never reported; wins over `select`.
        exclude: gitignore-style patterns, relative to `root`, added to the built-in ones.
        extend_exclude: More of the same, for a file that extends another.
        scope: `base` leaves known chat models alone, `all` reports their loads too.
        base_models: Shell-style patterns of model ids that are base models.
        chat_models: Shell-style patterns of model ids that are chat models.
        min_items: Fewest evaluation items that a reported rate may rest on.
        target_versions: Requirements such as `transformers>=5` that keyword checks are made for;
            the installed versions where none is given, the newest known ones otherwise.
        loader_modules: gitignore-style patterns of files that are the loader itself and may load raw.
        require_suppression_reason: A suppression comment must say why, or it suppresses nothing.
        force_exclude: `exclude` holds for files that are named as well.
        per_file_ignores: gitignore-style patterns, and the codes that are not reported in those files.
        severities: Codes, prefixes or names, and the severity of their findings; the last one counts.
        baseline: The file of findings that are known, relative to `root`.
        root: The folder that patterns and paths are relative to.
        fixable: Codes, prefixes or names whose fixes may be made; empty means all.
        unfixable: Those whose fixes are never made, nor offered; wins over `fixable`.
        nested: Folders with a configuration of their own, absolute, deepest first.
    """

    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    extend_exclude: tuple[str, ...] = ()
    scope: Scope = "base"
    base_models: tuple[str, ...] = ()
    chat_models: tuple[str, ...] = ()
    min_items: int = 200
    target_versions: tuple[str, ...] = ()
    loader_modules: tuple[str, ...] = ()
    require_suppression_reason: bool = True
    force_exclude: bool = False
    per_file_ignores: FileIgnores = ()
    severities: Severities = ()
    baseline: str | None = None
    root: Path = Path()
    fixable: tuple[str, ...] = ()
    unfixable: tuple[str, ...] = ()
    nested: tuple[tuple[str, Settings], ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """All patterns of what is not looked at."""
        return (*self.exclude, *self.extend_exclude)

    def at(self, path: Path | str) -> Settings:
        """The settings that hold for a file: those of the nearest folder at or above it that has some."""
        if not self.nested:
            return self
        absolute = os.path.abspath(path)  # noqa: PTH100 - links stay as they were named
        for folder, settings in self.nested:
            if absolute.startswith(folder + os.sep):
                return settings
        return self


def selected(settings: Settings) -> frozenset[str]:
    """The codes that a run with these settings reports.

    Raises:
        ConfigError: An entry of `select`, `extend_select` or `ignore` names nothing that a lint rule looks for.
    """
    try:
        return resolve(settings.select, settings.ignore, settings.extend_select)
    except UnknownSelectorError as error:
        raise ConfigError(str(error)) from None


# Files that extend each other; more are a mistake, or a hostile repository's.
_LONGEST_CHAIN = 16


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
        if path.exists() and not path.is_dir():
            source = read(path)
            table = _table(source.data)
            if table is not None:
                return _settings(source, table, top)
    return Settings(root=top if (top / ".git").exists() else folder)


def own_settings(folder: Path) -> Settings | None:
    """The settings of a folder that has some itself; None where its pyproject.toml says nothing to us.

    Raises:
        ConfigError: The file speaks to us and cannot be used.
    """
    path = folder / "pyproject.toml"
    if not mentions(path, b"cleanguard"):
        return None
    source = read(path)
    table = _table(source.data)
    return None if table is None else _settings(source, table, folder)


def complaint(settings: Settings, key: str, problem: str) -> str:
    """A problem with what a key of these settings names, with the file and the line that say so."""
    path = settings.root / "pyproject.toml"
    try:
        return str(read(path).error(f"`{key}`: {problem}", key))
    except ConfigError:
        return problem


def inline_settings(text: str, settings: Settings) -> Settings:
    """The settings with `key = value` in TOML on top, as a command line gives it.

    Raises:
        ConfigError: It is no TOML, or a key or value is wrong.
    """
    source = parsed(Path(f"--config '{text}'"), text, named=False)
    if "extend" in source.data:
        raise source.error("`extend` stands in files only")
    # Without the text, so that no line of it is named.
    return replace(settings, **_values(replace(source, text=""), source.data, ()))


def parsed_option(key: str, value: Any, option: str | None = None) -> Any:
    """A value of the command line, read as the configuration reads that key.

    Args:
        key: Of the configuration.
        value: What was given.
        option: What the option is called, where it is not called like the key.

    Raises:
        ConfigError: It is not one.
    """
    return PARSERS[key](ConfigFile(Path("the command line"), "", {}), option or f"--{key}", value)


def _folders_up(folder: Path) -> Iterator[Path]:
    for candidate in (folder, *folder.parents):
        yield candidate
        if (candidate / ".git").exists():
            return


def _table(data: Mapping[str, Any]) -> Any:
    tool = data.get("tool", {})
    return tool.get("cleanguard") if isinstance(tool, dict) else None


def _settings(source: ConfigFile, table: Any, root: Path) -> Settings:
    return Settings(**_values(source, table, (source.path.resolve(),)), root=root)


def _values(source: ConfigFile, table: Any, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The values of a table, on top of those of the file that it extends."""
    if not isinstance(table, dict):
        raise source.error("`tool.cleanguard` must be a table", "cleanguard")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in PARSERS:
            known = ", ".join(sorted(PARSERS))
            problem = f"unknown key {key!r}{did_you_mean(key, PARSERS)} (known keys: {known})"
            raise source.error(problem, key)
        values[key.replace("-", "_")] = PARSERS[key](source, key, value)
    extended = values.pop("extend", None)
    if extended is None:
        return values
    if "\0" in extended:
        raise source.error("`extend` holds a NUL, which no path does", "extend")
    path = (seen[-1].parent / extended).resolve()
    if path in seen:
        raise source.error("`extend` leads back to this file", "extend")
    if len(seen) == _LONGEST_CHAIN:
        chain = f"more than {_LONGEST_CHAIN} files extend each other"
        raise source.error(f"{chain}; put them together", "extend")
    if not os.path.exists(path):  # noqa: PTH110 - a name that is too long is no file
        raise source.error(f"`extend`: there is no file {shown_path(path)}", "extend")
    base = read(path)
    inherited = _table(base.data)
    if inherited is None:
        raise base.error("there is no [tool.cleanguard] table to extend")
    return {**_values(base, inherited, (*seen, path)), **values}
