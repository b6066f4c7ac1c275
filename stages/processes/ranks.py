"""Which process of a `torchrun` or `accelerate launch` this is; a plain run is process 0 of 1."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from cleanguard.errors import JobError

Value = TypeVar("Value")

# Longest wait for the slowest process; one that dies is noticed at once, by its connection.
_PATIENCE = timedelta(days=7)
_log = logging.getLogger("cleanguard.ranks")


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


def wait() -> None:
    """Wait until every process is here.

    Unlike `barrier`, this joins the processes of a run without a trainer.

    Raises:
        JobError: One of the others has ended.
    """
    if world_size() > 1:
        _of_each(None)


def of_first(make: Callable[[], Value]) -> Value:
    """What process 0 makes of it, in every process; raises JobError as `wait`."""
    if world_size() == 1:
        return make()
    box: list[Any] = [make() if rank() == 0 else None]
    _together(lambda: _joined().broadcast_object_list(box, src=0))
    value: Value = box[0]
    return value


def refuse_different(what: str, mine: bytes) -> None:
    """Raise JobError unless all processes hold the same bytes.

    It goes over NCCL where every process has a GPU, so one that the others cannot reach is told
    here and not after hours.
    """
    if world_size() == 1:
        return
    import torch

    distributed = _joined()
    place = torch.device("cuda", local_rank()) if _each_has_a_gpu() else torch.device("cpu")
    digest = torch.tensor(list(hashlib.sha256(mine).digest()), dtype=torch.uint8, device=place)
    found = [torch.empty_like(digest) for _ in range(world_size())]
    _together(lambda: distributed.all_gather(found, digest))
    other = [number for number, one in enumerate(found) if not torch.equal(one, found[0])]
    if other:
        raise JobError(f"process {other[0]} has {what} other than those of process 0")


def tell_uneven_memory() -> None:
    """Warn where the processes' GPUs are not of one size: the smallest decides what fits."""
    if world_size() == 1:
        return
    import torch

    own = 0
    if _each_has_a_gpu():
        own = int(torch.cuda.get_device_properties(local_rank()).total_memory)
    found = _of_each(own)
    least, most = min(found), max(found)
    if rank() == 0 and most > least * 1.05:
        _log.warning(
            "the GPU of process %d has %.0f GB and that of process %d %.0f GB: choose the batch size by the "
            "smaller one, or leave it out with CUDA_VISIBLE_DEVICES",
            found.index(least), least / 1e9, found.index(most), most / 1e9,
        )  # fmt: skip


def use_own_gpu() -> None:
    """Make this process's GPU the one that torch takes unless told otherwise."""
    if world_size() > 1 and _each_has_a_gpu():
        import torch

        torch.cuda.set_device(local_rank())


def leave() -> None:
    """End what `wait` and its like, or a trainer, began; nothing in a plain run."""
    if world_size() > 1:
        import torch.distributed

        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _of_each(own: Value) -> list[Value]:
    """What each process gives, in the order of their numbers; raises JobError as `wait`."""
    found: list[Any] = [None] * world_size()
    _together(lambda: _joined().all_gather_object(found, own))
    return found


def _joined() -> Any:
    """torch.distributed, with this process among the others."""
    import torch.distributed

    if not torch.distributed.is_initialized():
        use_own_gpu()
        # Waiting is done on the CPU: a wait over NCCL keeps the GPU busy.
        backend = "cpu:gloo,cuda:nccl" if _each_has_a_gpu() else "gloo"
        torch.distributed.init_process_group(backend, timeout=_PATIENCE)
    return torch.distributed


def _each_has_a_gpu() -> bool:
    import torch

    here = int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))
    return bool(torch.cuda.is_available()) and int(torch.cuda.device_count()) >= here


def _together(call: Callable[[], object]) -> None:
    try:
        call()
    except RuntimeError as error:  # what gloo and NCCL raise when a connection breaks
        raise JobError(
            f"another process of this run has ended ({str(error).strip().splitlines()[0]}); what is "
            "written stays, and the same command goes on from there, with any number of processes"
        ) from error
