"""Reads a configuration file, TOML or YAML, and knows the line of each key."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from cleanguard.editing.read import regular
from cleanguard.nesting import nested_deeper_than
from cleanguard.settings.config_file import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
_DEEPEST = 100  # far below where the parsers give up, far above what anyone writes
_ENTRY = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


def read_settings(path: Path) -> dict[str, tuple[Any, int | None]]:
    """The settings of a file by dotted key, each with the line it stands on.

    Args:
        path: A `.toml`, `.yaml` or `.yml` file.

    Raises:
        ConfigError: The file cannot be read, or is neither.
    """
    data, lines = _read(path)
    found: dict[str, tuple[Any, int | None]] = {}
    for key, value in _flat(data):
        if key in found:  # `"model.id"` in quotes, and `id` in `model`
            raise ConfigError(f"{path}:{lines.get(key, 1)}: {key} is set twice; keep one of them")
        found[key] = (value, lines.get(key))
    return found


def load_data(path: Path) -> dict[str, Any]:
    """The content of a TOML or YAML file; raises ConfigError as `read_settings` does."""
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        text = regular(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8") from None
    if path.suffix in (".yaml", ".yml"):
        return _yaml(path, text)
    if path.suffix != ".toml":
        raise ConfigError(f"{path}: expected a .toml, .yaml or .yml file")
    return _toml(path, text)


def _toml(path: Path, text: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # a number of 5,000 digits is no TOMLDecodeError
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise _too_deep(path, _deep_line(text)) from None
    if nested_deeper_than(data, _DEEPEST):
        raise _too_deep(path, _deep_line(text))
    return data, _toml_lines(text)


def _deep_line(text: str) -> int:
    """The line on which a TOML file that is nested too deeply becomes so, as far as brackets tell."""
    depth = 0
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        opened = line.count("[") + line.count("{")
        if depth + opened + line.partition("=")[0].count(".") >= _DEEPEST:
            return number
        depth += opened - line.count("]") - line.count("}")
    return len(lines)


def _too_deep(path: Path, line: int | None = None) -> ConfigError:
    where = f"{path}:{line}" if line else str(path)
    return ConfigError(f"{where}: nested more than {_DEEPEST} deep; write it flat")


def _toml_lines(text: str) -> dict[str, int]:
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _dotted(header[1]) + "."
        elif entry := _ENTRY.match(line):
            lines.setdefault(table + _dotted(entry[1]), number)
    return lines


def _dotted(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _yaml(path: Path, text: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        yaml: Any = import_module("yaml")
    except ImportError:
        raise ConfigError(f"{path}: PyYAML is not installed; write it as TOML") from None
    try:
        _refuse_tangles(path, yaml, text)
        data = yaml.safe_load(text)
        tree = yaml.compose(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', error)}") from None
    except ValueError as error:  # a date that is none
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if data is None:
        return {}, {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values")
    if nested_deeper_than(data, _DEEPEST):
        raise _too_deep(path)
    lines: dict[str, int] = {}
    for key, line in _yaml_lines(tree, ""):
        if key in lines:
            raise ConfigError(
                f"{path}:{line}: {key} stands in line {lines[key]} already; keep one of them"
            )
        lines[key] = line
    return data, lines


def _refuse_tangles(path: Path, yaml: Any, text: str) -> None:
    """Refuse what is nested too deeply, and a value that holds itself, before anything recurses."""
    around: list[str | None] = []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            around.append(event.anchor)
            if len(around) > _DEEPEST:
                raise _too_deep(path, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            around.pop()
        elif isinstance(event, yaml.AliasEvent) and event.anchor in around:
            raise ConfigError(
                f"{path}:{line}: *{event.anchor} stands inside &{event.anchor}, so the value would "
                "hold itself; write it out"
            )


def _yaml_lines(node: Any, prefix: str) -> Iterator[tuple[str, int]]:
    if node.id == "mapping":
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            yield name, key.start_mark.line + 1
            yield from _yaml_lines(value, f"{name}.")
    elif node.id == "sequence":
        for number, value in enumerate(node.value):
            yield from _yaml_lines(value, f"{prefix}{number}.")


def _flat(data: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
