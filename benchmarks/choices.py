"""Multiple choice: one request at a time, in batches, and lm-evaluation-harness on the same requests.

    pip install lm_eval==0.4.13
    python benchmarks/choices.py [--model DIR] [--batch-size 32] [--pairs 5] [--memory]

All run on the same weights, turn and turn about, and are counted in processor time of one thread, which
other work on a shared machine disturbs less. Log-likelihoods must agree.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

# The folder of this file holds a guard.py of its own.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from guard import CleanModelLoader  # noqa: E402
from stages.suites.forms import render  # noqa: E402
from stages.suites.shots import FewShot  # noqa: E402
from stages.suites.world import instruct  # noqa: E402
from stages.tiny import model_path  # noqa: E402

Questions = list[tuple[str, list[str]]]
KINDS = {
    "no examples": ("qa", FewShot()),
    "4 examples, the same for all": ("fewshot", FewShot(choice="first")),
    "4 examples, drawn for each": ("fewshot", FewShot()),
}
_ONE_BY_ONE = 40  # questions; more would only take longer


def questions(kind: str) -> Questions:
    """249 questions with 4 choices each: the right answer and three of other items."""
    suite, draw = instruct(), random.Random(0)
    form, few = KINDS[kind]
    golds = sorted({item.gold[0] for item in suite.items})
    found = []
    for item in suite.items:
        others = draw.sample([gold for gold in golds if gold not in item.gold], 3)
        texts = [f" {text}" for text in (item.gold[0], *others)]
        found.append((render(item, form, suite.shots, few), texts))  # type: ignore[arg-type]
    return found


def guarded(path: str) -> tuple[Any, Any]:
    """Model and tokenizer of ours."""
    model, tokenizer, _ = CleanModelLoader(path, dtype="float32").load()
    return model, tokenizer


def harness(path: str, batch_size: int) -> Any:
    """Theirs, on weights of its own."""
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    return HFLM(
        pretrained=model, tokenizer=AutoTokenizer.from_pretrained(path), batch_size=batch_size, device="cpu"
    )  # fmt: skip


def theirs(lm: Any, asked: Questions) -> list[float]:
    """Log-likelihoods of all requests in order."""
    from lm_eval.api.instance import Instance

    pairs = [(prompt, text) for prompt, texts in asked for text in texts]
    requests = [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]
    return [total for total, _ in lm.loglikelihood(requests, disable_tqdm=True)]


def ours(model: Any, tokenizer: Any, asked: Questions, batch_size: int) -> list[float]:
    """The same by the guard."""
    found = CleanModelLoader.score_batch(model, tokenizer, asked, batch_size=batch_size)
    return [one.total for part in found for one in part]


def alone(model: Any, tokenizer: Any, asked: Questions) -> list[float]:
    """The same, one request at a time."""
    return [
        CleanModelLoader.score(model, tokenizer, prompt, [text])[0].total
        for prompt, texts in asked
        for text in texts
    ]


def timed(call: Callable[[], list[float]]) -> tuple[float, list[float]]:
    """Processor seconds, and what came of it."""
    begin = time.process_time()
    found = call()
    return time.process_time() - begin, found


def compare(path: str, kind: str, batch_size: int, pairs: int) -> None:
    """Print one kind's medians and ratios."""
    asked = questions(kind)
    few = asked[:: max(1, len(asked) // _ONE_BY_ONE)]
    model, tokenizer = guarded(path)
    lm = harness(path, batch_size)
    ours(model, tokenizer, asked[:8], batch_size)
    theirs(lm, asked[:8])
    times: dict[str, list[float]] = {"one": [], "batch": [], "harness": []}
    for _ in range(pairs):
        one, _ = timed(lambda: alone(model, tokenizer, few))
        batch, mine = timed(lambda: ours(model, tokenizer, asked, batch_size))
        other, his = timed(lambda: theirs(lm, asked))
        assert max(abs(a - b) for a, b in zip(mine, his, strict=True)) < 1e-3
        for name, value in (
            ("one", one * len(asked) / len(few)),
            ("batch", batch),
            ("harness", other),
        ):
            times[name].append(value)
    by_one, by_harness = (
        [a / b for a, b in zip(times[name], times["batch"], strict=True)]
        for name in ("one", "harness")
    )
    print(
        f"{kind}: one at a time {median(times['one']):.2f} s, harness {median(times['harness']):.2f} s, "
        f"ours {median(times['batch']):.2f} s: {median(by_one):.1f} times as fast as one at a time "
        f"({min(by_one):.1f} to {max(by_one):.1f}), {median(by_harness):.1f} times the harness "
        f"({min(by_harness):.1f} to {max(by_harness):.1f})"
    )


def peak(path: str, kind: str, batch_size: int, side: str) -> None:
    """Print the most memory that one side takes above its loaded model, in MiB; in a process of its own."""
    asked = questions(kind)
    if side == "ours":
        model, tokenizer = guarded(path)
        run = lambda part: ours(model, tokenizer, part, batch_size)  # noqa: E731
    else:
        lm = harness(path, batch_size)
        run = lambda part: theirs(lm, part)  # noqa: E731
    run(asked[:1])
    # Linux forgets the peak so far, which is that of loading.
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    run(asked)
    print(_peak() - before)


def _peak() -> float:
    """The most memory that this process held since the last look, in MiB."""
    [line] = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Compare all kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(model_path()))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.peak:
        peak(given.model, given.peak[0], given.batch_size, given.peak[1])
        return
    for kind in KINDS:
        compare(given.model, kind, given.batch_size, given.pairs)
        if given.memory:
            more = {
                side: float(
                    subprocess.run(
                        [sys.executable, __file__, "--model", given.model, "--batch-size",
                         str(given.batch_size), "--peak", kind, side],
                        check=True, capture_output=True, text=True,
                    ).stdout.split()[-1]
                )
                for side in ("ours", "harness")
            }  # fmt: skip
            print(
                f"  memory above the model: ours {more['ours']:.0f} MiB, harness {more['harness']:.0f} MiB"
            )


if __name__ == "__main__":
    main()
