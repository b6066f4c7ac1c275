"""Reads the samples that lm-evaluation-harness logged: as items of a suite, or as the verdicts of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.catalogue.selection import did_you_mean
from stages.jsonl import located_lines
from stages.suites.item import SuiteError

PREFIX = "lm-eval:"
_FIELDS: Mapping[str, type] = {"doc_id": int, "doc": dict, "arguments": dict, "target": str}
_HOW = "log it with lm_eval's --log_samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """One logged document.

    Attributes:
        place: File and line, for messages.
        number: The document's number in its task.
        doc: The document.
        doc_hash, prompt_hash: As lm_eval computed them; empty in logs without them.
        requests: The arguments of each request: a context and a continuation, a context and settings
            of generation, or a text alone.
        target: What the task expects, as text.
        scores: The number of each metric.
        picked: The log-likelihoods of its requests; empty where there are none.
        line: Its line in the file.
    """

    place: str
    number: int
    doc: Mapping[str, Any]
    doc_hash: str
    prompt_hash: str
    requests: tuple[tuple[Any, ...], ...]
    target: str
    scores: Mapping[str, float]
    picked: tuple[float, ...]
    line: int


def read_samples(path: Path) -> list[Sample]:
    """The samples of a file, one for each document: where several filters were logged, the first.

    Raises:
        SuiteError: A line is no sample, or two documents have one number.
    """
    found: dict[int, Sample] = {}
    filters: dict[int, str] = {}
    for place, record in located_lines(path, _FIELDS):
        sample = _sample(place, record)
        first = filters.setdefault(sample.number, str(record.get("filter", "none")))
        if sample.number not in found:
            found[sample.number] = sample
        elif first == str(record.get("filter", "none")):
            raise SuiteError(
                f"{place}: document {sample.number} stands in {found[sample.number].place} already; "
                "lm_eval appends to a file of the same name: take one run's lines out"
            )
    return list(found.values())


def suite_lines(path: Path) -> list[str]:
    """A file of samples as the lines of a suite; a line that gives no item is empty.

    Multiple choice keeps lm_eval's contexts and continuations as they were asked; texts are those whose
    likelihood was summed; for generation the prompt is the one that was asked, few-shot examples
    included.

    Raises:
        SuiteError: A sample is of a kind that no suite has, or its right choice is not told.
    """
    samples = read_samples(path)
    lines = [""] * max(sample.line for sample in samples)
    for sample in samples:
        lines[sample.line - 1] = json.dumps(_item(sample), ensure_ascii=False)
    return lines


def score_of(sample: Sample, metric: str) -> float:
    """The number of a metric.

    Raises:
        SuiteError: There is none of that name.
    """
    if metric not in sample.scores:
        known = ", ".join(sample.scores) or "none"
        raise SuiteError(
            f"{sample.place}: there is no metric {metric!r}{did_you_mean(metric, sample.scores)}; "
            f"it has {known}"
        )
    return sample.scores[metric]


def _sample(place: str, record: Mapping[str, Any]) -> Sample:
    asked = record["arguments"]
    requests = []
    for at in range(len(asked)):
        one = asked.get(f"gen_args_{at}")
        if not isinstance(one, dict) or "arg_0" not in one:
            raise SuiteError(f"{place}: arguments hold no gen_args_{at} with arg_0; {_HOW}")
        requests.append(tuple(one[f"arg_{part}"] for part in range(len(one))))
    if not requests:
        raise SuiteError(f"{place}: there is no request in it; {_HOW}")
    names = record.get("metrics")
    named = [str(one) for one in names] if isinstance(names, list) else list(record)
    scores = {
        name: float(record[name])
        for name in named
        if isinstance(record.get(name), (int, float)) and name not in _FIELDS
    }
    return Sample(
        place=place,
        number=record["doc_id"],
        doc=record["doc"],
        doc_hash=str(record.get("doc_hash", "")),
        prompt_hash=str(record.get("prompt_hash", "")),
        requests=tuple(requests),
        target=record["target"],
        scores=scores,
        picked=_likelihoods(record.get("resps")),
        line=int(place.rpartition(":")[2]),
    )


def _likelihoods(answers: Any) -> tuple[float, ...]:
    """lm_eval writes them as texts, one pair for each request."""
    try:
        return tuple(float(one[0][0]) for one in answers)
    except (TypeError, ValueError, IndexError, KeyError):
        return ()


def _item(sample: Sample) -> dict[str, Any]:
    first, named = sample.requests[0], str(sample.number)
    cluster = sample.doc.get("cluster")
    beside = {"id": named, "cluster": cluster if isinstance(cluster, str) and cluster else named}
    if len(first) == 1:
        return {"text": first[0], **beside}
    if isinstance(first[1], dict):
        return {"prompt": first[0], "gold": _golds(sample), "scorer": "exact", **beside}
    return {**_choices(sample), **beside}


def _golds(sample: Sample) -> list[str]:
    target = _parsed(sample.target)
    several = target if isinstance(target, list) else [sample.target]
    found = [str(one) for one in several if str(one).strip()]
    if not found:
        raise SuiteError(f"{sample.place}: its target is empty, so no answer would be right")
    return found


def _choices(sample: Sample) -> dict[str, Any]:
    context = sample.requests[0][0]
    # Behind these, some metrics ask for each continuation without its context.
    asked = [text for before, text in sample.requests if before == context]
    if len(asked) < 2:
        raise SuiteError(
            f"{sample.place}: its continuations follow different contexts, or there is one alone; a "
            "suite's choices follow one prompt"
        )
    stripped = [text.lstrip() for text in asked]
    joints = {text[: len(text) - len(bare)] for text, bare in zip(asked, stripped, strict=True)}
    joint = joints.pop() if len(joints) == 1 else ""
    choices = [text.removeprefix(joint) for text in asked]
    golds = _right(sample, choices)
    return {"prompt": context, "choices": choices, "gold": golds, "joint": joint}


def _right(sample: Sample, choices: Sequence[str]) -> list[str]:
    """The right choices; lm_eval logs a number or a text, and both may be digits."""
    target = _parsed(sample.target)
    if isinstance(target, list) and all(isinstance(one, int) for one in target):
        return [choices[one] for one in target if 0 <= one < len(choices)]
    by_text = [one for one in choices if one.strip() == sample.target.strip()]
    whole = type(target) is int and 0 <= target < len(choices)
    by_number = [choices[target]] if whole else []
    found = [one for one in (by_number, by_text) if one]
    if len(found) == 2 and by_number != by_text and "acc" in sample.scores and sample.picked:
        likely = sample.picked[: len(choices)]
        best = choices[likely.index(max(likely))]
        found = [one for one in found if (best in one) == bool(sample.scores["acc"])]
    if not found or any(one != found[0] for one in found):
        said = "may be the number of a choice or its text" if found else "is none of its choices"
        raise SuiteError(f"{sample.place}: its target {sample.target!r} {said}: {list(choices)}")
    return found[0]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
