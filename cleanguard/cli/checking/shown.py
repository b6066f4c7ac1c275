"""Says which files a check would look at, and with which settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from cleanguard.files import SourceFile
from cleanguard.report.counting import counted
from cleanguard.report.spoken import say
from cleanguard.settings.config import Settings, selected
from cleanguard.version import VERSION


def show(settings: Settings, files: Sequence[SourceFile], *, names: bool) -> None:
    """Print the files, or the settings of the first of them in TOML."""
    if names:
        for file in files:
            if file.unlisted is None:
                say(file.name)
            else:
                reason = file.unlisted.lower()
                say(f"cleanguard: {file.name}: cannot list the folder: {reason}", err=True)
        return
    if files:
        say(f"# of {files[0].name}")
        settings = settings.at(files[0].path)
    say(f"# patterns count from {settings.root.absolute()}")
    say("[tool.cleanguard]")
    for one in fields(settings):
        if one.name not in ("root", "nested"):
            value = getattr(settings, one.name)
            key = one.name.replace("_", "-")
            say(f"{key} = {_toml(key, value)}" if value is not None else f"# {key} is not set")
    say(f"# codes that are looked for: {', '.join(sorted(selected(settings)))}")


def explain_run(settings: Settings, files: Sequence[SourceFile]) -> None:
    """Say which configurations hold and how much is looked at, on the error stream."""
    say(f"cleanguard {VERSION}: {counted(len(files), 'file')} to check", err=True)
    for root, own in ((settings.root.absolute(), settings), *settings.nested):
        number = sum(settings.at(file.path) is own for file in files)
        if number:
            codes = len(selected(own))
            say(
                f"  {counted(number, 'file')} with the configuration of {root}: {codes} codes",
                err=True,
            )


def _toml(key: str, value: Any) -> str:
    if key in ("per-file-ignores", "severities"):
        entries = (f"{json.dumps(name)} = {json.dumps(what)}" for name, what in value)
        return f"{{ {', '.join(entries)} }}" if value else "{}"
    return json.dumps(list(value) if isinstance(value, tuple) else value)
