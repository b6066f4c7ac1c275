"""Captured steps on a GPU: the same texts as plain `generate`, and what happens where none can be."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from guard import CleanModelLoader, Loaded
from guard.decoding import memory
from guard.decoding.support import NoRoad
from guard.errors import GuardWarning
from tests.guard.families import FIXED, lay
from tests.guard.test_graphs import PROMPTS, SETTINGS, SHOTS, alike

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
complete = CleanModelLoader.complete
_EXPERTS = "mixtral, experts"  # may need the host at each step


def load(where: Path, **more: Any) -> Loaded:
    return CleanModelLoader(where, device_map={"": "cuda"}, **more).load()


@pytest.fixture(scope="module")
def on_gpu(tiny_dir: Path) -> Loaded:
    return load(tiny_dir, dtype="float32")


# Before 5.23 the library counts padding for the penalty where pad is eos.
@pytest.mark.parametrize(
    "name", [n for n in SETTINGS if n not in ("a repetition penalty", "a bit of all")]
)
def test_the_same_texts_by_graphs(on_gpu: Loaded, name: str) -> None:
    options = {"max_new_tokens": 40, **SETTINGS[name]}
    for prompts in (PROMPTS, [SHOTS + prompt for prompt in PROMPTS]):
        if "max_length" in options and prompts is not PROMPTS:
            continue
        wanted = complete(on_gpu.model, on_gpu.tokenizer, prompts, engine="plain", **options)
        found = complete(on_gpu.model, on_gpu.tokenizer, prompts, **options)
        alike(found, wanted)
        assert {one.engine for one in found} == {"graphs"}


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.filterwarnings("ignore::guard.errors.GuardWarning")
def test_families_by_graphs(name: str, tmp_path: Path) -> None:
    model, tokenizer, _ = load(lay(name, tmp_path), dtype="float32")
    wanted = complete(model, tokenizer, PROMPTS, engine="plain", max_new_tokens=30)
    found = complete(model, tokenizer, PROMPTS, max_new_tokens=30)
    alike(found, wanted)
    assert found[0].engine == "graphs" or name == _EXPERTS


def test_a_hook_would_not_run_in_a_captured_step(on_gpu: Loaded) -> None:
    hook = on_gpu.model.model.layers[0].register_forward_hook(lambda *_args: None)
    try:
        with pytest.warns(GuardWarning, match="would not run"):
            [found] = complete(on_gpu.model, on_gpu.tokenizer, PROMPTS[:1], max_new_tokens=4)
    finally:
        hook.remove()
    assert found.engine == "plain"


def test_what_cannot_be_captured_takes_the_plain_road(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer, _ = load(tiny_dir, dtype="float32")
    real = memory.capture_cuda
    waits = lambda work: real(lambda: (work(), torch.zeros(1, device="cuda").item())[0])  # noqa: E731
    monkeypatch.setattr(memory, "capture_cuda", waits)
    with pytest.warns(GuardWarning, match="cannot be captured"):
        found = complete(model, tokenizer, PROMPTS, max_new_tokens=12)
    assert {one.engine for one in found} == {"plain"}
    monkeypatch.undo()
    alike(found, complete(model, tokenizer, PROMPTS, engine="plain", max_new_tokens=12))


def test_a_capture_leaves_the_devices_draws_alone() -> None:
    def drawn() -> list[float]:
        return [float(one) for one in torch.rand(4, device="cuda")]

    torch.manual_seed(7)
    drawn()
    wanted = drawn()
    torch.manual_seed(7)
    drawn()
    weights = torch.ones(4, 4, device="cuda")
    with pytest.raises(NoRoad, match="cannot be captured"):
        memory.capture_cuda(lambda: weights.fill_(weights.sum().item()) and None)
    assert drawn() == wanted
    torch.manual_seed(7)
    drawn()
    kept = memory.capture_cuda(lambda: weights.add_(1))
    kept.replay()
    assert drawn() == wanted
    assert float(weights[0, 0]) == 2


def test_full_memory_at_a_capture(tiny_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer, _ = load(tiny_dir, dtype="float32")

    def full(work: Any) -> Any:
        with torch.cuda.graph(torch.cuda.CUDAGraph(), capture_error_mode="thread_local"):
            work()
            raise torch.OutOfMemoryError("full")

    with monkeypatch.context() as patch:
        patch.setattr(memory, "capture_cuda", full)
        with pytest.warns(GuardWarning, match="memory was full"):
            found = complete(model, tokenizer, PROMPTS, max_new_tokens=12)
    assert {one.engine for one in found} == {"plain"}
    again = complete(model, tokenizer, PROMPTS, max_new_tokens=12)
    assert {one.engine for one in again} == {"graphs"}
    alike(again, found)


def test_memory_is_given_back(tiny_dir: Path) -> None:
    gc.collect()
    before = torch.cuda.memory_allocated()
    model, tokenizer, _ = load(tiny_dir, dtype="float32")
    complete(model, tokenizer, PROMPTS, max_new_tokens=200, eos_token_id=701)
    kept = torch.cuda.memory_allocated()
    CleanModelLoader.release(model)
    gc.collect()
    assert torch.cuda.memory_allocated() < kept
    del model, tokenizer, _
    gc.collect()
    assert torch.cuda.memory_allocated() <= before


@pytest.mark.parametrize("quant", ["load_in_4bit", "load_in_8bit"])
def test_quantized(tiny_dir: Path, quant: str) -> None:
    pytest.importorskip("bitsandbytes")
    model, tokenizer, _ = load(tiny_dir, dtype="bfloat16", **{quant: True})
    if quant == "load_in_8bit":
        with pytest.warns(GuardWarning, match="int8 with an outlier threshold"):
            [found] = complete(model, tokenizer, PROMPTS[:1], max_new_tokens=4)
        assert found.engine == "plain"
    else:
        found, *_ = complete(model, tokenizer, PROMPTS, max_new_tokens=4)
        assert found.engine == "graphs"


def test_batches_do_not_show(tiny_dir: Path) -> None:
    model, tokenizer, _ = load(tiny_dir, dtype="bfloat16")
    options: dict[str, Any] = {"max_new_tokens": 30, "eos_token_id": 701, "batch_invariant": True}
    whole = complete(model, tokenizer, PROMPTS, **options)
    assert {one.engine for one in whole} == {"graphs"}
    for place in range(len(PROMPTS)):
        [alone] = complete(model, tokenizer, [PROMPTS[place]], **options)
        assert alone.ids == whole[place].ids
