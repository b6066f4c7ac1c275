"""What a stage reads is looked for before torch is imported: a wrong path is told in a moment, not in eight seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from guard.files.naming import refuse_no_model
from stages.config import options_of
from stages.lineage import refuse_no_adapter
from stages.models import TINY
from stages.suites.registry import find_suite


def refuse_absent(config: Any) -> None:
    """Refuse a configuration that names a file, an adapter, a suite or a model that is not there.

    A configuration whose `unread` names settings does not read those, as it stands.

    Raises:
        JobError: One is absent, or is a suite that cannot be read; the first in the order of the settings.
        GuardError: The model is no directory and no hub id.
    """
    unread: frozenset[str] = getattr(config, "unread", frozenset())
    for one in options_of(type(config)):
        if one.reads is None or one.key in unread:
            continue
        value = config
        for part in one.key.split("."):
            value = getattr(value, part)
        for entry in value if one.many else (value,):
            if entry is not None:
                _LOOKS[one.reads](one.key, entry)


def _file(key: str, path: Path) -> None:
    if path.expanduser().is_file():
        return
    if path.is_dir():
        raise JobError(f"{path}: `{key}` wants a file and this is a folder; name the file in it")
    if not path.exists():
        raise JobError(
            f"{path}: there is no such file; run the stage that makes it, or name another"
        )


def _adapter(key: str, path: Path) -> None:
    refuse_no_adapter(path, key)


def _adapters(key: str, text: str) -> None:
    name, _, rest = (part.strip() for part in text.partition("="))
    whole = Path(rest).expanduser()
    for part in [rest] if whole.exists() else rest.split("+"):
        _adapter(f"{key}: {name}", Path(part.strip()))


def _suite(_key: str, name: str) -> None:
    find_suite(name)


def _model(_key: str, name: str) -> None:
    if name != TINY:
        refuse_no_model(name)


_LOOKS: Mapping[str, Callable[[str, Any], None]] = {
    "file": _file,
    "adapter": _adapter,
    "adapters": _adapters,
    "suite": _suite,
    "model": _model,
}
