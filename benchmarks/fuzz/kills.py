"""Processes that are killed at any moment, and what they leave."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.fuzz.outcomes import Outcome
from benchmarks.fuzz.sources import ROOT

_SCRIPTS = 8
_FIXABLE = (
    b"import torch\n"
    b"from guard import CleanModelLoader\n"
    b'loader = CleanModelLoader("Qwen/Qwen2.5-0.5B")\n'
    b"model, tok = loader.load()\n"
    b'state = torch.load("adapter.bin")\n'
)


def _command(*arguments: str) -> None:
    """The command line in this process, whose output nobody reads."""
    from cleanguard.cli.command_group import group

    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        group.main(list(arguments), prog_name="cleanguard", standalone_mode=False)


def _killed(work: Callable[[], None], after: float) -> bool:
    """Runs something in a process of its own and kills it; whether it was still running."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            work()
        finally:
            os._exit(0)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    end = time.monotonic() + after
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # its workers too, as when a machine goes down
    os.waitpid(child, 0)
    return True


class _Folder:
    """A folder of scripts, what a command leaves of it when nobody kills it, and how long that takes."""

    def __init__(self, command: tuple[str, ...], scripts: dict[str, bytes]) -> None:
        self.command, self.before = command, scripts
        self.where = Path(tempfile.mkdtemp(prefix="cleanguard-kills-"))
        os.environ["CLEANGUARD_CACHE_DIR"] = str(self.where / "cache")
        self.put()
        began = time.monotonic()
        self.run()
        self.takes = time.monotonic() - began
        self.after = self.now()

    def put(self) -> None:
        shutil.rmtree(self.where / "code", ignore_errors=True)
        (self.where / "code").mkdir()
        for name, content in self.before.items():
            (self.where / "code" / name).write_bytes(content)

    def run(self) -> None:
        os.chdir(self.where)
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(Exception):
                _command(*self.command)
                code = 0
            os._exit(code)
        if os.waitpid(child, 0)[1]:
            raise RuntimeError(f"{' '.join(self.command)} failed")

    def now(self) -> dict[str, bytes]:
        folder = self.where / "code"
        return {
            path.name: path.read_bytes()
            for path in sorted(folder.iterdir())
            if path.suffix == ".py"
        }

    def kill(self, rng: random.Random) -> Outcome:
        """One kill, what is there then, and what the next run makes of it."""
        self.put()
        os.chdir(self.where)
        struck = _killed(lambda: _command(*self.command), rng.uniform(0.0, 1.1 * self.takes))
        found = self.now()
        torn = [
            name
            for name, content in found.items()
            if content not in (self.before[name], self.after[name])
        ]
        if torn or found.keys() != self.before.keys():
            return Outcome("torn", 0.0, ", ".join(torn))
        self.run()
        if self.now() != self.after:
            return Outcome("not resumed")
        return Outcome("killed" if struck else "had ended")


def _folder_of(kind: str) -> _Folder:
    import lint_rules._engine.fixing
    import lint_rules.registry  # noqa: F401 - forks inherit what is loaded

    if kind == "migrate":
        wild = sorted((ROOT / "tests/codemods/wild").glob("*.py"))[:_SCRIPTS]
        scripts = {path.name: path.read_bytes() for path in wild}
        return _Folder(("migrate", "--write", "--allow-dirty", "code"), scripts)
    scripts = {f"s{n}.py": _FIXABLE + b"x = 1\n" * 40 * n for n in range(_SCRIPTS)}
    return _Folder(("check", "--fix", "--unsafe-fixes", "code"), scripts)


def _cache(rng: random.Random, held: dict[str, object]) -> Outcome:
    """Kills a check that fills the cache; the next one finds what one without a cache does."""
    from cleanguard.files import SourceFile
    from cleanguard.settings.config import Settings
    from lint_rules._engine.pipeline import check_files

    folder = held.get("folder")
    if not isinstance(folder, Path):
        folder = Path(tempfile.mkdtemp(prefix="cleanguard-kills-"))
        os.environ["CLEANGUARD_CACHE_DIR"] = str(folder / "cache")
        for n in range(_SCRIPTS):
            (folder / f"s{n}.py").write_bytes(_FIXABLE + b"x = 1\n" * 40 * n)
        held["folder"] = folder
    files = [SourceFile(path.name, path) for path in sorted(folder.glob("*.py"))]

    def check(*, cached: bool = True) -> object:
        return check_files(files, Settings(root=folder), cached=cached).findings

    if "wanted" not in held:
        held["wanted"] = check(cached=False)
        began = time.monotonic()
        check()
        held["takes"] = time.monotonic() - began
    if rng.random() < 0.7:
        shutil.rmtree(folder / "cache", ignore_errors=True)
    takes = held["takes"]
    assert isinstance(takes, float)
    struck = _killed(lambda: bool(check()) or None, rng.uniform(0.0, 1.1 * takes))
    if check() != held["wanted"]:
        return Outcome("findings differ")
    return Outcome("killed" if struck else "had ended")


