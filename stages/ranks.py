"""Which process of a `torchrun` or `accelerate launch` this is; a plain run is process 0 of 1."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError


def rank() -> int:
    """This process's number among all of the run."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """This process's number on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """How many processes the run has."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def refuse_many(stage: str) -> None:
    """Raise JobError if a stage that works in one process was started in several."""
    if world_size() > 1:
        raise JobError(f"{stage} works in one process; start it without torchrun or accelerate")


def barrier() -> None:
    """Wait for the other processes; nothing in a plain run."""
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def agreed(found: Path | None) -> Path | None:
    """What process 0 found, in every process."""
    import torch.distributed

    if world_size() == 1 or not torch.distributed.is_initialized():
        return found
    box: list[Any] = [found]
    torch.distributed.broadcast_object_list(box, src=0)
    answer: Path | None = box[0]
    return answer
