"""The records of an evaluation: one answer each, with its verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from stages.jsonl import read_lines

RESULTS = "results.jsonl"


@dataclass(frozen=True, slots=True)
class Result:
    """One answer of one model to one item.

    Attributes:
        suite, subject, form: Where it belongs: the suite, the model's name, the prompt form.
        item, cluster, slice: Of the item.
        sample: Number of the answer, from 0.
        prompt: The text that the model read.
        text: What it wrote.
        finish: `eos`, `stop` or `length`.
        tokens, prompt_tokens: Lengths.
        seed: Of the sampling; None if greedy.
        control_tokens: Control tokens that the model emitted.
        batch: Rows in its batch.
        strict, content, stopped, truncated: Verdicts; see `stages.suites.scorers.Score`.
        temperature: Of the sampling, 0 for greedy; None in files that do not say.
        engine: How it was decoded, as in `guard.Completion`; None in files that do not say.
    """

    suite: str
    subject: str
    form: str
    item: str
    cluster: str
    slice: str
    sample: int
    prompt: str
    text: str
    finish: str
    tokens: int
    prompt_tokens: int
    seed: int | None
    control_tokens: int
    batch: int
    strict: bool
    content: bool
    stopped: bool
    truncated: bool
    temperature: float | None = None
    engine: str | None = None


_NAMES = tuple(field.name for field in fields(Result))
_EXPECTED: Mapping[str, type] = {
    "suite": str, "subject": str, "form": str, "item": str, "cluster": str, "slice": str,
    "sample": int, "prompt": str, "text": str, "finish": str, "tokens": int, "prompt_tokens": int,
    "control_tokens": int, "batch": int,
    "strict": bool, "content": bool, "stopped": bool, "truncated": bool,
}  # fmt: skip


def read_results(path: Path) -> list[Result]:
    """The results in a file, or in the folder of a run.

    Raises:
        JobError: It is missing or empty, or a line is no result; the message says which.
    """
    file = path / RESULTS if path.is_dir() else path
    return [_result(record) for record in read_lines(file, _EXPECTED)]


def _result(record: Mapping[str, Any]) -> Result:
    return Result(**{name: record.get(name) for name in _NAMES})  # type: ignore[arg-type]


def pairs_of(results: list[Result]) -> dict[tuple[str, str], dict[str, Result]]:
    """First answers by (subject, form) and item.

    Raises:
        JobError: An item is there twice.
    """
    found: dict[tuple[str, str], dict[str, Result]] = {}
    for result in results:
        if result.sample == 0:
            answers = found.setdefault((result.subject, result.form), {})
            if result.item in answers:
                raise JobError(
                    f"item {result.item!r} has two answers by {result.subject} ({result.form})"
                )
            answers[result.item] = result
    return found
