"""Three made-up problems in the form of HumanEval."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HUMAN_EVAL = "HumanEval.jsonl.gz"


def read_problems(_: str = HUMAN_EVAL) -> dict[str, dict[str, Any]]:
    """The problems by their ids."""
    return {
        f"HumanEval/{number}": {
            "task_id": f"HumanEval/{number}",
            "prompt": f'def add_{number}(x):\n    """ Add {number} to x """\n',
            "entry_point": f"add_{number}",
            "canonical_solution": f"    return x + {number}\n",
            "test": f"def check(candidate):\n    assert candidate(0) == {number}\n",
        }
        for number in range(3)
    }


def stream_jsonl(filename: str) -> Iterable[dict[str, Any]]:
    """The lines of a file."""
    for line in Path(filename).read_text().splitlines():
        yield json.loads(line)


def write_jsonl(filename: str, data: Iterable[dict[str, Any]], append: bool = False) -> None:
    """Write lines."""
    with Path(filename).open("a" if append else "w") as stream:
        for row in data:
            stream.write(json.dumps(row) + "\n")
