"""The same items through other people's harnesses as they are, and over the guard; two tables for the docs.

    python benchmarks/harnesses.py lm-eval W          # four families of tokenizers, float32 and bfloat16
    python benchmarks/harnesses.py inspect W          # inspect_ai's own provider beside plain prompts

W is a folder for models and logs. 271 items of the embedded world in 167 clusters; intervals are Wilson's, widened
for the clusters. The weights are the embedded model's, so only the differences between columns mean anything.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks._families import FAMILIES, lay
from stages.harnesses import GuardedLM
from stages.statistics.wilson import wilson_of
from stages.suites import world
from stages.suites.item import SuiteItem

CHOICES = 4
WAYS: tuple[tuple[str, dict[str, str]], ...] = (
    ("float32", {}),
    ("bfloat16", {}),
    ("bfloat16", {"softmax_dtype": "float32"}),
)


def items() -> tuple[SuiteItem, ...]:
    """The items, all of which begin a sentence."""
    return world.completion().items


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=("lm-eval", "inspect"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    import torch

    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    (lm_eval_table if given.table == "lm-eval" else inspect_table)(given.folder)


def lm_eval_table(folder: Path) -> None:
    """`hf` against `cleanguard`, request by request."""
    from lm_eval.models.huggingface import HFLM

    print(
        "| tokenizer like | dtype | log-likelihoods equal to 0.1% | largest difference | accuracy `hf` "
        "| accuracy `cleanguard` | texts equal | bits per byte `hf` | `cleanguard` | `hf` without its second BOS |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for family in FAMILIES:
        path = lay(family, folder / family)
        for dtype, more in WAYS:
            usual = {"dtype": dtype, "device": "cpu", "batch_size": 8, **more}
            mine = GuardedLM(path, dtype=dtype, batch_size=8)
            theirs, single = HFLM(str(path), **usual), HFLM(str(path), add_bos_token=False, **usual)
            name = ", ".join([dtype, *(f"`{key}={value}`" for key, value in more.items())])
            print(_row(family, name, mine, theirs, single), flush=True)


def _row(family: str, dtype: str, mine: Any, theirs: Any, single: Any) -> str:
    asked = items()
    clusters = [item.cluster for item in asked]
    asked_for = [(i.completion, f" {one}.") for i in asked for one in choices_of(i)]
    pairs = _requests("loglikelihood", asked_for)
    ours, stock = mine.loglikelihood(pairs, True), theirs.loglikelihood(pairs, True)
    apart = [abs(a[0] - b[0]) for a, b in zip(ours, stock, strict=True)]
    equal = sum(one < 1e-3 * max(1, abs(b[0])) for one, b in zip(apart, stock, strict=True))
    right = [_right(asked, scored) for scored in (stock, ours)]
    settings = {"until": ["."], "max_gen_toks": 12}
    prompts = _requests("generate_until", [(item.completion, settings) for item in asked])
    written = [lm.generate_until(prompts, True) for lm in (mine, theirs)]
    texts = [a == b for a, b in zip(*written, strict=True)]
    whole = [
        " ".join(f"{item.completion} {item.gold[0]}." for item in asked[at : at + 8])
        for at in range(0, len(asked), 8)
    ]
    bits = sum(len(text.encode()) for text in whole) * math.log(2)
    read = _requests("loglikelihood_rolling", [(text,) for text in whole])
    rolling = [-sum(lm.loglikelihood_rolling(read, True)) / bits for lm in (theirs, mine, single)]
    cells = [
        family, dtype, f"{equal} of {len(apart)}", f"{max(apart):.2g}",
        _rate(right[0], clusters), _rate(right[1], clusters),
        _rate(texts, clusters), *(f"{one:.4f}" for one in rolling),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def choices_of(item: SuiteItem) -> list[str]:
    """The right answer among wrong ones, in an order of the item's own."""
    drawn = random.Random(item.id)
    others = sorted({one.gold[0] for one in items()} - set(item.gold))
    found = [item.gold[0], *drawn.sample(others, CHOICES - 1)]
    drawn.shuffle(found)
    return found


def _right(asked: Sequence[SuiteItem], scored: Sequence[tuple[float, bool]]) -> list[bool]:
    found = []
    for number, item in enumerate(asked):
        values = [scored[number * CHOICES + at][0] for at in range(CHOICES)]
        best = values.index(max(values))  # as lm_eval has it: the first of several
        found.append(choices_of(item)[best] in item.gold)
    return found


def _requests(kind: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    from lm_eval.api.instance import Instance

    return [Instance(kind, {}, one, 0, metadata=("world", at, 1)) for at, one in enumerate(arguments)]  # fmt: skip


def _rate(passed: Sequence[bool], clusters: Sequence[str]) -> str:
    one = wilson_of(passed, clusters).interval
    return f"{100 * sum(passed) / len(passed):.1f}% [{100 * one.low:.1f}, {100 * one.high:.1f}]"


def inspect_table(folder: Path) -> None:
    """inspect_ai's `hf` in its three ways, `cleanguard`, and plain prompts without a harness."""
    from inspect_ai import Task
    from inspect_ai import eval as run
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    from guard import CleanModelLoader
    from stages.harnesses import inspect_registry
    from stages.tiny import model_path

    assert inspect_registry
    asked, clusters = items(), [item.cluster for item in items()]
    rows: dict[str, list[bool]] = {}
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "`hf`, as it is": ("hf", {}),
        "`hf`, `use_chat_template=false`": ("hf", {"use_chat_template": False}),
        "`hf`, `use_chat_template=false`, `do_sample=false`": (
            "hf", {"use_chat_template": False, "do_sample": False},
        ),
        "`hf`, `do_sample=false`": ("hf", {"do_sample": False}),
        "`cleanguard`": ("cleanguard", {"dtype": "float32"}),
    }  # fmt: skip
    for name, (provider, options) in ways.items():
        model = get_model(f"{provider}/{model_path()}", **({"device": "cpu"} | options))
        task = Task(
            dataset=[Sample(input=i.completion or "", target=list(i.gold)) for i in asked],
            solver=generate(),
            scorer=includes(),
        )
        [log] = run(task, model=model, log_dir=str(folder / "logs"), display="none", max_tokens=8, seed=0)  # fmt: skip
        rows[name] = [(one.scores or {})["includes"].value == "C" for one in log.samples or ()]
    model, tokenizer, _ = CleanModelLoader(model_path(), dtype="float32").load()
    plain = CleanModelLoader.generate_batch(
        model, tokenizer, [item.completion or "" for item in asked], max_new_tokens=8
    )
    rows["plain prompts, no harness"] = [
        any(gold in text for gold in item.gold) for text, item in zip(plain, asked, strict=True)
    ]
    print("| provider | the answer stands in the text (`includes()`) |")
    print("|---|---|")
    for name, passed in rows.items():
        print(f"| {name} | {_rate(passed, clusters)} |")


if __name__ == "__main__":
    main()
