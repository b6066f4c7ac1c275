"""Finds where numbers that are none (NaN, infinity) begin in a model, so that no text is made of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from guard.base.modes import unwrapped
from guard.base.replica import replica_of, same_random_state
from guard.errors import BrokenScoresError

if TYPE_CHECKING:
    import torch


def refuse_broken(model: Any, scores: torch.Tensor, inputs: dict[str, Any], what: str) -> None:
    """Raise if scores are no numbers, and say in which layer that begins.

    Args:
        model: What gave them; a replica is run on the same inputs, only if they are broken.
        scores: Of shape (…, vocabulary). Tokens that were ruled out (minus infinity) are no fault.
        inputs: Keywords of the model that gave them.
        what: The row or step that they are of, for the message.

    Raises:
        BrokenScoresError: The best score of some position is NaN or infinite.
    """
    rows = broken_rows(scores)
    if not rows:
        return
    layer, cause = first_broken_layer(model, inputs)
    where = f"it begins in {layer}, {cause}" if layer else cause
    raise BrokenScoresError(
        f"{what}: the model's scores are no numbers; {where}",
        evidence={"layer": layer, "rows": rows},
    )


def broken_rows(scores: torch.Tensor) -> int:
    """For how many positions of scores, of shape (…, vocabulary), the best is NaN or infinite."""
    # One number to wait for at each step: NaN and infinity come through a maximum.
    if not scores.numel() or math.isfinite(float(scores.amax())):
        return 0
    best = scores.amax(-1)
    return int((best.isnan() | (best == float("inf"))).sum())


@contextmanager
def watching(model: Any) -> Iterator[None]:
    """Inside the block a model's forward raises as soon as its last scores are no numbers.

    A hook costs less than a logits processor, whose signature transformers reads at each step.

    Raises:
        BrokenScoresError: Without the layer: whoever knows the ids finds it with `refuse_broken`.
    """

    def look(_module: Any, _args: Any, output: Any) -> None:
        if not math.isfinite(float(output.logits[:, -1].amax())):
            raise BrokenScoresError("the model's scores are no numbers")

    base = unwrapped(model)
    handle = base.register_forward_hook(look)
    try:
        yield
    finally:
        handle.remove()


def first_broken_layer(model: Any, inputs: dict[str, Any]) -> tuple[str | None, str]:
    """The first module whose output holds a number that is none, and why, in words; None if it cannot be told.

    A replica is run on the same inputs: no hook of the model's is called, and no random state, buffer or
    attribute of it changes. Nothing is raised; a model whose second run is clean says so.
    """
    if _runs_in_parts():
        return None, "its layers are not looked through where several processes run one model"
    found: list[tuple[str, str]] = []

    def hook(name: str) -> Any:
        def look(module: Any, args: Any, output: Any) -> None:
            if not found and _broken(output):
                found.append((name, _cause(module, args)))

        return look

    try:
        with same_random_state():
            replica = replica_of(model)
            for name, module in replica.named_modules():
                module.register_forward_hook(hook(name or type(model).__name__))
            replica(**inputs, use_cache=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, the scores were broken before
        if not found:
            return None, f"its layers could not be looked through ({type(error).__name__})"
    return found[0] if found else ("no layer of a second run", "which was sound")


def _runs_in_parts() -> bool:
    """Whether a pass that only one process makes would wait for the others."""
    distributed = sys.modules["torch"].distributed
    return bool(
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


def _cause(module: Any, args: Any) -> str:
    own = [name for name, parameter in module.named_parameters() if _broken(parameter)]
    if own:
        return f"whose {own[0]} holds NaN or infinity"
    if _broken(args):
        return "whose input was broken already"
    return "whose output overflows"


def _broken(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_broken, value))
    if isinstance(value, dict):
        return any(map(_broken, value.values()))
    if not hasattr(value, "is_floating_point") or not value.is_floating_point():
        return False
    # What a mask rules out is minus infinity, and no layer's output but the head's may hold it.
    return bool(value.isnan().any() | value.isinf().any())
