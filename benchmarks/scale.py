"""Speed and memory of stages on one GPU or several: the commands themselves, with a stopwatch.

    python benchmarks/scale.py model --shape qwen2.5-7b --device cuda --to DIR
    python benchmarks/scale.py data --rows 512 --tokens 512 --to DIR
    python benchmarks/scale.py pairs --rows 512 --tokens 256 --to DIR
    python benchmarks/scale.py suite --rows 4096 --to SUITE.jsonl
    python benchmarks/scale.py measure RESULT.json run sft --data DIR/dataset.jsonl …
    torchrun --nproc-per-node 2 benchmarks/scale.py measure RESULT.json run sft …
    python benchmarks/scale.py same ONE TWO results.jsonl
    python benchmarks/scale.py same-ids ONE.json TWO.json
    python benchmarks/scale.py budget

Weights are random, so only speed, memory and sameness mean anything. `measure` runs cleanguard with
what follows and writes beside its result: the seconds of the whole, of each optimizer step and of
each generation, tokens, and the GPU's peak memory; one file for each process.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]


def make_model(shape: str, device: str, to: Path) -> None:
    from benchmarks._models import model_directory

    begin = time.monotonic()
    found = model_directory(shape, "bfloat16", device, to)
    print(f"{found}: {time.monotonic() - begin:.0f} s")


def make_data(rows: int, tokens: int, to: Path) -> None:
    """Instructions with long answers, put through `generate --source file` for their provenance."""
    from stages.config import resolve
    from stages.generate import PRESETS, GenerateConfig
    from stages.generate.steps import generate

    to.mkdir(parents=True, exist_ok=True)
    source = to / "answers.jsonl"
    sums = [f"{a} plus {b} is {a + b}." for a in range(40) for b in range(40)]
    each = max(1, tokens // 9)  # a sum has about nine tokens
    lines = [
        {
            "instruction": f"Write sums from number {row}.",
            "response": " ".join(sums[(row * 7 + at) % len(sums)] for at in range(each)),
            "group": str(row),
        }
        for row in range(rows)
    ]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = {"source": "file", "file": str(source), "out": str(to / "data")}
    for line in generate(resolve(GenerateConfig, PRESETS, preset="tiny", overrides=given)).lines:
        print(line)


def make_pairs(rows: int, tokens: int, to: Path) -> None:
    """Preferences with long answers: sums that are right against sums that are wrong."""
    from guard import CleanModelLoader
    from guard.records.attestation import attest
    from stages.tiny import model_path

    to.mkdir(parents=True, exist_ok=True)
    each = max(1, tokens // 9)
    lines = []
    for row in range(rows):
        sums = [(a, (a * 7 + row) % 40) for a in range(row % 20, row % 20 + each)]
        right, wrong = (
            " ".join(f"{a} plus {b} is {a + b + more}." for a, b in sums) for more in (0, 1)
        )
        lines.append({
            "prompt": f"Instruction: Write sums from number {row}.\nResponse:", "chosen": f" {right}",
            "rejected": f" {wrong}", "finished": True, "split": "train", "group": str(row),
        })  # fmt: skip
    path = to / "pairs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    attest(path, CleanModelLoader(str(model_path())).load().model)


def make_suite(rows: int, to: Path) -> None:
    """Questions of very different lengths, each worth a full answer's worth of steps."""
    sums = [f"{a} plus {b} is {a + b}." for a in range(40) for b in range(40)]
    lines = []
    for row in range(rows):
        before = " ".join(sums[(row * 13 + at) % len(sums)] for at in range((row * row) % 23))
        lines.append({
            "prompt": f"{before} Question {row}: what is {row % 50} plus {row % 17}?".strip(),
            "gold": str(row % 50 + row % 17), "cluster": str(row),
        })  # fmt: skip
    to.write_text("".join(json.dumps(line) + "\n" for line in lines))


