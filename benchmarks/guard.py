"""What the guard costs: guarded and raw side by side in one run, interleaved, as medians and ratios.

    python benchmarks/guard.py                                   # the embedded model, on a CPU
    python benchmarks/guard.py --shape qwen2.5-7b --device cuda --dtype bfloat16 --attn sdpa
    python benchmarks/guard.py --shape qwen2.5-7b --device cuda --dtype bfloat16 --decode --count --spread

Needs no network. Goals: load at most 1.05 times raw (digests aside), generate at most 1.02 times raw
per token, generate_batch at least 10 times as fast as one by one on the embedded model.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks._sides import Bench

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
# This file is called as the package is, and its folder comes first when it is run as a script.
sys.path[0] = str(Path(__file__).resolve().parents[1])


def time_digests(bench: Bench) -> dict[str, Any]:
    """What is measured of the files: read through for the first time, and remembered."""
    from guard.provenance.measure import file_records
    from guard.provenance.tensors import weights_record

    def measure() -> Any:
        return file_records(bench.directory), weights_record(bench.directory)

    cold, (files, _) = bench.clock(measure)
    warm = statistics.median(bench.clock(measure)[0] for _ in range(5))
    return {"cold_s": cold, "warm_s": warm, "bytes": sum(file.size for file in files)}


def time_loads(bench: Bench) -> dict[str, float]:
    from benchmarks._sides import interleaved

    def once(load: Callable[[], Any]) -> float:
        seconds, found = bench.clock(load)
        del found
        bench.forget()
        return seconds

    bench.watch_digests()
    for load in (bench.load_raw, bench.load_guarded):
        once(load)
    bench.load_digests.clear()
    found = interleaved(
        bench.options.load_repeats,
        lambda: once(bench.load_raw),
        lambda: once(bench.load_guarded),
    )
    digests = statistics.median(spent for spent in bench.load_digests if spent)
    return found | {
        "digests_s": digests,
        "ratio_digests_aside": found["ratio"] - digests / found["raw_s"],
        "ratio_of_fastest_digests_aside": found["ratio_of_fastest"]
        - digests / found["raw_fastest_s"],
    }


def count_loads(bench: Bench) -> dict[str, Any]:
    """What a load does, counted: the calls of both ways, the guarded one's digests included."""
    from benchmarks._counts import counted

    return counted(bench.load_raw, bench.load_guarded, cuda=bench.options.device != "cpu")


def table(results: dict[str, Any]) -> str:
    """The figures for a person."""
    head = f"{'':<24}{'raw':>12}{'guarded':>12}{'ratio':>9}   "
    lines = [head, "-" * len(head)]
    for name, found in results.items():
        if not isinstance(found, dict) or "ratio" not in found:
            continue
        more = []
        if "tokens_per_s" in found:
            more.append(f"{found['tokens_per_s']:,.0f} tok/s")
        if "faster_than_one_by_one" in found:
            least = found["faster_than_one_by_one_at_least"]
            more.append(f"{found['faster_than_one_by_one']:.1f}x one by one, at least {least:.1f}x")
        if "times_raw" in found:
            more += decoding(found)
        if "ratio_digests_aside" in found:
            more.append(
                f"{found['ratio_digests_aside']:.3f} with the digests aside "
                f"({found['ratio_of_fastest_digests_aside']:.3f} fastest to fastest)"
            )
        first, last = found["ratio_quartiles"]
        more.append(f"{found['repeats']} pairs, middle half {first:.3f} to {last:.3f}")
        if "same_texts" in found:
            more.append(f"same texts {found['same_texts']}")
        lines.append(
            f"{name:<24}{found['raw_s'] * 1e3:>9,.1f} ms{found['guarded_s'] * 1e3:>9,.1f} ms"
            f"{found['ratio']:>9.3f}   {', '.join(more)}"
        )
    if limit := results.get("memory limit"):
        lines.append(
            f"memory: {limit['bytes_per_s'] / 1e12:.2f} TB/s over {limit['bytes_per_token'] / 1e9:.2f} "
            f"GB a token: {limit['tokens_per_s']:.0f} tok/s at most"
        )
    for name, apart in results.get("spread", {}).items():
        if isinstance(apart, dict):
            lines.append(
                f"{name}: logits {apart['median']:.2%} apart, at most {apart['most']:.2%}; "
                f"{apart['other_first_token']:.1%} have another greatest one"
            )
    for row, of in (("load counts", " of a load"), ("counts", ""), ("batch counts", " of a batch")):
        both = results.get(row, {"raw": {}})
        lines += [
            f"{name}{of}: {count:,} raw, {both['guarded'].get(name, 0):,} guarded, "
            f"{both['ratios'][name]:.3f}"
            for name, count in both["raw"].items()
        ]
    if digests := results.get("digests"):
        lines.append(
            f"digests of {digests['bytes'] / 1e6:,.1f} MB: {digests['cold_s'] * 1e3:,.1f} ms the first "
            f"time, {digests['warm_s'] * 1e3:,.1f} ms afterwards"
        )
    return "\n".join(lines)


