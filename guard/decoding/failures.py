"""Tells a model that cannot compute from a caller's own error: what raises inside of its forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from types import FrameType

from guard.base.messages import first_line
from guard.errors import (
    BrokenLookupError,
    BrokenModelError,
    BrokenPassError,
    BrokenValueError,
    GuardError,
)
from guard.files.devices import memory_is_full
from guard.files.hub import torch

_REMEDY = (
    "look at its config.json for values that its code cannot follow (kinds of layers, windows, heads), and at what was "
    "put on it; the full error stands above"
)
_LIBRARIES = ("torch", "transformers", "accelerate", "peft", "bitsandbytes", "triton")


@contextmanager
def forward_failures() -> Iterator[None]:
    """Inside the block, what a library raises in a model's forward becomes a BrokenModelError.

    A configuration can describe a model that is built and filled, and fails at the first token (layers of a
    kind that its code has no cache for). What a caller's own hook or processor raises goes through, as does
    full memory.

    Raises:
        BrokenModelError: With what was said, and where; an IndexError, RuntimeError or ValueError as well where the
            library's was one.
    """
    try:
        yield
    except GuardError:
        raise
    except Exception as error:
        where = None if memory_is_full(error) else _in_forward(error)
        if where is None:
            raise
        said = first_line(error)
        raise _like(
            error,
            f"the model cannot compute what it was given: {type(error).__name__}: {said}",
            where,
        ) from error


def _like(error: Exception, message: str, where: str) -> BrokenModelError:
    """An error that is caught by what catches the library's."""
    evidence = {"error": type(error).__name__, "where": where}
    if isinstance(error, IndexError):
        return BrokenLookupError(message, evidence=evidence, remedy=_REMEDY)
    if isinstance(error, RuntimeError):
        return BrokenPassError(message, evidence=evidence, remedy=_REMEDY)
    if isinstance(error, ValueError):
        return BrokenValueError(message, evidence=evidence, remedy=_REMEDY)
    return BrokenModelError(message, evidence=evidence, remedy=_REMEDY)


def _in_forward(error: BaseException) -> str | None:
    """Where in a module's forward an error of a library was raised; None for any other."""
    forward: FrameType | None = None
    last: FrameType | None = None
    trace = error.__traceback__
    while trace is not None:
        last = trace.tb_frame
        if last.f_code.co_name == "forward" and isinstance(
            last.f_locals.get("self"), torch.nn.Module
        ):
            forward = last
        trace = trace.tb_next
    if forward is None or last is None:
        return None
    if _package(last) not in (*_LIBRARIES, _package(forward)):
        return None
    return f"{PurePath(forward.f_code.co_filename).name}, line {forward.f_lineno}"


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
