"""Keeps a trial run from writing anywhere but into its scratch copy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Audit events of calls that change what a path leads to, with the arguments that name one and that of its folder.
_CHANGES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.chmod": ((0, 2),),
    "os.chown": ((0, 3),),
    "os.truncate": ((0, None),),
    "os.utime": ((0, 3),),
    "os.setxattr": ((0, None),),
    "os.removexattr": ((0, None),),
    "os.chflags": ((0, None),),
}
# The same of the name itself: a link in the copy may go, what it leads to is left.
_NAMES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.symlink": ((1, 2),),
    "shutil.rmtree": ((0, None),),
}
# The libraries' own caches, which hold what was downloaded or built, and never what a model said.
_CACHES = ("huggingface", "torch", "matplotlib", "fontconfig", "numba", "triton")
_NAMED = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE", "TORCH_HOME",
          "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")  # fmt: skip
_DEVICES = "/dev"
_SHARED = "/dev/shm"


class OutOfBoundsError(PermissionError):
    """The script changes what a trial run must not touch; the message says what, and what to do."""


def caches() -> tuple[str, ...]:
    """Where the libraries keep what they downloaded or built."""
    home = Path.home()
    shared = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    places = [shared / name for name in _CACHES]
    places += [home / ".config/matplotlib", home / ".triton"]
    named = [os.environ[name] for name in _NAMED if os.environ.get(name)]
    return tuple(os.path.realpath(str(place)) for place in (*places, *named))


def confine(scratch: Path, original: Path) -> tuple[str, ...]:
    """From now on, this process may write into the scratch copy and into the libraries' caches, nowhere else.

    Args:
        scratch: The copy.
        original: What it is a copy of; it is out of bounds wherever it lies.

    Returns:
        The folders that it may write below, for `codemods.proof.landlock`.
    """
    copy, source = os.path.realpath(scratch), os.path.realpath(original)
    allowed = tuple(place for place in caches() if not _is_in(source, place))

    def refuse(path: Any, folder: Any, resolve: Callable[[str], str]) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # an open descriptor
        said = os.fsdecode(path)
        if isinstance(folder, int) and folder >= 0:
            said = str(Path(os.path.realpath(f"/proc/self/fd/{folder}"), said))
        real = resolve(said)
        device = _is_in(real, _DEVICES) and not _is_in(real, _SHARED)
        known = device or any(_is_in(real, place) for place in allowed)
        if _is_in(real, copy) or (known and not _is_in(real, source)):
            return
        raise OutOfBoundsError(
            f"the script writes to {said}, which a trial run must not touch; give it a relative path"
        )

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            wants = any(letter in mode for letter in "wax+") if mode else bool(flags & _WRITES)
            if wants:
                refuse(path, None, os.path.realpath)
        elif event == "sqlite3.connect":
            database = _database(args[0])
            if database is not None:
                refuse(database, None, os.path.realpath)
        elif event == "os.link":  # what is written to the one is written to the other
            refuse(args[0], args[2], os.path.realpath)
            refuse(args[1], args[3], _of_name)
        else:
            for index, place in _CHANGES.get(event, ()):
                refuse(args[index], None if place is None else args[place], os.path.realpath)
            for index, place in _NAMES.get(event, ()):
                refuse(args[index], None if place is None else args[place], _of_name)

    sys.addaudithook(watch)
    return (copy, _DEVICES, *(place for place in allowed if not _is_in(place, source)))


def report_writers() -> None:
    """Let writers that are no Python code, where they are loaded, tell of the files that they open."""
    for module, name, at in (
        ("torch", "save", 1),
        ("safetensors.torch", "serialize_file", 1),
        ("safetensors.numpy", "serialize_file", 1),
    ):
        holder = sys.modules.get(module)
        if holder is not None and hasattr(holder, name):
            setattr(holder, name, _reporting(getattr(holder, name), at))


def _reporting(plain: Callable[..., Any], at: int) -> Callable[..., Any]:
    def write(*args: Any, **said: Any) -> Any:
        target = args[at] if len(args) > at else said.get("f", said.get("filename"))
        if isinstance(target, (str, os.PathLike)):
            sys.audit("open", target, "wb", os.O_WRONLY)
        return plain(*args, **said)

    return write


def _of_name(path: str) -> str:
    """The real place of a name, whatever it leads to."""
    folder, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return str(Path(os.path.realpath(folder or "."), name))


def _database(name: Any) -> Any:
    """The file that a connection may write to, None for one in memory or for reading."""
    said = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""
    if not said or said == ":memory:":
        return None
    if not said.startswith("file:"):
        return said
    path, _, query = said.removeprefix("file:").partition("?")
    reads = any(part in query for part in ("mode=ro", "mode=memory", "immutable=1"))
    return None if reads or path == ":memory:" or not path else unquote(path.removeprefix("//"))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
