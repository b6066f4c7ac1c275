"""Scorers of the user's own: `python:module.function`, called with an answer and its item."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from cleanguard.catalogue.selection import did_you_mean
from stages.suites.item import SuiteError, SuiteItem

PREFIX = "python:"
_ours: set[str] = set()  # modules that a suite brought in


def function_of(name: str, folder: Path | None) -> Callable[[str, Mapping[str, Any]], Any]:
    """The function that a scorer names.

    Args:
        name: `python:module.function`; the module is looked for beside the suite, in the folder
            that the run was started in, and among what is installed.
        folder: Where the suite lies.

    Raises:
        SuiteError: There is no such module or function, or it fails when it is imported.
    """
    where, _, function = name.removeprefix(PREFIX).rpartition(".")
    if not where or not function.isidentifier():
        raise SuiteError(f"scorer is {name!r}; expected python:module.function")
    _forget_others(where, folder)
    with _looking_in(folder):
        try:
            module = importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise SuiteError(
                f"scorer is {name!r}, and there is no module {error.name!r} beside the suite, in "
                f"{Path.cwd()}, or installed"
            ) from None
        except Exception as error:  # noqa: BLE001 - it is somebody's code, and may raise anything
            raise SuiteError(
                f"scorer is {name!r}; importing {where} fails: {_said(error)}"
            ) from None
    found = getattr(module, function, None)
    if not callable(found):
        known = [one for one, value in vars(module).items() if inspect.isfunction(value)]
        raise SuiteError(
            f"scorer is {name!r}, and {where} has no function {function!r}"
            f"{did_you_mean(function, known)}"
        )
    _ours.add(where)
    return found  # type: ignore[no-any-return]  # callable, as far as one can ask


def by_code(item: SuiteItem, text: str) -> bool:
    """The verdict of the user's function.

    Raises:
        SuiteError: It raises, or returns something else than True or False.
    """
    check = function_of(item.scorer, None)
    try:
        verdict = check(text, handed(item))
    except Exception as error:  # noqa: BLE001 - as above
        raise SuiteError(f"{item.scorer} fails on the answer {text!r}: {_said(error)}") from None
    if not isinstance(verdict, bool):
        raise SuiteError(f"{item.scorer} returns {verdict!r}; expected True or False")
    return verdict


def handed(item: SuiteItem) -> dict[str, Any]:
    """What the function is told of an item."""
    return {
        "id": item.id,
        "prompt": item.prompt,
        "gold": list(item.gold),
        "cluster": item.cluster,
        "slice": item.slice,
        "data": None if item.data is None else json.loads(item.data),
    }


def source_digests(items: tuple[SuiteItem, ...], folder: Path | None) -> dict[str, str | None]:
    """SHA-256 of the files that the scorers stand in; None for one that has none."""
    found: dict[str, str | None] = {}
    for name in sorted({item.scorer for item in items if item.scorer.startswith(PREFIX)}):
        try:
            file = inspect.getsourcefile(function_of(name, folder))
            found[name] = sha256(Path(file).read_bytes()).hexdigest() if file else None
        except (TypeError, OSError):
            found[name] = None
    return found


def _forget_others(where: str, folder: Path | None) -> None:
    """A module of the same name beside another suite is another module."""
    if folder is None or where not in _ours:
        return
    own = folder.joinpath(*where.split(".")).with_suffix(".py")
    file = getattr(sys.modules.get(where), "__file__", None)
    if own.is_file() and file is not None and Path(file).resolve() != own.resolve():
        del sys.modules[where]


@contextmanager
def _looking_in(folder: Path | None) -> Iterator[None]:
    places = [str(one.resolve()) for one in (folder, Path.cwd()) if one is not None]
    before = list(sys.path)
    sys.path[:0] = [one for one in places if one not in sys.path]
    try:
        yield
    finally:
        sys.path[:] = before


def _said(error: Exception) -> str:
    """An error with the place in the user's code where it arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {error}{where}"
