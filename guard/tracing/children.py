"""Children of a traced script: they get the watch on their way, and are known by their number."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from guard.observing.patching import ImportWatch, Patches
from guard.tracing.journal import Journal

_PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?")
_HANDED_ON = ("CLEANGUARD_TRACE", "CLEANGUARD_TRACE_SCOPE")


def follow(journal: Journal, finish: Callable[[], None]) -> None:
    """Follow what the process starts, by whatever module.

    Args:
        journal: Where Python children are entered, so that one that is not watched is missed.
        finish: Called at the end of a process that multiprocessing forked: it leaves without atexit.
    """
    patches = Patches()

    def starts(module: ModuleType) -> None:
        patches.wrap(module.Popen, "__init__", _popen(journal))

    def forks(module: Any) -> None:
        module.register_after_fork(journal, lambda _: module.Finalize(None, finish, exitpriority=0))

    # datasets' own processes come from a copy of multiprocessing under another name.
    ImportWatch(
        {"subprocess": starts, "multiprocessing.util": forks, "multiprocess.util": forks}
    ).start()


def _popen(journal: Journal) -> Callable[..., Any]:
    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, args: Any, *more: Any, **kwargs: Any) -> None:
            if isinstance(kwargs.get("env"), Mapping):
                kwargs["env"] = _with_watch(kwargs["env"])
            plain(self, args, *more, **kwargs)
            words = _words(args)
            if words and _PYTHON.fullmatch(Path(words[0]).name):
                journal.child(self.pid, words)

        return init

    return make


def _with_watch(given: Mapping[Any, Any]) -> dict[Any, Any]:
    """An environment that a script made for its child, with what the watch needs in it."""
    env = dict(given)
    if os.environ.get(_HANDED_ON[0]) and _HANDED_ON[0] not in env:
        env |= {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        at_start = str(Path(__file__).parent / "at_start")
        paths = [at_start, *filter(None, [env.get("PYTHONPATH")])]
        env["PYTHONPATH"] = os.pathsep.join(map(os.fsdecode, paths))
    return env


def _words(args: Any) -> list[str]:
    """A command line as words; of a shell's line those of its first command."""
    if isinstance(args, (str, bytes)):
        try:
            return shlex.split(os.fsdecode(args))
        except ValueError:
            return []
    found = args if isinstance(args, Sequence) else [args]
    return [os.fsdecode(word) for word in found if isinstance(word, (str, bytes, os.PathLike))]
