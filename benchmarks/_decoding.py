"""Times decoding by the library's own `generate` and by the guard's, one model for both, turn and turn about."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks._sides import Bench, interleaved

_LIMIT_BYTES = 4 << 30  # what is copied to measure the memory
_COUNTED = (2, 10)  # new tokens of the two calls whose difference is counted


@dataclass(frozen=True)
class Row:
    """One goal: so many rows, new tokens, and times as fast as the library at least."""

    name: str
    rows: int
    new: int
    at_least: float
    common: int = 0
    own: int = 0


ROWS: dict[str, tuple[Row, ...]] = {
    "none": (
        Row("decode 1", 1, 128, 2.0),
        Row("decode 8", 8, 64, 2.0),
        Row("decode 32", 32, 64, 2.3),
        Row("decode 128", 128, 64, 1.1),
        Row("few-shot 64", 64, 1, 3.0, common=1000, own=100),
    ),
    "nf4": (Row("decode 1", 1, 128, 4.0), Row("decode 32", 32, 64, 1.6)),
    "int8": (Row("decode 1", 1, 16, 0.95),),
}
# The embedded model on a CPU has one goal of its own.
ON_CPU = (
    Row("decode 1", 1, 32, 1.0),
    Row("decode 32", 32, 32, 1.3),
    Row("decode 128", 128, 32, 1.3),
)


def texts_of(row: Row, tokenizer: Any) -> list[str]:
    """Prompts of 16 to about 255 tokens, different each; or a common beginning and an own end."""
    draw = random.Random(row.rows)
    if row.common:
        start = _of_length(tokenizer, draw, row.common)
        return [start + _of_length(tokenizer, draw, row.own) for _ in range(row.rows)]
    return [_of_length(tokenizer, draw, draw.randrange(16, 256)) for _ in range(row.rows)]


def _of_length(tokenizer: Any, draw: random.Random, tokens: int) -> str:
    text = ""
    while len(tokenizer(text, add_special_tokens=False)["input_ids"]) < tokens:
        first, second = draw.randrange(10), draw.randrange(10)
        text += f"{first} plus {second} is {first + second}.\n"
    return text


def time_decoding(bench: Bench) -> Iterator[dict[str, Any]]:
    """Yields each row as soon as it is measured."""
    from guard import CleanModelLoader

    torch, options = bench.torch, bench.options
    on_gpu = options.device != "cpu"
    model, tokenizer = bench.load_guarded()
    limit = _memory_limit(torch, model) if on_gpu else None
    if limit is not None:
        yield {"memory limit": limit}
    for row in ROWS[options.quant] if on_gpu else ON_CPU:
        if options.rows and row.name not in options.rows:
            continue
        texts = texts_of(row, tokenizer)

        def raw(new: int = row.new, texts: list[str] = texts) -> list[list[int]]:
            return _by_hand(bench, model, tokenizer, texts, new)

        def guarded(
            new: int = row.new, texts: list[str] = texts, rows: int = row.rows, **more: Any
        ) -> list[Any]:
            return CleanModelLoader.complete(
                model, tokenizer, texts, batch_size=rows, max_new_tokens=new,
                eos_token_id=bench.end, **more,
            )  # fmt: skip

        found: dict[str, Any] = {"rows": row.rows, "new_tokens": row.new}
        found["first_call_s"], completions = bench.clock(guarded)
        found["engine"] = completions[0].engine
        ids = raw()
        found["same_texts"] = sum(
            list(one.ids) == other for one, other in zip(completions, ids, strict=True)
        )
        peaks = [_peak(torch, work) for work in (raw, guarded)] if on_gpu else []
        found |= interleaved(
            max(3, options.repeats // 8),
            lambda raw=raw: bench.clock(raw)[0],  # type: ignore[misc]
            lambda guarded=guarded: bench.clock(guarded)[0],  # type: ignore[misc]
            options.row_seconds,
        )
        tokens = row.rows * row.new
        found |= {
            "raw_tokens_per_s": tokens / found["raw_s"],
            "tokens_per_s": tokens / found["guarded_s"],
            "times_raw": 1 / found["ratio"],
            "goal_times_raw": row.at_least,
        }
        if peaks:
            found |= {"raw_peak": peaks[0], "peak": peaks[1], "peak_ratio": peaks[1] / peaks[0]}
        if limit is not None and row.rows == 1:
            found["of_the_limit"] = found["tokens_per_s"] / limit["tokens_per_s"]
            found["raw_of_the_limit"] = found["raw_tokens_per_s"] / limit["tokens_per_s"]
        if options.count and on_gpu and row.new > _COUNTED[1]:
            found["per_token"] = {
                "raw": _per_token(torch, raw), "guarded": _per_token(torch, guarded),
            }  # fmt: skip
        if row.rows == 32 and on_gpu:
            found["invariant_tokens_per_s"] = _rate(
                bench,
                tokens,
                lambda guarded=guarded: guarded(batch_invariant=True),  # type: ignore[misc]
            )
        yield {row.name: found}
        torch.cuda.empty_cache() if on_gpu else None


def _by_hand(
    bench: Bench, model: Any, tokenizer: Any, texts: list[str], new: int
) -> list[list[int]]:
    """The library's own `generate`, called as a careful script does."""
    tokenizer.padding_side = "left"
    inputs = tokenizer(texts, return_tensors="pt", padding=len(texts) > 1).to(model.device)
    with bench.torch.no_grad():
        output = type(model).generate(
            model, **inputs, max_new_tokens=new, do_sample=False, eos_token_id=bench.end,
            pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
    made = output[:, inputs["input_ids"].shape[1] :]
    tokenizer.batch_decode(made, skip_special_tokens=True)
    ids: list[list[int]] = made.tolist()
    return ids


def _memory_limit(torch: Any, model: Any) -> dict[str, float]:
    """What the memory allows at one row: the copy bandwidth over the bytes that a step reads."""
    source = torch.randint(0, 255, (_LIMIT_BYTES,), dtype=torch.uint8, device=model.device)
    target = torch.empty_like(source)
    times = []
    for _ in range(8):
        torch.cuda.synchronize()
        start = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    rate = 2 * _LIMIT_BYTES / min(times)
    del source, target
    torch.cuda.empty_cache()
    looked_up = model.get_input_embeddings().weight
    head = model.get_output_embeddings().weight
    size = sum(one.numel() * one.element_size() for one in model.parameters())
    if looked_up.data_ptr() != head.data_ptr():
        size -= looked_up.numel() * looked_up.element_size()
    return {"bytes_per_s": rate, "bytes_per_token": size, "tokens_per_s": rate / size}


def _peak(torch: Any, work: Callable[[], Any]) -> int:
    """Most bytes allocated during a call, what the model itself takes included."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated())


def _rate(bench: Bench, tokens: int, work: Callable[[], Any]) -> float:
    work()
    return tokens / min(bench.clock(work)[0] for _ in range(3))


def _per_token(torch: Any, work: Callable[[int], Any]) -> dict[str, float]:
    """Kernels that the GPU runs for each step, and calls of the host that start them."""
    few, many = (_kernels(torch, lambda new=new: work(new)) for new in _COUNTED)  # type: ignore[misc]
    steps = _COUNTED[1] - _COUNTED[0]
    return {name: (many[name] - few[name]) / steps for name in many}


def _kernels(torch: Any, work: Callable[[], Any]) -> dict[str, int]:
    from torch.profiler import ProfilerActivity, profile

    work()  # what is captured for this length is captured before
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        work()
        torch.cuda.synchronize()
    kernels = starts = 0
    for event in seen.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            kernels += 1
        elif event.name.startswith(
            ("cudaLaunch", "cuLaunch", "cudaMemcpy", "cudaMemset", "cudaGraphLaunch")
        ):
            starts += 1
    return {"kernels": kernels, "starts": starts}
