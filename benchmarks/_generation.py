"""Times generation both ways for benchmarks/guard.py: one by one, and in batches."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from benchmarks._counts import counted
from benchmarks._models import prompts
from benchmarks._sides import Bench, interleaved


def time_generation(bench: Bench) -> Iterator[dict[str, Any]]:
    """Single prompts, then each batch size: seconds, ratios, and how much batching gains.

    Yields each row as soon as it is measured.
    """
    options = bench.options
    with _only_backend(options.sdpa_backend):
        yield from _measure(bench, prompts(options.prompts, equal=options.equal_lengths))


def _only_backend(backend: str | None) -> AbstractContextManager[Any]:
    """Leaves scaled_dot_product_attention one backend; it raises where that one cannot run."""
    if backend is None:
        return nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    found: AbstractContextManager[Any] = sdpa_kernel(SDPBackend.__members__[backend])
    return found


def _measure(bench: Bench, texts: list[str]) -> Iterator[dict[str, Any]]:
    from guard import CleanModelLoader

    raw, guarded = bench.load_raw(), bench.load_guarded()
    options = bench.options
    settings: dict[str, Any] = {"max_new_tokens": options.new_tokens, "eos_token_id": bench.end}
    most = options.row_seconds
    turn = iter(range(1 << 30))

    def one(work: Callable[[str], Any]) -> float:
        return bench.clock(lambda: work(texts[next(turn) // 2 % len(texts)]))[0]

    def raw_one(text: str) -> Any:
        return bench.generate_raw(*raw, [text])

    def guarded_one(text: str) -> Any:
        return CleanModelLoader.generate(*guarded, text, **settings)

    for work in (raw_one, guarded_one):
        one(work)
        one(work)
    same = sum(raw_one(text)[0] == guarded_one(text) for text in texts[: options.same])
    turn = iter(range(1 << 30))
    found = interleaved(options.repeats, lambda: one(raw_one), lambda: one(guarded_one), most)
    rest = {
        "tokens_per_s": options.new_tokens / found["guarded_s"],
        "same_texts": f"{same}/{len(texts[: options.same])}",
    }
    yield {"generate": found | rest}
    if options.quant == "nf4" and options.device == "cpu":
        same_path = bench.load_raw_unpacked()
        found = interleaved(
            options.repeats,
            lambda: one(lambda text: bench.generate_raw(*same_path, [text])),
            lambda: one(guarded_one),
            most,
        )
        yield {"generate, same kernel": found}
    if options.count:
        sides = (lambda: raw_one(texts[0]), lambda: guarded_one(texts[0]))
        yield {"counts": counted(*sides, cuda=options.device != "cpu")}
    # 0 stands for all prompts with the batch size that generate_batch takes by itself.
    for size in [s for s in options.batch_sizes if s <= len(texts)]:
        chosen = texts[:size] if size else texts

        def raw_batch(chosen: list[str] = chosen) -> float:
            return bench.clock(lambda: bench.generate_raw(*raw, chosen))[0]

        def guarded_batch(chosen: list[str] = chosen, size: int = size) -> float:
            return bench.clock(
                lambda: CleanModelLoader.generate_batch(
                    *guarded, chosen, batch_size=size or None, **settings
                )
            )[0]

        def singles() -> float:
            return statistics.median(one(guarded_one) for _ in range(3))

        raw_batch()
        guarded_batch()
        repeats = max(3, options.repeats // 8)
        found = interleaved(repeats, raw_batch, guarded_batch, most)
        # Turn and turn about as well: what slows the machine slows both.
        faster = [singles() * len(chosen) / guarded_batch() for _ in range(repeats)]
        name = f"generate_batch {size}" if size else f"generate_batch, all {len(texts)}"
        rest = {
            "tokens_per_s": len(chosen) * options.new_tokens / found["guarded_s"],
            "faster_than_one_by_one": statistics.median(faster),
            "faster_than_one_by_one_at_least": min(faster),
        }
        yield {name: found | rest}
        if options.count and not size:
            sides = (raw_batch, guarded_batch)
            yield {"batch counts": counted(*sides, cuda=options.device != "cpu")}
    if options.device != "cpu":
        yield {"peak_bytes_two_models": bench.torch.cuda.max_memory_allocated()}
