"""Root mean square norms in half precision: one kernel of torch in place of seven of the library.

A captured step at batch 1 consists of small kernels for a third of its time, and a quarter of these are norms.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from guard.files.hub import torch

_HALVES = ("torch.bfloat16", "torch.float16")
# Two roundings of the result: sums in another order may tip the last bit of either factor.
_ULPS = 2


def fusible_norms(model: Any) -> list[tuple[Any, float]]:
    """The modules that are a root mean square norm times a weight, with their epsilons.

    Nothing goes by a name: each is tried on two rows of its own length, whose mean is not zero. In float32
    there are none, so that its texts stay those of the library to the last bit.
    """
    found, apart = [], []
    with torch.no_grad():
        for module in model.modules():
            epsilon = getattr(module, "variance_epsilon", getattr(module, "eps", None))
            if not isinstance(epsilon, float) or not _alone(module):
                continue
            rows = _rows(module.weight)
            try:
                expected = module(rows)
            except (RuntimeError, TypeError, ValueError):  # it takes something else
                continue
            if not torch.is_tensor(expected) or expected.shape != rows.shape:
                continue
            limit = torch.finfo(rows.dtype).eps * _ULPS
            differ = (_fused(module.weight, epsilon, rows) - expected).abs().float()
            found.append((module, epsilon))
            apart.append((differ > limit * expected.abs().float()).any())
        if not found:
            return []
        wrong = torch.stack(apart).tolist()  # one wait for the device, whatever their number
    return [one for one, is_wrong in zip(found, wrong, strict=True) if not is_wrong]


@contextmanager
def fused_norms(norms: Sequence[tuple[Any, float]]) -> Iterator[None]:
    """Inside the block this thread runs them fused; other threads run them as they are."""
    mine = threading.get_ident()
    for module, epsilon in norms:
        module.forward = partial(_forward, mine, module, epsilon)
    try:
        yield
    finally:
        for module, _ in norms:
            del module.forward


def _forward(mine: int, module: Any, epsilon: float, states: torch.Tensor) -> Any:
    if threading.get_ident() != mine:
        return type(module).forward(module, states)
    return _fused(module.weight, epsilon, states)


def _fused(weight: torch.Tensor, epsilon: float, states: torch.Tensor) -> torch.Tensor:
    # Without the weight torch rounds before it is multiplied, as the library does.
    return weight * torch.nn.functional.rms_norm(states, weight.shape, None, epsilon)


def _alone(module: Any) -> bool:
    """Whether one weight in half precision is all that it has."""
    weight = module._parameters.get("weight")
    return (
        weight is not None
        and weight.dim() == 1
        and str(weight.dtype) in _HALVES
        and not any(one is not None for name, one in module._parameters.items() if name != "weight")
        and not module._modules
        and not any(one is not None for one in module._buffers.values())
        and "forward" not in vars(module)
    )


def _rows(weight: torch.Tensor) -> torch.Tensor:
    at = torch.arange(2 * weight.shape[0], device=weight.device, dtype=torch.float32)
    return (torch.sin(at * 1.7) * 3 + 0.5).view(2, 1, -1).to(weight.dtype)
