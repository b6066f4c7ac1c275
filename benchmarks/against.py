"""generate_batch of two checkouts side by side on the embedded model, turn and turn about, on a CPU.

    git worktree add --detach ../old 39209a3
    python benchmarks/against.py ../old

Each side is a process of its own that stays and is asked for one run at a time; processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
# By name: prompts, the batch size, what generate_batch is told beside it.
WORK: dict[str, tuple[int, int | None, dict[str, Any]]] = {
    "128 prompts, 32 tokens each": (128, None, {"max_new_tokens": 32, "eos_token_id": 701}),
    "128 prompts, to their own end": (128, None, {"max_new_tokens": 32}),
    "128 prompts, sampled, to their own end": (
        128, None, {"max_new_tokens": 64, "temperature": 1.0, "seed": 1},
    ),
    "8 prompts, 32 tokens each": (8, None, {"max_new_tokens": 32, "eos_token_id": 701}),
    "one prompt, 32 tokens": (1, None, {"max_new_tokens": 32, "eos_token_id": 701}),
}  # fmt: skip
_SIDE = """
import json, sys, time
import torch
torch.set_num_threads(1)
from benchmarks._models import prompts
from guard import CleanModelLoader
from stages.tiny import model_path
model, tokenizer, _ = CleanModelLoader(model_path(), dtype="float32").load()
for line in sys.stdin:
    count, size, options = json.loads(line)
    texts = prompts(count)
    start = time.process_time()
    found = CleanModelLoader.complete(model, tokenizer, texts, batch_size=size, **options)
    spent = time.process_time() - start
    print(json.dumps([spent, [list(one.ids) for one in found]]), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("old", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    sides = [_start(options.old.resolve()), _start(HERE)]
    for name, work in WORK.items():
        pairs: list[tuple[float, float]] = []
        for number in range(options.rounds + 1):
            (old, theirs), (new, ours) = (_ask(side, work) for side in sides)
            if theirs != ours:
                sys.exit(f"{name}: the texts differ")
            if number:  # the first one warms up
                pairs.append((old, new))
        tokens = sum(map(len, ours))
        faster = sorted(old / new for old, new in pairs)
        low, _, high = statistics.quantiles(faster, n=4, method="inclusive")
        old, new = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(
            f"{name}: {tokens / old:,.0f} -> {tokens / new:,.0f} tokens/s, "
            f"{statistics.median(faster):.2f} times (middle half {low:.2f} to {high:.2f})"
        )
    for side in sides:
        side.stdin.close()
        side.wait()


def _start(checkout: Path) -> Any:
    env = {**os.environ, "PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", _SIDE], cwd=checkout, env=env, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _ask(side: Any, work: tuple[int, int | None, dict[str, Any]]) -> tuple[float, list[list[int]]]:
    side.stdin.write(json.dumps(work) + "\n")
    side.stdin.flush()
    spent, ids = json.loads(side.stdout.readline())
    return spent, ids


if __name__ == "__main__":
    main()
