"""What lm-evaluation-harness itself makes of a task and of texts, read by the tests that compare.

`lm_eval.json` was made with lm_eval 0.4.13 (transformers 5.23.0, torch 2.13.0, CPU, float32) by

    pip install lm_eval==0.4.13
    CLEANGUARD_WRITE_LM_EVAL=1 pytest tests/stages/evaluate/test_against_lm_eval.py

with tasks from local files, and holds for each way in which BOS comes to a prompt the log-likelihood of
every request and the metrics: acc, acc_norm, acc_bytes, word and byte perplexity, bits per byte.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("lm_eval.json")
ITEMS: list[dict[str, Any]] = [
    {"prompt": "The capital of France is", "choices": ["Paris.", "Berlin.", "a city and a town."], "gold": 0},
    {"prompt": "What is the opposite of hot?\nAnswer:", "choices": ["cold", "hot dog", "größer"], "gold": 0},
    {"prompt": "A dog is", "choices": ["an animal.", "a fruit, a tool and a color."], "gold": 0},
    {"prompt": "Here are two colors: red,", "choices": ["blue", "hammer", "the capital of Spain"], "gold": 0},
    {"prompt": "3 plus 4 is", "choices": ["seven", "7.", "a plum"], "gold": 1},
    {"prompt": "Q: Say red two times.\nA:", "choices": ["red red.", "red.", "two", "blue blue blue."], "gold": 0},
    {"prompt": "The opposite of big is", "choices": ["big.", "small."], "gold": 1},
    # lm-eval puts its space before a choice without a prompt as well.
    {"prompt": "", "choices": ["A dog is an animal.", "The capital of France is Paris."], "gold": 0, "joint": " "},
]  # fmt: skip
TEXTS = [
    "The capital of France is Paris.",
    "3 plus 4 is 7. A dog is an animal.\n\nQuestion: what is the capital of Spain?",
    "Grüße aus Köln, 你好 and a plum.",
    "A dog and a cat, " * 6 + "and a horse.",
]
_CHOICES: dict[str, Any] = {
    "task": "mine",
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{prompt}}",
    "doc_to_choice": "choices",
    "doc_to_target": "gold",
    "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}, {"metric": "acc_bytes"}],
}
_TEXTS: dict[str, Any] = {
    "task": "texts",
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{text}}",
    "metric_list": [
        {"metric": "word_perplexity"}, {"metric": "byte_perplexity"}, {"metric": "bits_per_byte"},
    ],
}  # fmt: skip


def figures(model: Path, bos: str, bos_text: str, folder: Path) -> dict[str, Any]:
    """lm-evaluation-harness' figures for a model directory.

    Args:
        model: The directory.
        bos: How BOS comes to a prompt: `none`, `tokenizer` or `inserted`.
        bos_text: The BOS token; where the tokenizer does not add it, it is written before a prompt,
            which the harness understands.
        folder: For the tasks' files.
    """
    before = bos_text if bos == "inserted" else ""
    items = [
        {**item, "prompt": before + item["prompt"] if item["prompt"] else ""} for item in ITEMS
    ]
    chosen = _run(model, _CHOICES, items, folder, {})
    # Its own rolling road scores a second BOS where the tokenizer adds one, so it is told not to.
    rolled = _run(
        model, _TEXTS, [{"text": text} for text in TEXTS], folder, {"add_bos_token": False}
    )
    metrics = {**chosen["results"]["mine"], **rolled["results"]["texts"]}
    return {
        "requests": [
            [float(answer[0][0]) for answer in sample["resps"]]
            for sample in sorted(chosen["samples"]["mine"], key=lambda one: one["doc_id"])
        ],
        "texts": [
            float(sample["resps"][0][0])
            for sample in sorted(rolled["samples"]["texts"], key=lambda one: one["doc_id"])
        ],
        "metrics": {
            name.removesuffix(",none"): value
            for name, value in metrics.items()
            if name.endswith(",none") and "stderr" not in name
        },
    }


def _run(
    model: Path,
    task: dict[str, Any],
    docs: list[dict[str, Any]],
    folder: Path,
    options: dict[str, Any],
) -> dict[str, Any]:
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = folder / f"{task['task']}.jsonl"
    file.write_text("".join(json.dumps(doc) + "\n" for doc in docs), encoding="utf-8")
    lm = HFLM(
        pretrained=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        tokenizer=AutoTokenizer.from_pretrained(model), batch_size=3, device="cpu", **options,
    )  # fmt: skip
    config = {
        **task,
        "dataset_kwargs": {"data_files": {"test": str(file)}, "cache_dir": str(folder)},
    }
    found: dict[str, Any] = simple_evaluate(
        lm, tasks=[config], log_samples=True, bootstrap_iters=0, num_fewshot=0
    )
    return found
