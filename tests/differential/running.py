"""Runs a program of the grammar in this process and keeps what it did; the libraries stay loaded."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sys
import traceback
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tests.differential import announced, recorder

SECONDS = 30
_MOST_TEXT = 20_000


@dataclass(slots=True)
class Trace:
    """What one run did.

    Attributes:
        calls: What it asked of its models.
        out: What it printed.
        files: What it wrote, by name.
        error: The class of the exception that ended it; None if none did.
        message: Its message, and where.
    """

    calls: list[recorder.Call] = field(default_factory=list)
    out: str = ""
    files: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    message: str = ""


class TooSlow(Exception):  # noqa: N818 - no failure of the program
    """A program took longer than `SECONDS`."""


class Room:
    """A folder in which programs run, one after the other, with the models at hand."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.folder, self.models = folder, models

    def lay(self, files: Mapping[str, str | bytes]) -> None:
        """Empty the room, and put a program into it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name in ("models", "adapters"):
            (self.folder / name).symlink_to(self.models / name)
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = content.encode() if isinstance(content, str) else content
            path.write_bytes(raw)

    def run(
        self,
        files: Mapping[str, str | bytes],
        main: str,
        amends: announced.Amends | None = None,
    ) -> Trace:
        """Run a program; `amends` is what its migration says will be different."""
        self.lay(files)
        trace = Trace()
        out = io.StringIO()
        known = set(sys.modules)
        with _inside(self.folder), recorder.recording() as record:
            announced.begin(amends, self.folder)
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                    self._execute(main)
            except TooSlow:
                raise
            except SystemExit as error:
                if error.code:
                    trace.error, trace.message = "SystemExit", str(error.code)
            except BaseException as error:  # noqa: BLE001 - it is what the program is compared by
                trace.error = type(error).__name__
                trace.message = f"{error} ({_place(error, self.folder)})"
            finally:
                announced.end()
                for name in set(sys.modules) - known:
                    file = getattr(sys.modules[name], "__file__", None)
                    if file and str(file).startswith(str(self.folder)):
                        del sys.modules[name]
        trace.calls, trace.out = record.calls, out.getvalue()
        trace.files = {
            str(path.relative_to(self.folder)): path.read_text(errors="replace")[:_MOST_TEXT]
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
            and str(path.relative_to(self.folder)) not in files
            and "__pycache__" not in path.parts
        }
        return trace

    def _execute(self, main: str) -> None:
        path = self.folder / main
        module = types.ModuleType("__main__")
        module.__file__ = str(path)
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        outer = sys.modules["__main__"]
        sys.modules["__main__"] = module
        try:
            exec(code, module.__dict__)
        finally:
            sys.modules["__main__"] = outer


def _place(error: BaseException, folder: Path) -> str:
    """The last line of the program's own that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(folder))]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """The folder is the current one and the first to import from; seeds are set, time is limited."""
    here, argv, path, environment = Path.cwd(), sys.argv, list(sys.path), dict(os.environ)
    os.chdir(folder)
    sys.argv = ["main.py"]
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    sys.path_importer_cache.pop(str(folder), None)
    torch.manual_seed(0)
    random.seed(0)
    gradients = torch.is_grad_enabled()

    def stop(*_: object) -> None:
        raise TooSlow

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
        torch.set_grad_enabled(gradients)
        os.chdir(here)
        sys.argv, sys.path[:] = argv, path
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
