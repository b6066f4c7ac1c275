"""Finds an adapter's files: a directory, or a repository of the hub resolved to one commit first."""

from __future__ import annotations

import re
from pathlib import Path

from guard.errors import AdapterNotFoundError, ModelNotFoundError, SettingsError
from guard.files import hub

HUB_ID = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")


def find_adapter(path: str, revision: str | None = None, *, pickles: bool = False) -> Path:
    """The directory that holds an adapter; of a repository, its snapshot in the hub cache.

    A directory of that name comes first, as PEFT has it. Pickled weights are fetched with `pickles` alone.

    Raises:
        SettingsError: A revision of a directory, or one that is no text.
        AdapterNotFoundError: It is a hub id, and the hub has no adapter there or cannot be reached.
    """
    if revision is not None and not isinstance(revision, str):
        raise SettingsError(
            f"revision={revision!r} is no string", remedy="quote it: it may be a number"
        )
    directory = Path(path).expanduser()
    if directory.exists() or not HUB_ID.fullmatch(path):
        if revision is not None:
            raise SettingsError(
                f"revision={revision!r} with {directory}, which is no hub id", remedy="leave it out"
            )
        return directory
    try:
        commit = hub.commit_of(
            path, revision, cache_dir=None, token=None, local_files_only=False,
            small=("adapter_config.json",),
        )  # fmt: skip
    except ModelNotFoundError as error:
        raise AdapterNotFoundError(
            str(error.args[0]), evidence=error.evidence, remedy=error.remedy
        ) from None
    return hub.download(
        path,
        commit,
        cache_dir=None,
        token=None,
        local_files_only=False,
        weights=True,
        pickles=pickles,
    )