def _records(rng: random.Random) -> Outcome:
    """Kills a writer; every record that `write` returned for is there, and the file is sound after the next run."""
    from benchmarks.fuzz.records import prepared
    from guard.records.verification import verify_file
    from guard.records.writer import JsonlWriter

    provenance = prepared().provenance
    with tempfile.TemporaryDirectory() as name:
        path, told = Path(name) / "out.jsonl", Path(name) / "told"
        batch, seconds = rng.choice((1, 3, 64)), rng.choice((0.0, 10.0))

        def work(items: int = 20_000) -> None:
            handle = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with JsonlWriter(path, provenance, batch=batch, seconds=seconds) as out:
                for item in range(items):
                    if str(item) not in out:
                        out.write(str(item), {"text": "x" * rng.choice((1, 100, 9_000))})
                        os.write(handle, b"%d\n" % item)

        struck = 0
        for _ in range(rng.choice((1, 1, 2))):
            struck += _killed(work, rng.uniform(0.0, 0.25))
        returned = set(told.read_text(encoding="ascii").split()) if told.exists() else set()
        with JsonlWriter(path, provenance) as out:
            lost = [item for item in returned if item not in out]
            out.write("last", {"text": "y"})
        verdict = verify_file(path)
    if lost:
        return Outcome("lost record", 0.0, ", ".join(lost))
    if not verdict.ok:
        return Outcome("not resumed", 0.0, str(verdict.problems[0]))
    return Outcome("killed" if struck else "had ended")


class _Training:
    """A short training run of the embedded model, killed at any moment and run to its end."""

    def __init__(self) -> None:
        self.where = Path(tempfile.mkdtemp(prefix="cleanguard-kills-"))
        self._finish("generate", "--out", str(self.where / "data"), "--count", "24")
        self.words = (
            "--data", str(self.where / "data" / "dataset.jsonl"), "--train.steps", "12", "--train.save-steps", "2", "--train.log-steps", "1",
        )  # fmt: skip
        began = time.monotonic()
        self._finish("sft", "--out", str(self.where / "calm"), *self.words)
        self.takes = time.monotonic() - began
        self.wanted = self._weights("calm")

    def _start(self, *words: str) -> subprocess.Popen[str]:
        code = "from cleanguard.cli import main; main()"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-c", code, "run", *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def _finish(self, *words: str) -> None:
        process = self._start(*words)
        _, said = process.communicate(timeout=600)
        if process.returncode:
            raise RuntimeError(said)

    def _weights(self, name: str) -> bytes:
        return (self.where / name / "adapter" / "adapter_model.safetensors").read_bytes()

    def kill(self, rng: random.Random) -> list[Outcome]:
        """Five kills of one run; the adapter is that of a run that nobody killed."""
        out, struck = self.where / f"cut{rng.randrange(1 << 30)}", []
        for _ in range(5):
            process = self._start("sft", "--out", str(out), *self.words)
            try:
                process.communicate(timeout=rng.uniform(0.3, 1.0) * self.takes)
                struck.append(False)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                struck.append(True)
        self._finish("sft", "--out", str(out), *self.words)
        same = self._weights(out.name) == self.wanted
        shutil.rmtree(out)
        return [
            Outcome(("killed" if one else "had ended") if same else "not resumed") for one in struck
        ]


KINDS = ("migrate", "fix", "cache", "records", "training")


def kills(kind: str, rng: random.Random, number: int) -> list[Outcome]:
    """Kills of one kind of process.

    Args:
        kind: One of `KINDS`.
        rng: When they come.
        number: How many; those of training come in fives.
    """
    if kind in ("migrate", "fix"):
        folder = _folder_of(kind)
        if folder.after == folder.before:
            raise RuntimeError(f"{kind} has nothing to do, so nothing is shown")
        return [folder.kill(rng) for _ in range(number)]
    if kind == "cache":
        held: dict[str, object] = {}
        return [_cache(rng, held) for _ in range(number)]
    if kind == "records":
        return [_records(rng) for _ in range(number)]
    training = _Training()
    return [one for _ in range(-(-number // 5)) for one in training.kill(rng)][:number]


def together(runs: int, rounds: int) -> list[Outcome]:
    """Several checks of one folder at the same time, on one cache: each finds the same.

    Args:
        runs: How many at a time.
        rounds: How often; every other time the cache is empty at first.
    """
    from cleanguard.files import SourceFile
    from cleanguard.settings.config import Settings
    from lint_rules._engine.pipeline import check_files

    folder = Path(tempfile.mkdtemp(prefix="cleanguard-runs-"))
    os.environ["CLEANGUARD_CACHE_DIR"] = str(folder / "cache")
    for n in range(_SCRIPTS):
        (folder / f"s{n}.py").write_bytes(_FIXABLE + b"x = 1\n" * 40 * n)
    files = [SourceFile(path.name, path) for path in sorted(folder.glob("*.py"))]
    wanted = check_files(files, Settings(root=folder), cached=False).findings
    found: list[Outcome] = []
    for number in range(rounds):
        if number % 2 == 0:
            shutil.rmtree(folder / "cache", ignore_errors=True)
        children = []
        for _ in range(runs):
            child = os.fork()
            if child == 0:
                code = 1
                with contextlib.suppress(BaseException):
                    run = check_files(files, Settings(root=folder), jobs=1)
                    code = 0 if run.findings == wanted and not run.failures else 1
                os._exit(code)
            children.append(child)
        for child in children:
            _, status = os.waitpid(child, 0)
            found.append(Outcome("same" if status == 0 else "findings differ"))
    return found
