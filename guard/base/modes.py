"""Holds a model in evaluation mode for a while, and finds it within an adapter's wrapper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Inside the block no module trains; afterwards those train again that did before.

    Looking is cheap, and `eval()` writes to every module: a millisecond a call for 28 layers.
    """
    training = [module for module in model.modules() if module.training]
    if training:
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def unwrapped(model: Any) -> Any:
    """The transformers model within PEFT's wrapper around it, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
