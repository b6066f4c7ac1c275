"""`evaluate` through the real vLLM beside transformers; run by test_vllm_real.py in vLLM's environment.

    .vllm/bin/python -m tests.stages.evaluate.vllm_real DIR answers|choices|texts

Prints one JSON object: how many records are alike, and how far the numbers are apart.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

_WINDOW = 128


def suites(folder: Path) -> dict[str, Path]:
    """The 249 items of the embedded world as answers, as choices with three wrong ones, and as texts."""
    from stages.suites.world import instruct

    items, draw = instruct().items, random.Random(0)
    golds = sorted({item.gold[0] for item in items})
    lines: dict[str, list[dict[str, Any]]] = {"answers": [], "choices": [], "texts": []}
    for number, item in enumerate(items):
        gold = item.gold[0]
        wrong = draw.sample([one for one in golds if one not in item.gold], 3)
        cluster = {"id": item.id, "cluster": item.cluster}
        scorer = {"gold": gold, "scorer": "judge" if number % 2 else "exact"}
        lines["answers"].append({**cluster, "prompt": item.prompt, **scorer})
        lines["choices"].append(
            {**cluster, "prompt": f"{item.prompt}\n", "choices": [gold, *wrong], "gold": 0}
        )
        # Every tenth is longer than the window.
        text = f"{item.prompt} {gold}. " * (20 if number % 10 == 0 else 1)
        lines["texts"].append({**cluster, "text": text.strip()})
    found = {}
    for kind, rows in lines.items():
        found[kind] = folder / f"{kind}.jsonl"
        found[kind].write_text("".join(json.dumps(row) + "\n" for row in rows))
    return found


def numbers(result: Any) -> list[float]:
    """The log-probabilities of a record."""
    found = [
        float(one[name]) for one in result.choices or () for name in ("logprob", "unconditional")
    ]
    if result.likelihood:
        found.append(float(result.likelihood["logprob"]))
    return found + [float(one) for one in (result.judged or {}).values()]


def main(folder: Path, kind: str) -> dict[str, Any]:
    """Run one kind's suite through both engines and compare their records."""
    from guard.records.verification import verify_file
    from stages.config import resolve
    from stages.evaluate import CONFIG, PRESETS, run
    from stages.reports.results import read_results

    folder.mkdir(parents=True, exist_ok=True)
    sides = []
    for engine in ("vllm", "transformers"):
        out = folder / f"{kind}-{engine}"
        given = {
            "suite": str(suites(folder)[kind]), "out": str(out), "engine": engine,
            "vllm.gpu_memory": "0.05", "html": "false", "plan.resamples": "200",
            "choices.unconditional": "true", "perplexity.window": str(_WINDOW), "base_forms": "",
        }  # fmt: skip
        run(resolve(CONFIG, PRESETS, overrides=given))
        sides.append(read_results(out))
    same = [
        (a.text, a.tokens, a.prompt_tokens, a.strict, a.content, a.right, a.tied)
        == (b.text, b.tokens, b.prompt_tokens, b.strict, b.content, b.right, b.tied)
        for a, b in zip(*sides, strict=True)
    ]
    apart = [
        abs(one - other)
        for a, b in zip(*sides, strict=True)
        if a.text == b.text  # the judge is asked about the text that its side wrote
        for one, other in zip(numbers(a), numbers(b), strict=True)
    ]
    return {
        "records": len(same),
        "alike": sum(same),
        "numbers": len(apart),
        "apart": max(apart),
        "verified": verify_file(folder / f"{kind}-vllm" / "results.jsonl").ok,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
