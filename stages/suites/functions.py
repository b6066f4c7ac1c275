"""Runs scorers of the user's own, in a process that does nothing else; `stages.suites.code` asks it.

A function may loop for ever, print, or end its process: none of it reaches the run. faulthandler's
watchdog ends the process where a call takes too long, whatever holds the interpreter, and writes where.
"""

from __future__ import annotations

import faulthandler
import importlib
import inspect
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TextIO

from cleanguard.catalogue.selection import did_you_mean

PREFIX = "python:"
_ours: set[str] = set()  # modules that a suite brought in


class _RefusedError(Exception):
    """What is told of a scorer that cannot be used."""


def serve() -> None:
    """Answer each line of the standard input with one; prints of the user's go to the error stream."""
    asked = os.fdopen(os.dup(0), encoding="ascii")
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(asked, lines), daemon=True).start()
    while True:
        request = json.loads(lines.get())
        faulthandler.dump_traceback_later(request["seconds"], exit=True, file=answers.fileno())
        try:
            answer = _answer(request)
        except _RefusedError as error:
            answer = {"refused": str(error)}
        finally:
            faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def function_of(name: str, folder: Path | None) -> Callable[[str, Mapping[str, Any]], Any]:
    """The function that a scorer names, here; `stages.suites.code.look_up` says what is looked at."""
    where, _, function = name.removeprefix(PREFIX).rpartition(".")
    _forget_others(where, folder)
    with _looking_in(folder):
        try:
            module = importlib.import_module(where)
        except ModuleNotFoundError as error:
            raise _RefusedError(
                f"scorer is {name!r}, and there is no module {error.name!r} beside the suite, in "
                f"{Path.cwd()}, or installed"
            ) from None
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is somebody's code
            raise _RefusedError(
                f"scorer is {name!r}; importing {where} fails: {_said(error)}"
            ) from None
    found = getattr(module, function, None)
    if not callable(found):
        known = [one for one, value in vars(module).items() if inspect.isfunction(value)]
        raise _RefusedError(
            f"scorer is {name!r}, and {where} has no function {function!r}"
            f"{did_you_mean(function, known)}"
        )
    _ours.add(where)
    return found  # type: ignore[no-any-return]  # callable, as far as one can ask


def _listen(asked: TextIO, lines: SimpleQueue[str]) -> None:
    for line in asked:
        lines.put(line)
    os._exit(0)  # who asked is gone, and what runs here has nobody to tell


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    os.chdir(request["cwd"])
    name = request["name"]
    check = function_of(name, Path(request["folder"]) if request["folder"] else None)
    if "item" not in request:
        try:
            return {"file": inspect.getsourcefile(check)}
        except TypeError:
            return {"file": None}
    text = request["text"]
    try:
        verdict = check(text, request["item"])
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
        raise _RefusedError(f"{name} fails on the answer {text!r}: {_said(error)}") from None
    if not isinstance(verdict, bool):
        raise _RefusedError(f"{name} returns {verdict!r}; expected True or False")
    return {"verdict": verdict}


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


def _said(error: BaseException) -> str:
    """An error with the place in the user's code where it arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {error}{where}"
