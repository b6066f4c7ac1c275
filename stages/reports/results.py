"""The records of an evaluation: one answer each, with its verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from stages.jsonl import read_lines
from stages.suites.item import SuiteItem

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
        engine: How it was decoded, as in `guard.Completion`; None in files that do not say. For
            choices and texts `scored`, or `scored by vllm`.
        scorer, gold, count, pattern, data: Of the item, so that the answer can be judged again by
            itself; None in files that do not say.
        choices: For items with choices, each with its log-probability behind the prompt, tokens and
            bytes, as `stages.suites.choices.plain_scores` writes them; `text` is the one picked,
            empty where several share the first place.
        right: At each measure, whether the right choice is the likeliest; see `Choice.right`.
        tied: The measures at which several choices share the first place.
        likelihood: For texts `logprob`, `tokens`, `bytes`, `words` and `windows`.
        judged: Of the judge, the log-probabilities of `yes` and `no`.
        unjudged: Why there is no verdict, as for a pattern that took too long; counted as wrong.
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
    scorer: str | None = None
    gold: tuple[str, ...] | None = None
    count: int | None = None
    pattern: str | None = None
    data: str | None = None
    choices: tuple[Mapping[str, Any], ...] | None = None
    right: Mapping[str, bool] | None = None
    tied: tuple[str, ...] | None = None
    likelihood: Mapping[str, float] | None = None
    judged: Mapping[str, float] | None = None
    unjudged: str | None = None


_NAMES = tuple(field.name for field in fields(Result))
_LISTS = ("gold", "choices", "tied")
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
    fields: dict[str, Any] = {name: record.get(name) for name in _NAMES}
    for name in _LISTS:
        if fields[name] is not None:
            fields[name] = tuple(fields[name])
    return Result(**fields)


def record_of(result: Result) -> dict[str, Any]:
    """What is written of a result: what does not belong to its kind is left out."""
    plain = asdict(result)
    optional = (
        "count", "pattern", "data", "choices", "right", "tied", "likelihood", "judged", "unjudged",
    )  # fmt: skip
    return {name: value for name, value in plain.items() if value or name not in optional}


def item_of(result: Result) -> SuiteItem:
    """The item of a result, as far as judging its answer again needs it.

    Raises:
        JobError: The file is older than the fields that say how it was judged.
    """
    if result.scorer is None or result.gold is None:
        raise JobError(f"the result of {result.item!r} does not say how it was judged")
    return SuiteItem(
        id=result.item, prompt=result.prompt, gold=result.gold, scorer=result.scorer,
        cluster=result.cluster, slice=result.slice, count=result.count, pattern=result.pattern,
        choices=tuple(one["text"] for one in result.choices or ()), data=result.data,
    )  # fmt: skip


def through_vllm(results: Iterable[Result]) -> bool | None:
    """Whether vLLM gave these answers; None where both did, or the file does not say."""
    said = {"vllm" in one.engine for one in results if one.engine is not None}
    return said.pop() if len(said) == 1 else None


def unjudged_words(results: Iterable[Result]) -> str | None:
    """What a report says of answers without a verdict; None where all have one."""
    count = sum(bool(one.unjudged) for one in results)
    if not count:
        return None
    return (
        f"{counted(count, 'answer')} without a verdict, since what judges it took too long; that counts "
        "as wrong, and `unjudged` in results.jsonl says which"
    )


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
