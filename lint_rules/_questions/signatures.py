"""The keywords of library calls, by version: data that tools/build_signatures.py made."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

Version = tuple[int, ...]

# Old names and what they are called now, per callable; `*` stands for all.
RENAMED: dict[str, dict[str, str]] = {
    "*Trainer": {"tokenizer": "processing_class"},
    "*": {
        "evaluation_strategy": "eval_strategy",
        "max_seq_length": "max_length",
        "no_cuda": "use_cpu",
        "per_gpu_train_batch_size": "per_device_train_batch_size",
        "per_gpu_eval_batch_size": "per_device_eval_batch_size",
        "push_to_hub_model_id": "hub_model_id",
        "push_to_hub_token": "hub_token",
        "use_auth_token": "token",
        "add_special_token": "add_special_tokens",
    },
}


@dataclass(frozen=True, slots=True)
class Known:
    """The keywords of one callable in one version of its library.

    Attributes:
        version: The library's version.
        keywords: All that it takes.
        is_open: It passes others on, so that only slips of the pen can be told.
        elsewhere: Keywords that it takes in another version that the data knows.
        chosen: The version was configured or is installed, not just the newest one known.
    """

    version: str
    keywords: frozenset[str]
    is_open: bool
    elsewhere: frozenset[str]
    chosen: bool


def known(library: str, name: str, targets: tuple[str, ...]) -> Known | None:
    """What is known of a callable in the version that counts, None if nothing is."""
    tables = _tables().get(library, {})
    if not tables:
        return None
    version, chosen = _version(library, tuple(tables), targets)
    entry = tables[version].get(name)
    if entry is None:
        return None
    others = (table[name]["keywords"] for table in tables.values() if name in table)
    return Known(
        version,
        frozenset(entry["keywords"]),
        bool(entry["open"]),
        frozenset(keyword for keywords in others for keyword in keywords),
        chosen,
    )


def renamed(name: str, keyword: str) -> str | None:
    """What a keyword of a callable is called now."""
    if name.endswith("Trainer") and keyword in RENAMED["*Trainer"]:
        return RENAMED["*Trainer"][keyword]
    return RENAMED["*"].get(keyword)


def _version(
    library: str, available: tuple[str, ...], targets: tuple[str, ...]
) -> tuple[str, bool]:
    """The table to use: of the configured version, the installed one, or the newest."""
    wanted = _configured(library, targets) or _installed(library)
    newest = max(available, key=_parsed)
    if wanted is None:
        return newest, False
    not_newer = [version for version in available if _parsed(version) <= _parsed(wanted)]
    same_major = [v for v in not_newer if _parsed(v)[:1] == _parsed(wanted)[:1]]
    if same_major:
        return max(same_major, key=_parsed), True
    # Between two known versions, or before the first: the nearest later one of the same major.
    later = [v for v in available if _parsed(v)[:1] == _parsed(wanted)[:1]]
    return (min(later, key=_parsed), True) if later else (newest, False)


def _configured(library: str, targets: tuple[str, ...]) -> str | None:
    for target in targets:
        match = re.match(r"([\w.-]+?)\s*(?:==|>=)\s*([\d.]+)$", target)
        if match is not None and match[1].lower() == library:
            return match[2]
    return None


@cache
def _installed(library: str) -> str | None:
    # Only now, and so below: they load the parsers of mail and of archives.
    from importlib import metadata

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _parsed(version: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


@cache
def _tables() -> dict[str, dict[str, dict[str, Any]]]:
    from importlib import resources

    text = (
        resources.files("lint_rules._questions")
        .joinpath("signatures.json")
        .read_text(encoding="utf-8")
    )
    tables: dict[str, dict[str, dict[str, Any]]] = json.loads(text)
    return tables
