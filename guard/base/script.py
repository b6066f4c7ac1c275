"""Whether a script may be imported again by the processes that a library starts."""

from __future__ import annotations

import inspect
import sys
from ast import If, parse, unparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guard.errors import SettingsError


def refuse_unguarded_script(devices: int) -> None:
    """Refuse a script that would start itself again: vLLM's processes import it.

    Raises:
        SettingsError: Several devices, and the call does not stand under `if __name__ == "__main__":`.
    """
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if devices == 1 or path is None:
        return
    lines = [
        frame.f_lineno
        for frame in _frames()
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__"
    ]
    try:
        body = parse(Path(path).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return  # no script of the user's
    for node in body:
        inside = any(node.lineno <= line <= (node.end_lineno or 0) for line in lines)
        if inside and not (isinstance(node, If) and "__name__" in unparse(node.test)):
            raise SettingsError(
                f"{path}:{node.lineno}: vLLM starts processes that import this script again",
                remedy='put the call into a function, and call that under `if __name__ == "__main__":`',
            )


def _frames() -> Iterator[Any]:
    frame = inspect.currentframe()
    while frame is not None:
        yield frame
        frame = frame.f_back
