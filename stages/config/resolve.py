"""Puts a configuration together: defaults, then a preset, then a file, then the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from cleanguard.catalogue.selection import did_you_mean
from cleanguard.errors import JobError
from cleanguard.settings.config_file import ConfigError
from stages.config.fields import Option, options_of
from stages.config.source import read_settings
from stages.config.values import ValueProblem, value_for

Config = TypeVar("Config")
Presets = Mapping[str, Mapping[str, Any]]
DEFAULT_PRESET = "tiny"


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave, and where, for messages."""

    value: Any
    where: str


def resolve(
    config: type[Config],
    presets: Presets,
    *,
    file: Path | None = None,
    preset: str | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Config:
    """Build a configuration.

    Args:
        config: A dataclass whose fields are declared with `option` and `section`.
        presets: Settings by dotted key, for each name.
        file: TOML or YAML; its key `preset` names a preset as well.
        preset: Without one, `tiny` is taken unless the file or the caller names another model: what
            is said is put on top of the same values however it is said.
        overrides: Text from the command line by dotted key.

    Raises:
        ConfigError: A key that does not exist, or a value that it cannot have; the message says
            where it stands.
    """
    known = {one.key: one for one in options_of(config)}
    overrides = overrides or {}
    said = dict(read_settings(file)) if file is not None else {}
    named, line = said.pop("preset", (None, None))
    if preset is None and named is not None:
        preset = _known_preset(named, presets, f"{file}:{line}" if line else str(file))
    elif preset is not None:
        preset = _known_preset(preset, presets, "--preset")
    elif DEFAULT_PRESET in presets and _model_id(said, overrides) in (None, DEFAULT_PRESET):
        preset = DEFAULT_PRESET
    given = {key: Given(value, f"preset {preset}") for key, value in presets.get(preset or "", {}).items()}  # fmt: skip
    for key, (value, line) in said.items():
        given[key] = Given(value, f"{file}:{line}" if line else str(file))
    for key, text in overrides.items():
        given[key] = Given(text, _typed(key))
    values = {key: _value(known, key, one) for key, one in given.items()}
    try:
        built: Config = _built(config(), values, "")
        return built
    except JobError as error:
        raise ConfigError(f"{_culprit(given, str(error))}{error}") from None


def _model_id(said: Mapping[str, Any], overrides: Mapping[str, str]) -> Any:
    """The model that somebody named; None if nobody did."""
    return overrides.get("model.id", said.get("model.id", (None, None))[0])


def _known_preset(name: Any, presets: Presets, where: str) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"{where}: preset {name!r} is not text; name one of {', '.join(presets)}")
    if name in presets:
        return name
    known = ", ".join(presets)
    raise ConfigError(
        f"{where}: there is no preset {name!r} here ({known}){did_you_mean(str(name), presets)}"
    )


def _value(known: Mapping[str, Option], key: str, given: Given) -> Any:
    if key not in known:
        raise ConfigError(f"{given.where}: unknown key {key!r}{_near(key, known)}")
    try:
        return value_for(known[key], given.value)
    except ValueProblem as problem:
        raise ConfigError(f"{given.where}: {key}: {problem}") from None


def _near(key: str, known: Mapping[str, Option]) -> str:
    """A proposal: the nearest key, or the one whose last part was written without its section."""
    ends = [one for one in known if one.rpartition(".")[2] == key.rpartition(".")[2]]
    return f"; did you mean {ends[0]!r}?" if ends else did_you_mean(key, known)


def _built(config: Any, values: Mapping[str, Any], prefix: str) -> Any:
    """A copy of a configuration with values put in, checked by its own `__post_init__`."""
    changes: dict[str, Any] = {}
    hints = get_type_hints(type(config))
    for one in fields(config):
        key = prefix + one.name
        if is_dataclass(hints[one.name]):
            changes[one.name] = _built(getattr(config, one.name), values, f"{key}.")
        elif key in values:
            changes[one.name] = values[key]
    return replace(config, **changes)


def _typed(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _culprit(given: Mapping[str, Given], message: str) -> str:
    """Where the first setting that a complaint names stands, if somebody gave it."""
    found = [(message.find(key), one.where) for key, one in given.items() if key in message]
    return f"{min(found)[1]}: " if found else ""
