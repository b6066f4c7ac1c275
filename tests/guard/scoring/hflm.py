"""What lm-evaluation-harness' HFLM makes of the cases, read by the tests that compare with it.

`hflm.json` was made with lm_eval 0.4.13 (transformers 5.23.0, torch 2.13.0, CPU, float32) by

    pip install lm_eval==0.4.13
    CLEANGUARD_WRITE_HFLM=1 pytest tests/guard/scoring/test_against_lm_eval.py

and holds, for each way in which BOS comes to a prompt, the ids that HFLM scored, their summed
log-probabilities, whether they are greedy, and the log-likelihoods of whole texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("hflm.json")
PAIRS = [
    ("The capital of France is", " Paris."),
    ("The capital of France is", " Berlin."),
    ("The capital of France is", " a city and"),
    ("The capital of France is ", "Paris."),
    ("3 plus 4 is", " 7."),
    ("3 plus 4 is", " 8."),
    ("A dog", " is an animal. A cat is"),
    ("Question: what is 2 plus 2?\nAnswer:", " 4"),
    ("", "The capital of France is Paris."),
]
TEXTS = [
    "The capital of France is Paris.",
    "3 plus 4 is 7. A dog is an animal.\n\nQuestion: what is the capital of Spain?",
    "A dog and a cat, " * 12 + "and a horse.",
]
WINDOW = 32


def figures(path: Path, bos: str, bos_text: str) -> dict[str, Any]:
    """HFLM's figures for a model directory.

    Args:
        path: The directory.
        bos: How BOS comes to a prompt: `none`, `tokenizer` or `inserted`.
        bos_text: The BOS token; where the tokenizer does not add it, it is written before a prompt,
            which HFLM understands.
    """
    import torch
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)

    def harness(**options: Any) -> Any:
        # Its cache gives a request the scores of other tokens where another one holds the same text
        # and is split elsewhere.
        return HFLM(
            pretrained=model, tokenizer=tokenizer, batch_size=3, device="cpu", logits_cache=False,
            **options,
        )  # fmt: skip

    before = bos_text if bos == "inserted" else ""
    pairs = [(before + prompt if prompt else "", text) for prompt, text in PAIRS]
    lm = harness()
    seen: list[Any] = []
    real = lm._loglikelihood_tokens
    lm._loglikelihood_tokens = lambda requests, **more: (
        seen.extend(requests) or real(requests, **more)
    )
    scored = lm.loglikelihood([_request(Instance, "loglikelihood", pair) for pair in pairs], True)
    # Its own rolling road scores a second BOS where the tokenizer adds one, so it is told not to.
    plain = harness(add_bos_token=False)
    whole = [_request(Instance, "loglikelihood_rolling", (text,)) for text in TEXTS]
    found: dict[str, Any] = {
        "pairs": [
            {"context": list(context), "ids": list(ids), "total": total, "greedy": greedy}
            for (_, context, ids), (total, greedy) in zip(seen, scored, strict=True)
        ],
        "texts": plain.loglikelihood_rolling(whole, True),
    }
    if bos == "none":
        rolled = harness(add_bos_token=False, max_length=WINDOW)
        found["windows"] = rolled.loglikelihood_rolling(whole, True)
    return found


def _request(kind: Any, name: str, arguments: tuple[str, ...]) -> Any:
    return kind(request_type=name, doc={}, arguments=arguments, idx=0)
