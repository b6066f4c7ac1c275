"""The machine and the run as measured: versions, devices, switches, git state, command line.

Works without torch, with nulls in its place. What cannot change within a process (versions, git,
driver, the guard's own source) is measured once, at the first call.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cleanguard.secrets.redaction import known_secrets, redact_argv, redact_text
from guard.provenance.git_state import GitState, git_state

__all__ = [
    "Environment",
    "Gpu",
    "TorchSwitches",
    "installed",
    "loader_source_sha256",
    "measure_environment",
    "session",
]

_GUARD = Path(__file__).parents[1]
_PACKAGES = (
    "cleanguard", "torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "accelerate",
    "peft", "trl", "bitsandbytes", "datasets", "numpy", "triton", "flash_attn", "vllm",
)  # fmt: skip
# Variables that decide results or placement. All others stay out, whatever they hold.
_VARIABLES = re.compile(
    r"CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|CUDA_LAUNCH_BLOCKING|CUBLAS_WORKSPACE_CONFIG"
    r"|PYTORCH_[A-Z_]*ALLOC_CONF|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
    r"|(OMP|MKL|OPENBLAS)_NUM_THREADS|PYTHONHASHSEED|TOKENIZERS_PARALLELISM"
    r"|(HF_HUB|HF_DATASETS|TRANSFORMERS)_OFFLINE|HF_ENDPOINT|HF_HUB_DISABLE_XET"
    r"|(LOCAL_|GROUP_)?RANK|(LOCAL_)?WORLD_SIZE|SLURM_JOB_ID|SLURM_PROCID|SLURM_NTASKS"
)
_DRIVER_FILE = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One visible GPU: its name, memory in bytes, and compute capability such as `9.0`."""

    name: str
    memory: int
    capability: str


@dataclass(frozen=True, slots=True)
class TorchSwitches:
    """Torch settings that change numbers.

    Attributes:
        threads: Threads within one operation.
        deterministic: `torch.use_deterministic_algorithms` is on.
        matmul_precision: `highest`, `high` or `medium`, for float32.
        cudnn_benchmark: cuDNN chooses its kernels by timing them.
    """

    threads: int
    deterministic: bool
    matmul_precision: str
    cudnn_benchmark: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a model was loaded; what is unknown is None.

    Attributes:
        python: Interpreter version.
        platform: Operating system, release and processor.
        cpus: Processors that this process may use.
        versions: Installed versions of the packages that decide results.
        cuda: CUDA version that torch was built for.
        cudnn: cuDNN version in use.
        driver: Version of the NVIDIA kernel driver.
        gpus: The visible GPUs.
        torch: Torch settings that change numbers; None while torch is not loaded.
        variables: Environment variables from a fixed list.
        git: State of the working directory's repository when it was first measured.
        argv: The command line, secrets redacted.
        loader_source_sha256: sha256 over the guard package's own source files.
    """

    python: str
    platform: str
    cpus: int | None
    versions: dict[str, str | None]
    cuda: str | None
    cudnn: str | None
    driver: str | None
    gpus: tuple[Gpu, ...]
    torch: TorchSwitches | None
    variables: dict[str, str]
    git: GitState | None
    argv: tuple[str, ...]
    loader_source_sha256: str


def measure_environment() -> Environment:
    """Measure the current process and machine."""
    torch = _torch()
    gpus = _gpus(torch)
    secrets = known_secrets()
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpus=_cpus(),
        versions=dict(_versions()),
        cuda=torch.version.cuda if torch else None,
        cudnn=_cudnn(torch) if gpus else None,
        driver=_driver(),
        gpus=gpus,
        torch=_switches(torch) if torch else None,
        variables=_variables(secrets),
        git=git_state(),
        argv=_argv(tuple(sys.argv), secrets),
        loader_source_sha256=loader_source_sha256(),
    )


def session() -> dict[str, Any]:
    """The environment in JSON types, with the time: what a log of a session's versions holds."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    found: dict[str, Any] = {"schema": "cleanguard-session/1", "created": now}
    found |= json.loads(json.dumps(asdict(measure_environment())))
    return found


@lru_cache(maxsize=64)
def installed(package: str) -> str | None:
    """The installed version of a package; None if it is absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@lru_cache(maxsize=1)
def loader_source_sha256() -> str:
    """sha256 over the names and contents of the guard's Python files, as hex."""
    return _sources_sha256(_GUARD)


def _sources_sha256(root: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        total.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


@lru_cache(maxsize=1)
def _versions() -> tuple[tuple[str, str | None], ...]:
    return tuple((name, installed(name)) for name in _PACKAGES)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch


@lru_cache(maxsize=1)
def _gpus(torch: Any) -> tuple[Gpu, ...]:
    if torch is None or not torch.cuda.is_available():
        return ()
    found = (torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count()))
    return tuple(Gpu(gpu.name, gpu.total_memory, f"{gpu.major}.{gpu.minor}") for gpu in found)


def _cudnn(torch: Any) -> str | None:
    found = torch.backends.cudnn.version()
    return str(found) if found else None


@lru_cache(maxsize=1)
def _driver() -> str | None:
    """The kernel module's version, from its own file; no process is started for it."""
    try:
        text = _DRIVER_FILE.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"Module[^\n]*?\s(\d+\.\d+(?:\.\d+)?)\s", text)
    return found[1] if found else None


def _switches(torch: Any) -> TorchSwitches:
    return TorchSwitches(
        threads=torch.get_num_threads(),
        deterministic=torch.are_deterministic_algorithms_enabled(),
        matmul_precision=torch.get_float32_matmul_precision(),
        cudnn_benchmark=bool(torch.backends.cudnn.benchmark),
    )


def _cpus() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


@lru_cache(maxsize=4)
def _argv(argv: tuple[str, ...], secrets: tuple[str, ...]) -> tuple[str, ...]:
    return redact_argv(argv, secrets)


@lru_cache(maxsize=4096)
def _decides(variable: str) -> bool:
    return _VARIABLES.fullmatch(variable) is not None


def _variables(secrets: tuple[str, ...]) -> dict[str, str]:
    return {
        name: redact_text(value, secrets)
        for name, value in sorted(os.environ.items())
        if _decides(name)
    }
