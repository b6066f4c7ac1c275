"""Configurations for training on several GPUs; `cleanguard run --launch-file NAME` prints their path."""

from __future__ import annotations

from pathlib import Path

_FILES = {"fsdp": "fsdp.yaml", "zero2": "zero2.json", "zero3": "zero3.json"}
LAUNCH_FILES = tuple(_FILES)


def launch_file(name: str) -> Path:
    """Where a configuration lies: `fsdp` for `accelerate launch`, the others for `train.deepspeed`."""
    return Path(__file__).with_name(_FILES[name])
