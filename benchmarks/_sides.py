"""Both sides of benchmarks/guard.py, raw and guarded, and how they are timed turn and turn about."""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
        self.load_digests: list[float] = []
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

    def load_raw_unpacked(self) -> tuple[Any, Any]:
        """Raw, on the kernel that the guard keeps 4-bit weights on (see docs/performance.md)."""
        model, tokenizer = self.load_raw()
        for module in model.modules():
            if "support_avx512bf16_for_cpu" in vars(module):
                module.support_avx512bf16_for_cpu = False
        return model, tokenizer

    def load_guarded(self) -> tuple[Any, Any]:
        from guard import CleanModelLoader

        model, tokenizer, _ = CleanModelLoader(
            self.directory,
            load_in_4bit=self.options.quant == "nf4",
            load_in_8bit=self.options.quant == "int8",
            **self.place,
        ).load()
        return model, tokenizer

    def watch_digests(self) -> None:
        """Add up what each load spends on digests: of files, of tensors, of the tokenizer."""
        from guard.prompts import policy
        from guard.provenance import measure

        def timed(work: Callable[..., Any]) -> Callable[..., Any]:
            def run(*args: Any) -> Any:
                tick = self.tick
                start = tick()
                try:
                    return work(*args)
                finally:
                    self.load_digests[-1] += tick() - start

            return run

        measure.file_records = timed(measure.file_records)
        measure.weights_record = timed(measure.weights_record)
        policy.tokenizer_digest = timed(policy.tokenizer_digest)

    @property
    def tick(self) -> Callable[[], float]:
        return time.process_time if self.options.clock == "cpu" else time.perf_counter

    def clock(self, work: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds, and what the work gave back."""
        gc.collect()
        self.wait()
        self.load_digests.append(0.0)
        start = self.tick()
        found = work()
        self.wait()
        return self.tick() - start, found

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
    repeats: int,
    raw: Callable[[], float],
    guarded: Callable[[], float],
    seconds: float = math.inf,
) -> dict[str, Any]:
    """Seconds of both, turn and turn about; the ratio is the median of the pairs' ratios.

    No pair is begun after ``seconds``, but one is always taken.
    """
    raws: list[float] = []
    guards: list[float] = []
    end = time.monotonic() + seconds
    for turn in range(repeats):
        if turn and time.monotonic() >= end:
            break
        for work, into in ((raw, raws), (guarded, guards))[:: 1 if turn % 2 else -1]:
            into.append(work())
    return {
        "raw_s": statistics.median(raws),
        "guarded_s": statistics.median(guards),
        "ratio": statistics.median(g / r for r, g in zip(raws, guards, strict=True)),
        "raw_fastest_s": min(raws),
        "guarded_fastest_s": min(guards),
        "ratio_of_fastest": min(guards) / min(raws),
        "ratio_quartiles": _quartiles([g / r for r, g in zip(raws, guards, strict=True)]),
        "repeats": len(raws),
    }


def _quartiles(ratios: list[float]) -> list[float]:
    """Where the middle half of the pairs lies, as numpy's default method has it."""
    if len(ratios) < 2:
        return [*ratios, *ratios]
    first, _, last = statistics.quantiles(ratios, n=4, method="inclusive")
    return [first, last]
