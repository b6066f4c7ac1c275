"""Local tasks of lm-evaluation-harness over the embedded world, and models with three ways to BOS."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from stages.tiny import model_path

# Both are in the extra `harness`, which `dev` and CI have.
collect_ignore = [
    f"test_{name}.py"
    for name, package in (("lm_eval", "lm_eval"), ("inspect", "inspect_ai"))
    if find_spec(package) is None
]
CHOICES = [
    ("The capital of France is", ["Paris.", "Berlin.", "a dog.", "Rome."], 0),
    ("The capital of Spain is", ["Paris.", "Madrid.", "a cat.", "Oslo."], 1),
    ("3 plus 4 is", ["8.", "9.", "7.", "1."], 2),
    ("The opposite of hot is", ["cold.", "up.", "a dog.", "red."], 0),
    ("A dog is", ["a city.", "a plant.", "7.", "an animal."], 3),
]
PROMPTS = ["The capital of France is", "3 plus 4 is", "The opposite of hot is"]
TEXTS = [
    "The capital of France is Paris. 3 plus 4 is 7.",
    "A dog and a cat, " * 12 + "and a horse.",
]

_TASKS = {
    "local_mc": """
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
""",
    "local_gen": """
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: gold
generation_kwargs: {until: ["."], max_gen_toks: 8}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
""",
    "local_text": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}
""",
    "local_chat": """
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: gold
generation_kwargs: {until: ["."], max_gen_toks: 4}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
""",
}
_ROWS = {
    "local_mc": [{"q": q, "choices": choices, "gold": gold} for q, choices, gold in CHOICES],
    "local_gen": [{"q": q, "gold": "x"} for q in PROMPTS],
    "local_text": [{"text": text} for text in TEXTS],
    "local_chat": [
        {"q": PROMPTS[0], "gold": "x"},
        {"q": "<|im_start|>user\nHi<|im_end|>", "gold": "x"},
    ],
}


@pytest.fixture(scope="session")
def tiny_dir() -> Path:
    return model_path()


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for `--include_path`."""
    folder = tmp_path_factory.mktemp("tasks")
    for name, text in _TASKS.items():
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in _ROWS[name]))
        (folder / f"{name}.yaml").write_text(
            f"task: {name}\ndataset_path: json\ntest_split: test\n"
            f"dataset_kwargs: {{data_files: {{test: {data}}}}}\n{text}"
        )
    (folder / "hub.yaml").write_text(
        f"task: local_hub\ndataset_path: nobody/{folder.name}\ntest_split: test\n{_TASKS['local_gen']}"
    )
    return folder