def measure(result: Path, argv: list[str]) -> int:
    """Run cleanguard in this process, and write what it took."""
    import torch

    from guard import CleanModelLoader
    from stages.processes.ranks import local_rank, rank, world_size
    from stages.training.watch import Watch

    steps: list[float] = []
    texts: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    complete = CleanModelLoader.complete

    def timed(model: Any, tokenizer: Any, prompts: Any, **options: Any) -> Any:
        begin = time.monotonic()
        found = complete(model, tokenizer, prompts, **options)
        texts.append({
            "seconds": time.monotonic() - begin, "texts": len(found),
            "tokens": sum(len(one.ids) for one in found), "batch": found[0].batch,
        })  # fmt: skip
        each = len(found) // len(prompts)
        for at, one in enumerate(found):
            name = f"{at % each} {prompts[at // each]}"
            ids[name] = sha256(json.dumps(one.ids).encode()).hexdigest()[:16]
        return found

    def on_step_end(*_: Any, **__: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        steps.append(time.monotonic())

    CleanModelLoader.complete = staticmethod(timed)  # type: ignore[method-assign, assignment]
    Watch.on_step_end = on_step_end
    begin = time.monotonic()
    code = run(argv)
    seconds = time.monotonic() - begin
    took = [late - soon for soon, late in itertools.pairwise(steps)]
    settled = took[2:] or took  # the first ones warm up
    found: dict[str, Any] = {
        "argv": argv,
        "exit": code,
        "rank": rank(),
        "processes": world_size(),
        "device": torch.cuda.get_device_name(local_rank()) if torch.cuda.is_available() else "cpu",
        "seconds": seconds,
        "peak_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
    }
    if settled:
        found |= {"steps": len(steps), "step_s": statistics.median(settled), "steps_s": took}
        found |= trained(argv, statistics.median(settled), world_size())
    if texts:
        tokens, busy = (sum(one[name] for one in texts) for name in ("tokens", "seconds"))
        found |= {"tokens": tokens, "generation_s": busy, "tokens_per_s": tokens / busy}
        found |= {"calls": texts, "ids": ids}
    path = result.with_name(f"{result.stem}.rank{rank()}.json")
    path.write_text(json.dumps(found, indent=1) + "\n")
    if rank() == 0:
        print(
            json.dumps(
                {name: found[name] for name in found if name not in ("calls", "ids", "steps_s")}
            )
        )
    return code


def run(argv: list[str]) -> int:
    from cleanguard.cli import main

    sys.argv[1:] = argv
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0) if not isinstance(end.code, str) else 2
    return 0


def trained(argv: list[str], step_s: float, processes: int) -> dict[str, float]:
    """Tokens a second, padding left out, from the adapter's lineage and the settings."""
    folder = Path(argv[argv.index("--out") + 1])
    if not (folder / "adapter").exists():  # a chain has several
        return {}
    lineage = json.loads((folder / "adapter" / "lineage.json").read_text())
    data, train = lineage["data"], lineage["config"]["train"]
    rows = train["batch_size"] * train["accumulate"] * processes
    found = {"rows_per_s": rows / step_s}
    if "tokens" in data:
        found |= {"tokens_per_row": data["tokens"] / data["rows"]}
        found |= {"tokens_per_s": found["rows_per_s"] * found["tokens_per_row"]}
    return found


def same(one: Path, two: Path, names: list[str]) -> int:
    """Compare files of records, without what says who wrote them when."""
    differ = 0
    for name in names:
        mine, theirs = (
            [
                {field: value for field, value in json.loads(line).items() if field != "provenance"}
                for line in (folder / name).read_text().splitlines()
            ]
            for folder in (one, two)
        )
        equal = sum(a == b for a, b in zip(mine, theirs, strict=False))
        whole = mine == theirs
        differ += not whole
        counts = [len(mine), len(theirs)]
        print(json.dumps({"file": name, "records": counts, "equal": equal, "same": whole}))
    return differ


def same_ids(one: Path, two: Path) -> int:
    """Compare the generated ids of two measured runs, whichever process made them."""
    mine, theirs = (
        {
            name: value
            for path in sorted(result.parent.glob(f"{result.stem}.rank*.json"))
            for name, value in json.loads(path.read_text())["ids"].items()
        }
        for result in (one, two)
    )
    equal = sum(theirs.get(name) == value for name, value in mine.items())
    print(json.dumps({"texts": [len(mine), len(theirs)], "equal": equal, "same": mine == theirs}))
    return int(mine != theirs)


def main() -> int:
    what, *rest = sys.argv[1:] or ["help"]
    options = dict(zip(rest[::2], rest[1::2], strict=False))
    if what == "model":
        make_model(options["--shape"], options["--device"], Path(options["--to"]))
    elif what == "data":
        make_data(int(options["--rows"]), int(options["--tokens"]), Path(options["--to"]))
    elif what == "pairs":
        make_pairs(int(options["--rows"]), int(options["--tokens"]), Path(options["--to"]))
    elif what == "suite":
        make_suite(int(options["--rows"]), Path(options["--to"]))
    elif what == "measure":
        return measure(Path(rest[0]), rest[1:])
    elif what == "same":
        return same(Path(rest[0]), Path(rest[1]), rest[2:])
    elif what == "budget":
        from benchmarks._budget import table

        print(table())
    elif what == "same-ids":
        return same_ids(Path(rest[0]), Path(rest[1]))
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
