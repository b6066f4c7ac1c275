"""How the values of `[tool.cleanguard]` are read: one parser for each key, complaints with file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from cleanguard.catalogue.hazards import Severity
from cleanguard.catalogue.selection import (
    UnknownSelectorError,
    codes_of,
    did_you_mean,
    linted_codes_of,
)
from cleanguard.settings.config_file import ConfigFile
from cleanguard.settings.ignores import Patterns

Scope = Literal["base", "all"]
FileIgnores = tuple[tuple[str, tuple[str, ...]], ...]
Severities = tuple[tuple[str, Severity], ...]


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


def _selection(source: ConfigFile, key: str, value: Any) -> tuple[str, ...]:
    entries = _entries(linted_codes_of)(source, key, value)
    if not entries:
        # Reporting nothing would pass for clean, and what is meant may be either.
        problem = f"`{key}` names nothing; leave it out for the defaults, or name codes"
        raise source.error(problem, key)
    return entries


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
        library = re.split(r"[\s=>]", target)[0]
        if library.lower() not in LIBRARIES:
            known = ", ".join(LIBRARIES)
            near = did_you_mean(library, LIBRARIES)
            problem = f"`{key}`: nothing is known of {library!r}{near} (known: {known})"
            raise source.error(problem, key, target)
    return targets


def _patterns(source: ConfigFile, key: str, value: Any) -> tuple[str, ...]:
    patterns = _strings(source, key, value)
    for pattern in patterns:
        try:
            Patterns.of(".", [pattern])
        except ValueError:
            raise source.error(
                f"`{key}`: {pattern!r} is not a gitignore pattern", key, pattern
            ) from None
    return patterns


def _path(source: ConfigFile, key: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise source.error(f"`{key}` must be the path of a file, not {value!r}", key)


def _file_ignores(source: ConfigFile, key: str, value: Any) -> FileIgnores:
    table = _of_strings(source, key, value, "file patterns")
    _patterns(source, key, list(table))
    return tuple(
        (pattern, _entries(codes_of)(source, key, codes)) for pattern, codes in table.items()
    )


def _severities(source: ConfigFile, key: str, value: Any) -> Severities:
    parsed: list[tuple[str, Severity]] = []
    for entry, wanted in _of_strings(source, key, value, "codes").items():
        _entries(codes_of)(source, key, [entry])
        severity = next((known for known in get_args(Severity) if known == wanted), None)
        if severity is None:
            hint = did_you_mean(wanted, get_args(Severity)) if isinstance(wanted, str) else ""
            problem = f'`{key}`: {entry} must be "error" or "warning", not {wanted!r}{hint}'
            raise source.error(problem, entry)
        parsed.append((entry, severity))
    return tuple(parsed)


def _of_strings(source: ConfigFile, key: str, value: Any, keys: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise source.error(f"`{key}` must be a table from {keys}, not {value!r}", key)


# Whose keywords lint_rules/_questions/signatures.json holds.
LIBRARIES = ("transformers", "peft", "trl", "bitsandbytes")
_TARGET = re.compile(r"^[A-Za-z][\w.-]*\s*(==|>=)\s*\d+(\.\d+)*$")
PARSERS: Mapping[str, Callable[[ConfigFile, str, Any], Any]] = {
    "select": _selection,
    "ignore": _entries(codes_of),
    "exclude": _patterns,
    "extend-exclude": _patterns,
    "fixable": _entries(codes_of),
    "unfixable": _entries(codes_of),
    "scope": _scope,
    "base-models": _strings,
    "chat-models": _strings,
    "min-items": _whole,
    "target-versions": _targets,
    "loader-modules": _patterns,
    "require-suppression-reason": _flag,
    "extend": _path,
    "extend-select": _entries(linted_codes_of),
    "force-exclude": _flag,
    "per-file-ignores": _file_ignores,
    "severities": _severities,
    "baseline": _path,
}
