"""Runs scripts under a trace, each in a fork of a process that has loaded the libraries already.

A script of a few calls costs what it does and not the seconds that loading transformers takes; its seeds,
modules and patches end with the fork. The judgement is that of `cleanguard trace`: `guard.traced()` in
the fork, from the script's first line on.
"""

from __future__ import annotations

import contextlib
import json
import linecache
import os
import runpy
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

SAVED = ".trace.json"
_PATIENCE = 30


def preload(environment: Mapping[str, str]) -> None:
    """Load what the scripts load, after the environment is set that tells the hub's client where to look."""
    os.environ |= environment
    import torch

    torch.set_num_threads(1)
    import peft
    import transformers
    import transformers.generation.utils
    import transformers.models.auto
    import trl  # noqa: F401
    from datasets import load_dataset  # noqa: F401
    from transformers import Trainer  # noqa: F401

    assert peft
    from huggingface_hub import constants

    if "HF_HUB_CACHE" in os.environ:  # the client may have been loaded before
        constants.HF_HUB_CACHE = os.environ["HF_HUB_CACHE"]
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if "surroundings" in sys.modules:  # transformers fills its structure anew while it loads
        sys.modules["surroundings"].old_names(transformers)


def forked(work: Path, cwd: Path, line: str, limit: int) -> tuple[int, str]:
    """Run a script with its arguments: its exit code (124: it took too long) and its last words.

    Args:
        work: Where the trace is left.
        cwd: Where the script runs.
        line: The script and its arguments.
        limit: Seconds that it may take; what was seen until then is kept.
    """
    words = work / ".words"
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os._exit(_traced(work, cwd, line, limit, words))
        except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
            os._exit(2)
    code = _waited(child, limit + _PATIENCE)
    text = words.read_text(errors="replace").strip() if words.is_file() else ""
    return code, text.splitlines()[-1][:300] if code and text else ""


def _waited(child: int, limit: int) -> int:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 137


def _cells(notebook: Path) -> str:
    """Run a notebook's cells in their order, also behind one that fails; the last failure's words."""
    from lint_rules._run.magics import read_cell
    from lint_rules._run.notebook import cells

    module = ModuleType("__main__")
    module.__dict__.update(display=print, __file__=str(notebook))
    sys.modules["__main__"] = module
    said = ""
    for number, text in cells(notebook.read_bytes()):
        cell = read_cell(text)
        if cell.problem is not None or cell.kind != "python":
            continue
        source, name = "\n".join(cell.lines), f"{notebook}#cell{number}"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        try:
            exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
        except _TooLong:
            raise
        except BaseException as error:  # noqa: BLE001 - a person goes on with the next cell
            said = f"{type(error).__name__}: {error}"
    return said


class _TooLong(KeyboardInterrupt):
    pass


def _too_long(*_: object) -> None:
    raise _TooLong


def _traced(work: Path, cwd: Path, line: str, limit: int, words: Path) -> int:
    import guard
    from cleanguard.settings.config import Settings
    from guard.tracing.document import document

    os.chdir(cwd)
    sys.argv = shlex.split(line)
    script = sys.argv[0]
    # As PYTHONPATH or an installed package would have it, and the script's own folder first.
    sys.path[:0] = [str((cwd / script).parent), str(cwd), str(work), str(work / "src")]
    sys.modules["torch"].seed()  # a script begins unseeded
    signal.signal(signal.SIGALRM, _too_long)
    code, said = 0, ""
    asked = work / ".asked"
    asked.write_text("How many apples are left?\n" * 4)
    with asked.open() as given, open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(given.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    with guard.traced(Settings(select=("ALL",))) as run:
        signal.alarm(limit)
        try:
            if script.endswith(".ipynb"):
                said = _cells(Path(script).absolute())
                code = int(bool(said))
            else:
                runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            said = f"SystemExit: {end.code}"
        except _TooLong:
            code = 124
        except BaseException as error:  # noqa: BLE001 - scripts may fail; what they did until then counts
            code, said = 1, f"{type(error).__name__}: {error}"
        signal.alarm(0)
    with contextlib.suppress(OSError):
        words.write_text(said)
    content = document(
        run.gathered, run.findings, command=sys.argv, folder=cwd, script_exit=code, exit_code=0
    )
    (work / SAVED).write_text(json.dumps(content, default=str))
    return code
