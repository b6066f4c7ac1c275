"""The machine and the run as measured: versions, devices, git state, redacted command line."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from guard.hub import torch

_PACKAGES = (
    "cleanguard", "torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft", "trl",
    "bitsandbytes", "datasets", "numpy",
)  # fmt: skip
_SECRET_OPTION = re.compile(r"(?i)^--?[\w-]*(token|secret|passw|api[-_]?key|credential|auth)[\w-]*")
_SECRET_VALUE = re.compile(
    r"hf_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{8,}|gh[pousr]_[A-Za-z0-9]{8,}|AKIA[A-Z0-9]{12,}|(?<=://)[^/@\s]+(?=@)"
)
_HIDDEN = "[redacted]"


@dataclass(frozen=True, slots=True)
class GitState:
    """The repository of the working directory.

    Attributes:
        commit: HEAD.
        dirty: Tracked files differ from HEAD, or untracked ones exist.
        diff_sha256: sha256 of `git diff HEAD`; None when it is empty.
    """

    commit: str
    dirty: bool
    diff_sha256: str | None


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a model was loaded; what is unknown is None.

    Attributes:
        python: Interpreter version.
        platform: Operating system and processor.
        versions: Installed versions of the packages that decide results.
        cuda: CUDA version that torch was built for.
        gpus: Names of the visible GPUs.
        git: State of the working directory's repository.
        argv: The command line, secrets redacted.
        loader_source_sha256: sha256 over the guard package's own source files.
    """

    python: str
    platform: str
    versions: dict[str, str | None]
    cuda: str | None
    gpus: tuple[str, ...]
    git: GitState | None
    argv: tuple[str, ...]
    loader_source_sha256: str


def measure_environment() -> Environment:
    """Measure the current process and machine."""
    has_gpu = torch.cuda.is_available()
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        versions={name: installed(name) for name in _PACKAGES},
        cuda=torch.version.cuda,
        gpus=tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        if has_gpu
        else (),
        git=_git_state(),
        argv=redact(sys.argv),
        loader_source_sha256=loader_source_sha256(),
    )


def installed(package: str) -> str | None:
    """The installed version of a package; None if it is absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def redact(argv: Sequence[str]) -> tuple[str, ...]:
    """A command line with the values of secret options, known key formats and URL users hidden."""
    shown: list[str] = []
    hide_next = False
    for word in argv:
        name, equals, _ = word.partition("=")
        if hide_next and not word.startswith("-"):
            shown.append(_HIDDEN)
            hide_next = False
            continue
        hide_next = False
        if _SECRET_OPTION.match(name):
            shown.append(f"{name}={_HIDDEN}" if equals else word)
            hide_next = not equals
        else:
            shown.append(_SECRET_VALUE.sub(_HIDDEN, word))
    return tuple(shown)


@lru_cache(maxsize=1)
def loader_source_sha256() -> str:
    """sha256 over the names and contents of this package's Python files, as hex."""
    total = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _git_state() -> GitState | None:
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain")
    if commit is None or status is None:
        return None
    diff = _git("diff", "HEAD") or b""
    return GitState(
        commit=commit.decode().strip(),
        dirty=bool(status.strip()),
        diff_sha256=hashlib.sha256(diff).hexdigest() if diff else None,
    )


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            timeout=10,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
