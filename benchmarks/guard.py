"""What the guard costs: guarded and raw side by side in one run, interleaved, as medians and ratios.

    python benchmarks/guard.py                                   # the embedded model, on a CPU
    python benchmarks/guard.py --shape qwen2.5-7b --device cuda --dtype bfloat16 --attn sdpa

Needs no network. Goals: load at most 1.05 times raw (digests aside), generate at most 1.02 times raw
per token, generate_batch at least 10 times as fast as one by one on the embedded model.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
# This file is called as the package is, and its folder comes first when it is run as a script.
sys.path[0] = str(Path(__file__).resolve().parents[1])


class Bench:
    """One model, loaded both ways, as often as it takes."""

    def __init__(self, options: argparse.Namespace, directory: Path) -> None:
        import torch

        self.torch = torch
        self.options = options
        self.directory = directory
        self.dtype = getattr(torch, options.dtype)
        self.place: dict[str, Any] = {"dtype": self.dtype, "attn_implementation": options.attn}
        if options.device != "cpu":
            self.place["device_map"] = {"": options.device}
        # An id that is never chosen, so that every text has the same length on both sides.
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        self.end = int(config["vocab_size"]) - 1

    def load_raw(self) -> tuple[Any, Any]:
        from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

        extra: dict[str, Any] = {}
        if self.options.quant == "nf4":
            extra["quantization_config"] = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=self.dtype,
            )
        if self.options.quant == "int8":
            extra["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
        model = AutoModelForCausalLM.from_pretrained(self.directory, **self.place, **extra).eval()
        return model, AutoTokenizer.from_pretrained(self.directory)

    def load_guarded(self) -> tuple[Any, Any]:
        from guard import CleanModelLoader

        model, tokenizer, _ = CleanModelLoader(
            self.directory,
            load_in_4bit=self.options.quant == "nf4",
            load_in_8bit=self.options.quant == "int8",
            **self.place,
        ).load()
        return model, tokenizer

    def clock(self, work: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds, and what the work gave back."""
        gc.collect()
        self.wait()
        tick = time.process_time if self.options.clock == "cpu" else time.perf_counter
        start = tick()
        found = work()
        self.wait()
        return tick() - start, found

    def wait(self) -> None:
        if self.options.device != "cpu":
            self.torch.cuda.synchronize()

    def forget(self) -> None:
        gc.collect()
        if self.options.device != "cpu":
            self.torch.cuda.empty_cache()

    def generate_raw(self, model: Any, tokenizer: Any, texts: list[str]) -> list[str]:
        """Tokenise, generate, slice, decode: what a careful script does by hand."""
        tokenizer.padding_side = "left"
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        inputs = tokenizer(texts, return_tensors="pt", padding=len(texts) > 1).to(model.device)
        with self.torch.no_grad():
            output = model.generate(
                **inputs,
                max_new_tokens=self.options.new_tokens,
                do_sample=False,
                eos_token_id=self.end,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = output[:, inputs["input_ids"].shape[1] :]
        return list(tokenizer.batch_decode(new, skip_special_tokens=True))


def interleaved(
    repeats: int, raw: Callable[[], float], guarded: Callable[[], float]
) -> dict[str, float]:
    """Seconds of both, turn and turn about; the ratio is the median of the pairs' ratios."""
    raws: list[float] = []
    guards: list[float] = []
    for turn in range(repeats):
        for work, into in ((raw, raws), (guarded, guards))[:: 1 if turn % 2 else -1]:
            into.append(work())
    return {
        "raw_s": statistics.median(raws),
        "guarded_s": statistics.median(guards),
        "ratio": statistics.median(g / r for r, g in zip(raws, guards, strict=True)),
        "ratio_of_fastest": min(guards) / min(raws),
        "repeats": repeats,
    }


def time_digests(bench: Bench) -> dict[str, Any]:
    """What is measured of the files: read through for the first time, and remembered."""
    from guard.measure import file_records
    from guard.tensors import weights_record

    def measure() -> Any:
        return file_records(bench.directory), weights_record(bench.directory)

    cold, (files, _) = bench.clock(measure)
    warm = statistics.median(bench.clock(measure)[0] for _ in range(5))
    return {"cold_s": cold, "warm_s": warm, "bytes": sum(file.size for file in files)}


def time_loads(bench: Bench) -> dict[str, float]:
    def once(load: Callable[[], Any]) -> float:
        seconds, found = bench.clock(load)
        del found
        bench.forget()
        return seconds

    for load in (bench.load_raw, bench.load_guarded):
        once(load)
    return interleaved(
        bench.options.load_repeats,
        lambda: once(bench.load_raw),
        lambda: once(bench.load_guarded),
    )


def time_generation(bench: Bench) -> dict[str, Any]:
    from benchmarks._models import prompts
    from guard import CleanModelLoader

    raw, guarded = bench.load_raw(), bench.load_guarded()
    options = bench.options
    texts = prompts(options.prompts)
    settings: dict[str, Any] = {"max_new_tokens": options.new_tokens, "eos_token_id": bench.end}
    results: dict[str, Any] = {}
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
    same = sum(raw_one(text)[0] == guarded_one(text) for text in texts[:8])
    turn = iter(range(1 << 30))
    found = interleaved(options.repeats, lambda: one(raw_one), lambda: one(guarded_one))
    results["generate"] = found | {
        "tokens_per_s": options.new_tokens / found["guarded_s"],
        "same_texts": f"{same}/{len(texts[:8])}",
    }
    for size in options.batch_sizes:
        if size > len(texts):
            continue

        def raw_batch(size: int = size) -> float:
            return bench.clock(lambda: bench.generate_raw(*raw, texts[:size]))[0]

        def guarded_batch(size: int = size) -> float:
            return bench.clock(
                lambda: CleanModelLoader.generate_batch(
                    *guarded, texts[:size], batch_size=size, **settings
                )
            )[0]

        raw_batch()
        guarded_batch()
        found = interleaved(max(3, options.repeats // 8), raw_batch, guarded_batch)
        each = results["generate"]["guarded_s"] * size
        results[f"generate_batch {size}"] = found | {
            "tokens_per_s": size * options.new_tokens / found["guarded_s"],
            "faster_than_one_by_one": each / found["guarded_s"],
        }
    if options.device != "cpu":
        results["peak_bytes_two_models"] = bench.torch.cuda.max_memory_allocated()
    return results


def table(results: dict[str, Any]) -> str:
    """The figures for a person."""
    head = f"{'':<20}{'raw':>12}{'guarded':>12}{'ratio':>9}   "
    lines = [head, "-" * len(head)]
    for name, found in results.items():
        if not isinstance(found, dict) or "ratio" not in found:
            continue
        more = []
        if "tokens_per_s" in found:
            more.append(f"{found['tokens_per_s']:,.0f} tok/s")
        if "faster_than_one_by_one" in found:
            more.append(f"{found['faster_than_one_by_one']:.1f}x one by one")
        if "ratio_digests_aside" in found:
            more.append(f"{found['ratio_digests_aside']:.3f} with the digests aside")
        if "same_texts" in found:
            more.append(f"same texts {found['same_texts']}")
        lines.append(
            f"{name:<20}{found['raw_s'] * 1e3:>9,.1f} ms{found['guarded_s'] * 1e3:>9,.1f} ms"
            f"{found['ratio']:>9.3f}   {', '.join(more)}"
        )
    digests = results["digests"]
    lines.append(
        f"digests of {digests['bytes'] / 1e6:,.1f} MB: {digests['cold_s'] * 1e3:,.1f} ms the first "
        f"time, {digests['warm_s'] * 1e3:,.1f} ms afterwards"
    )
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--shape", default="tiny", choices=["tiny", "small", "qwen2.5-0.5b", "qwen2.5-7b"]
    )
    parser.add_argument("--quant", default="none", choices=["none", "nf4", "int8"])
    parser.add_argument("--attn", default="sdpa", help="sdpa, eager, flash_attention_2")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--clock",
        default="wall",
        choices=["wall", "cpu"],
        help="cpu counts this process's processor time: steadier where others use the machine",
    )
    parser.add_argument("--threads", type=int, default=1, help="torch threads on a CPU")
    parser.add_argument("--repeats", type=int, default=40, help="pairs of single generations")
    parser.add_argument("--load-repeats", type=int, default=9)
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[32, 128])
    parser.add_argument("--loads-only", action="store_true")
    parser.add_argument(
        "--model", type=Path, help="a directory that an earlier run kept with --keep"
    )
    parser.add_argument("--keep", type=Path, help="make the random model here and leave it")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CLEANGUARD_CACHE_DIR"] = str(Path(scratch) / "cache")
        import torch
        import transformers

        from benchmarks._models import model_directory

        torch.set_num_threads(options.threads)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        directory = options.model or model_directory(
            options.shape, options.dtype, options.device, options.keep or Path(scratch)
        )
        time.sleep(2.1)  # a file that has only just been written is not remembered
        bench = Bench(options, directory)
        digests, load = time_digests(bench), time_loads(bench)
        load["ratio_digests_aside"] = load["ratio"] - digests["warm_s"] / load["raw_s"]
        results: dict[str, Any] = {"digests": digests, "load": load}
        if not options.loads_only:
            results |= time_generation(bench)
        print(
            f"{options.shape}, {options.dtype}, {options.quant}, {options.attn}, {options.device}"
        )
        print(table(results))
        if options.json:
            from guard.environment import session

            about = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
            report = {"options": about, "results": results, "session": session()}
            options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
