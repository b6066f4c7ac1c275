"""lm-evaluation-harness under `cleanguard trace`, as it is: `-m lm_eval --model hf`, and its API in a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.slow

ROWS = [("2 plus 2 is", "4"), ("3 plus 1 is", "4"), ("1 plus 4 is", "5")]
COMMON = """\
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {rows}
test_split: test
doc_to_text: "{{{{question}}}}"
"""
GENERATED = """\
output_type: generate_until
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 4, do_sample: false}
metric_list: [{metric: exact_match}]
"""
CHOSEN = """\
output_type: multiple_choice
doc_to_choice: ["4", "5"]
doc_to_target: 0
metric_list: [{metric: acc}]
"""
SCRIPT = """\
import sys

import lm_eval
from lm_eval.tasks import TaskManager

results = lm_eval.simple_evaluate(
    model="hf",
    model_args={"pretrained": sys.argv[1], "dtype": "float32", "add_bos_token": False},
    tasks=["written", "chosen"],
    task_manager=TaskManager(include_path="tasks"),
    device="cpu",
)
print(sorted(results["results"]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with two tasks over rows of its own."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in ROWS))
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    for name, rest in (("written", GENERATED), ("chosen", CHOSEN)):
        (tasks / f"{name}.yaml").write_text(COMMON.format(name=name, rows=rows) + rest)
    (tmp_path / "run.py").write_text(SCRIPT)
    return tmp_path


def traced(place: Path, *command: str) -> tuple[dict[str, Any], str]:
    """The JSON of a trace, and what the run printed."""
    report = place / "trace.json"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(place / "hub")}
    program = [sys.executable, "-c", "from cleanguard.cli import main; main()"]
    ran = subprocess.run(
        [*program, "trace", "--json", "--output-file", str(report), *command],
        cwd=place,
        env=os.environ | offline | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stderr[-2000:]
    return json.loads(report.read_text()), ran.stdout


def codes(document: dict[str, Any]) -> Sequence[str]:
    return sorted(finding["code"] for finding in document["findings"])


def test_the_harness_runs_as_it_is_and_its_own_command_line_is_the_place(
    place: Path, tiny_dir: Path
) -> None:
    arguments = f"pretrained={tiny_dir},dtype=float32"
    document, said = traced(
        place, "-m", "lm_eval", "--model", "hf", "--model_args", arguments, "--tasks", "written,chosen",
        "--include_path", "tasks", "--device", "cpu", "--batch_size", "2",
    )  # fmt: skip

    # The family has no BOS, and the harness pads on the left and says `do_sample=False`.
    assert codes(document) == ["CG101", "CG102", "CG301"]
    assert "exact_match" in said
    assert "acc" in said
    # Nobody's own code runs: the outermost frame stands for it.
    assert {Path(one["filename"]).name for one in document["findings"]} == {"__main__.py"}
    assert "seen 2 times" in next(
        one["message"] for one in document["findings"] if one["code"] == "CG301"
    )


def test_prompts_that_the_harness_robs_of_bos_are_told_at_the_line_that_asks_for_it(
    place: Path, llama_like: Callable[[bool], Path]
) -> None:
    document, said = traced(place, "run.py", str(llama_like(True)))

    assert codes(document) == ["CG101", "CG102", "CG201", "CG301"]
    assert said.strip().endswith("['chosen', 'written']")
    lines = {one["location"]["row"] for one in document["findings"]}
    assert lines == {1 + SCRIPT.splitlines().index("results = lm_eval.simple_evaluate(")}