def decoding(found: dict[str, Any]) -> list[str]:
    """What a row of decoding says beside its times."""
    more = [
        f"{found['raw_tokens_per_s']:,.0f} raw, {found['times_raw']:.2f}x "
        f"(goal {found['goal_times_raw']:.1f}x) by {found['engine']}",
        f"first call {found['first_call_s']:.2f} s",
    ]
    if "of_the_limit" in found:
        more.append(
            f"{found['of_the_limit']:.1%} of the memory limit (raw {found['raw_of_the_limit']:.1%})"
        )
    if "peak_ratio" in found:
        more.append(f"peak {found['peak'] / 1e9:.2f} GB, {found['peak_ratio']:.3f}x raw")
    if "invariant_tokens_per_s" in found:
        more.append(f"batch_invariant {found['invariant_tokens_per_s']:,.0f} tok/s")
    for side, each in found.get("per_token", {}).items():
        more.append(f"{side}: {each['kernels']:,.0f} kernels, {each['starts']:,.0f} starts a token")
    return more


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--shape", default="tiny", choices=["tiny", "deep", "small", "qwen2.5-0.5b", "qwen2.5-7b"]
    )
    parser.add_argument("--quant", default="none", choices=["none", "nf4", "int8"])
    parser.add_argument("--attn", default="sdpa", help="sdpa, eager, flash_attention_2")
    parser.add_argument(
        "--sdpa-backend",
        choices=["FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION", "MATH"],
        help="the one kernel that sdpa may use; flash takes no masks: add --equal-lengths",
    )
    parser.add_argument(
        "--equal-lengths", action="store_true", help="prompts of one length: no padding, no mask"
    )
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
    parser.add_argument(
        "--row-seconds", type=float, default=3600.0, help="no pair of a row begins after so long"
    )
    parser.add_argument("--load-repeats", type=int, default=9)
    parser.add_argument("--prompts", type=int, default=128)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument(
        "--batch-sizes",
        type=int,
        nargs="*",
        default=[32, 0],
        help="rows; 0: all prompts, with the batch size that generate_batch takes by itself",
    )
    parser.add_argument("--same", type=int, default=8, help="texts compared between both ways")
    parser.add_argument("--count", action="store_true", help="count calls and operators as well")
    parser.add_argument(
        "--decode", action="store_true", help="the rows of fast decoding, and nothing else"
    )
    parser.add_argument("--rows", nargs="*", default=[], help="with --decode: these rows alone")
    parser.add_argument("--spread", action="store_true", help="how far logits lie apart as well")
    parser.add_argument("--loads-only", action="store_true")
    parser.add_argument("--no-loads", action="store_true", help="time generation only")
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

        from benchmarks._generation import time_generation
        from benchmarks._models import model_directory
        from benchmarks._sides import Bench

        torch.set_num_threads(options.threads)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        directory = options.model or model_directory(
            options.shape, options.dtype, options.device, options.keep or Path(scratch)
        )
        time.sleep(2.1)  # a file that has only just been written is not remembered
        bench = Bench(options, directory)
        results: dict[str, Any] = {}
        if options.decode:
            from benchmarks._decoding import time_decoding
            from benchmarks._spread import spread

            for row in time_decoding(bench):
                results |= row
                save(options, results)
            if options.spread:
                results |= {"spread": spread(bench)}
                save(options, results)
        elif not options.no_loads:
            results |= {"digests": time_digests(bench), "load": time_loads(bench)}
            if options.count:
                results |= {"load counts": count_loads(bench)}
            save(options, results)
        if not options.loads_only and not options.decode:
            for row in time_generation(bench):
                results |= row
                save(options, results)
        print(
            f"{options.shape}, {options.dtype}, {options.quant}, {options.attn}, "
            f"{options.sdpa_backend or 'any kernel'}, {options.device}, {options.clock} time"
        )
        print(table(results))


def save(options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Write what there is so far: a run that is cut off keeps the rows it has."""
    if not options.json:
        return
    from guard.provenance.environment import session

    about = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    report = {"options": about, "results": results, "session": session()}
    options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
