"""How much more a guarded call does, counted instead of timed: the same on a busy machine as on a quiet one."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

# What the host waits for, and what it starts, by the names that CUPTI gives CUDA's calls.
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaMemcpyAsync", "cudaMemsetAsync")


def counts(work: Callable[[], Any], *, cuda: bool = False) -> dict[str, int]:
    """Calls of Python and C functions, torch's operators, and on a GPU starts and waits, of one call.

    ``sys.setprofile`` counts the calls, ``torch.profiler`` the rest, each in a call of its own.
    """
    from torch.profiler import ProfilerActivity, profile

    found: Counter[str] = Counter()

    def seen(_frame: object, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            found["function calls"] += 1

    # Finalizers that the garbage collector calls are calls too, and it comes when it comes.
    gc.collect()
    collecting = gc.isenabled()
    gc.disable()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
        if collecting:
            gc.enable()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as measured:
        work()
    for row in measured.key_averages():
        if row.key.startswith("aten::"):
            found["operators"] += row.count
        elif row.key.startswith(WAITS):
            found["waits"] += row.count
        elif row.key.startswith(LAUNCHES):
            found["starts"] += row.count
    return dict(found)


def counted(raw: Callable[[], Any], guarded: Callable[[], Any], *, cuda: bool) -> dict[str, Any]:
    """Both sides' counts, after a call of each that warms it up, and the ratio of the calls."""
    for work in (raw, guarded):
        work()
    first, second = counts(raw, cuda=cuda), counts(guarded, cuda=cuda)
    return {
        "raw": first,
        "guarded": second,
        "ratios": {name: second.get(name, 0) / count for name, count in first.items()},
    }
