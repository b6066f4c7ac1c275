"""Pairs this run's results with an earlier run's, item by item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanguard.errors import JobError
from guard.records.verification import Problem, Verdict, verify_file
from stages.reports.results import RESULTS, Result, pairs_of, read_results, through_vllm

_TOLD = 5
ENGINES_DIFFER = (
    "vLLM answered for one of the two and transformers for the other: texts differ now and then by "
    "rounding alone, so run both with one engine before you say that a difference is the model's"
)
Answers = Mapping[tuple[str, str], Mapping[str, Result]]


@dataclass(frozen=True, slots=True)
class Match:
    """Two sets of answers to the same items.

    Attributes:
        before_name, after_name, form: Whose answers, and to which prompt form.
        before, after: The answers to the items that both have, in one order.
        unmatched: Items that only one of them has.
    """

    before_name: str
    after_name: str
    form: str
    before: tuple[Result, ...]
    after: tuple[Result, ...]
    unmatched: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier run, paired with this one.

    Attributes:
        path: Its results.
        problems: What verification found wrong with the file, in words; empty if it traces to clean
            loads.
        matches: The pairs.
    """

    path: Path
    problems: tuple[str, ...]
    matches: tuple[Match, ...]


def read_earlier(path: Path, now: Answers) -> Earlier:
    """Pair an earlier run's answers with those of now: same names, or, if none agree, all of them.

    Raises:
        JobError: The file cannot be read, has no item in common with this run, or asked an item of
            the same name in another text.
    """
    file = path / RESULTS if path.is_dir() else path
    then: Answers = pairs_of(read_results(file))
    names = [(one, one) for one in now if one in then]
    names = names or [(old, new) for old in then for new in now if old[1] == new[1]]
    matches = tuple(
        match for old, new in names if (match := _match(file, old, new, then[old], now[new]))
    )
    if not matches:
        raise JobError(f"against: {file} has no item in the same prompt form as this run")
    return Earlier(file, tuple(told(verify_file(file))), matches)


def mixed_engines(before: Iterable[Result], after: Iterable[Result]) -> bool:
    """Whether vLLM gave one side's answers and transformers the other's."""
    return {through_vllm(before), through_vllm(after)} == {True, False}


def told(verdict: Verdict) -> Iterator[str]:
    """The first problems, and how many more there are."""
    yield from map(_sentence, verdict.problems[:_TOLD])
    more = len(verdict.problems) - _TOLD
    if more > 0:
        yield f"and {more} more; `cleanguard verify {verdict.path}` tells them"


def _sentence(problem: Problem) -> str:
    line = None if problem.line is None else f"line {problem.line}"
    key = None if problem.key is None else f"key {problem.key!r}"
    where = ", ".join(part for part in (line, key) if part)
    return f"{where}: {problem.reason}" if where else problem.reason


def _match(
    file: Path,
    old: tuple[str, str],
    new: tuple[str, str],
    then: Mapping[str, Result],
    now: Mapping[str, Result],
) -> Match | None:
    shared = [item for item in now if item in then]
    for item in shared:
        if then[item].prompt != now[item].prompt:
            raise JobError(
                f"against: {file} asked {item!r} ({new[1]}) in another text; "
                "the two runs can't be paired"
            )
    if not shared:
        return None
    return Match(
        before_name=f"earlier {old[0]}",
        after_name=new[0],
        form=new[1],
        before=tuple(then[item] for item in shared),
        after=tuple(now[item] for item in shared),
        unmatched=len(then) + len(now) - 2 * len(shared),
    )
