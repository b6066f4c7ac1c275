"""What the real vLLM makes of the engine; run by test_vllm_real.py in vLLM's own environment.

Prints one JSON object to standard output, on which nothing of vLLM may be.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

PROMPTS = ["The capital of France is", "3 plus 4 is", "A dog", "The opposite of hot is"]


def main(folder: Path) -> dict[str, Any]:
    from guard import CleanModelLoader, GuardError, JsonlWriter
    from guard.records.verification import verify_file
    from guard.vllm_engine import VllmEngine
    from stages.tiny import model_path

    found: dict[str, Any] = {}
    engine = VllmEngine(CleanModelLoader(model_path(), dtype="float32").request, gpu_memory=0.05)
    found["release"] = engine.release
    model, tokenizer, _ = CleanModelLoader(model_path(), dtype="float32").load()
    many = [f"{one}{end}" for one in PROMPTS for end in ("", " a", " the", " not")]
    mine = engine.complete(many, max_new_tokens=16)
    theirs = CleanModelLoader.complete(model, tokenizer, many, max_new_tokens=16)
    found["greedy"] = [sum(a.ids == b.ids for a, b in zip(mine, theirs, strict=True)), len(many)]
    asked: dict[str, Any] = {
        "max_new_tokens": 8,
        "temperature": 1.0,
        "seed": 3,
        "num_return_sequences": 2,
    }
    first, turned = engine.complete(PROMPTS, **asked), engine.complete(PROMPTS[::-1], **asked)
    found["sampled"] = [one.ids for one in first[:2]] == [one.ids for one in turned[-2:]]
    found["samples_differ"] = len({one.ids for one in first}) > len(PROMPTS)

    def refused(prompts: Any = PROMPTS, **options: Any) -> str:
        try:
            engine.complete(prompts, **{"max_new_tokens": 8, **options})
        except GuardError as error:
            return type(error).__name__
        return "taken"

    found["refused"] = {
        "cold": refused(temperature=0.001, seed=1),
        "hot": refused(temperature=3.0, seed=1),
        "one text": refused("abc"),
        "chat": refused(["<|im_start|>user\nHi<|im_end|>"]),
        "no room": refused(["A dog is an animal. " * 400]),
        "penalty": refused(no_repeat_ngram_size=2),
    }
    questions = [(one, [" Paris.", " 7.", " an animal", " cold"]) for one in PROMPTS]
    ours = engine.score_batch(questions)
    others = CleanModelLoader.score_batch(model, tokenizer, questions)
    pairs = [
        (a, b)
        for mine, theirs in zip(ours, others, strict=True)
        for a, b in zip(mine, theirs, strict=True)
    ]
    found["scores"] = max(abs(a.total - b.total) for a, b in pairs)
    found["greedy_flags"] = sum(a.is_greedy == b.is_greedy for a, b in pairs)
    ids = tokenizer("A dog is an animal. " * 200, add_special_tokens=False)["input_ids"]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        [last] = engine.complete([tokenizer.decode(ids[:508])], max_new_tokens=50)
    found["end"] = [last.prompt_tokens, len(last.ids), [str(one.message) for one in told]]
    out = folder / "out.jsonl"
    with JsonlWriter(out, engine.provenance) as records:
        for number, one in enumerate(mine):
            records.write(str(number), one)
    found["verified"] = verify_file(out).ok
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]))))
