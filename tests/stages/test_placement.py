"""Where one process puts its model when it sees several GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guard import CleanModelLoader
from stages.models import ModelConfig, loader_of
from stages.placement import one_gpu
from stages.tiny import model_path

SIZE = (Path(model_path()) / "model.safetensors").stat().st_size


def sees(monkeypatch: pytest.MonkeyPatch, *free: float) -> None:
    """As if there were GPUs with so many times the embedded model's size of free memory."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(
        torch.cuda, "mem_get_info", lambda number: (int(free[number] * SIZE), 100 * SIZE)
    )


@pytest.mark.parametrize(
    ("free", "quant", "dtype", "expected"),
    [
        ((3, 9, 4), "none", "bfloat16", {"": 1}),
        ((1.9, 1.8), "none", "bfloat16", None),  # more than half of the roomiest
        ((3, 3), "none", "float32", None),  # loaded twice as wide as it may lie on the disk
        ((5, 3), "none", "float32", {"": 0}),
        ((1.5, 1.2), "int8", "auto", {"": 0}),
        ((1.2, 1.5), "nf4", "auto", {"": 1}),
        ((0.9, 0.9), "nf4", "auto", None),
        ((50,), "none", "bfloat16", None),  # one GPU: the library's own way
    ],
)
def test_a_model_that_fits_goes_to_one_gpu(
    monkeypatch: pytest.MonkeyPatch,
    free: tuple[float, ...],
    quant: str,
    dtype: str,
    expected: dict[str, int] | None,
) -> None:
    request = CleanModelLoader(model_path(), dtype=dtype, device_map="auto").request
    sees(monkeypatch, *free)
    assert one_gpu(request, quant) == expected


def test_stages_ask_for_it_where_auto_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    sees(monkeypatch, 9, 9)
    assert loader_of(ModelConfig(device_map="auto")).request.device_map == {"": 0}
    assert loader_of(ModelConfig()).request.device_map is None
    assert loader_of(ModelConfig(device_map="balanced")).request.device_map == "balanced"
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "set_device", lambda number: None)
    assert loader_of(ModelConfig(device_map="auto")).request.device_map == {"": 1}


def test_without_gpus_the_word_stays() -> None:
    assert loader_of(ModelConfig(device_map="auto")).request.device_map == "auto"
