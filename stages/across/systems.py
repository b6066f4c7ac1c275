"""Reads the runs that are compared: which models answered which items, and which of them pair up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from guard.records.verification import verify_file
from stages.reports.earlier import ENGINES_DIFFER, mixed_engines, told
from stages.reports.results import RESULTS, Result, pairs_of, read_results
from stages.suites.choices import MEASURE_NAMES, measures_of
from stages.suites.item import Kind, Measure


@dataclass(frozen=True, slots=True)
class System:
    """One model of one run in one prompt form.

    Attributes:
        run, subject, form: Which.
        name: As short as tells it from all others.
        answers: First answers by item.
    """

    run: str
    subject: str
    form: str
    name: str
    answers: Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Runs:
    """What was read.

    Attributes:
        given: The runs, as they were named.
        suite: The suites' names.
        kind: What the items have in common.
        systems: All of them, in the order of the runs.
        pairs: Those that are compared, of any two runs: the same model and form, and models that
            only one of the two has with those that only the other has, in the same form.
        files: The files of results.
        warnings: What verification found, and what a reader should know.
    """

    given: tuple[str, ...]
    suite: str
    kind: Kind
    systems: tuple[System, ...]
    pairs: tuple[tuple[System, System], ...]
    files: tuple[Path, ...]
    warnings: tuple[str, ...]


def read_runs(given: Sequence[str], measure: Measure) -> Runs:
    """Read runs, given as `PATH` or `NAME=PATH`: a folder, or a results.jsonl.

    Args:
        given: The runs.
        measure: What decides between choices, whatever the runs were begun with.

    Raises:
        JobError: One cannot be read, two have the same name, they are of different kinds, or no two
            have an item in common.
    """
    named = _named(given)
    files = [_results(path) for _, path in named]
    results = [[_decided(one, measure) for one in read_results(file)] for file in files]
    kinds = {_kind(one) for run in results for one in run}
    if len(kinds) > 1:
        raise JobError(
            f"the runs' items are of different kinds ({', '.join(sorted(kinds))}); compare runs of one "
            "suite"
        )
    raw = [
        (name, subject, form, answers)
        for (name, _), run in zip(named, results, strict=True)
        for (subject, form), answers in pairs_of(run).items()
    ]
    several = [len({one[place] for one in raw}) > 1 for place in range(3)]
    systems = tuple(
        System(run, subject, form, _short((run, subject, form), several), answers)
        for run, subject, form, answers in raw
    )
    pairs = tuple(_pairs([name for name, _ in named], systems))
    if not pairs:
        raise JobError("no two of the runs have an item in common; compare runs of one suite")
    suites = list(dict.fromkeys(one.suite for run in results for one in run))
    return Runs(
        tuple(given), " / ".join(suites), kinds.pop(), systems, pairs, tuple(files),
        tuple(_warnings(named, files, pairs)),
    )  # fmt: skip


def files_of(given: Sequence[str]) -> tuple[Path, ...]:
    """The files of results of runs that are given as for `read_runs`.

    Raises:
        JobError: There are not two, or two have the same name.
    """
    return tuple(_results(path) for _, path in _named(given))


def _results(path: Path) -> Path:
    return path / RESULTS if path.is_dir() else path


def _decided(result: Result, measure: Measure) -> Result:
    """A result with the verdicts of a measure; runs may have been begun with different ones."""
    if result.choices is None:
        return result
    first, second = measures_of(measure)
    right = result.right or {}
    if first not in right:
        raise JobError(
            f"{result.suite}: {result.item!r} was not scored {MEASURE_NAMES[first]}; compare by another "
            "measure, or run the suite with choices.unconditional"
        )
    return replace(result, strict=right[first], content=right[second])


def _named(given: Sequence[str]) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for text in given:
        name, equals, rest = text.partition("=")
        if not equals or Path(text).exists():
            path = Path(text)
            name = (path.parent if path.name == RESULTS else path).name or text
        else:
            path = Path(rest)
        found.append((name, path.expanduser()))
    if len(found) < 2:
        raise JobError("name two runs or more, as folders or as NAME=FOLDER")
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        if any("=" in text and not Path(text).exists() for text in given):
            twice = next(name for name in names if names.count(name) > 1)
            raise JobError(f"two runs are called {twice!r}; give each a name of its own")
        found = [(text.rstrip("/"), path) for text, (_, path) in zip(given, found, strict=True)]
        if len({name for name, _ in found}) < len(found):
            raise JobError("a run is named twice; compare it with another one")
    return found


def _kind(result: Result) -> Kind:
    if result.likelihood is not None:
        return "perplexity"
    return "answers" if result.choices is None else "choices"


def _short(whole: tuple[str, str, str], several: Sequence[bool]) -> str:
    run, subject, form = whole
    parts = [part for part, many in ((run, several[0]), (subject, several[1])) if many]
    name = ": ".join(parts) or run
    return f"{name} ({form})" if several[2] else name


def _pairs(runs: Sequence[str], systems: Sequence[System]) -> Iterator[tuple[System, System]]:
    for one, two in combinations(runs, 2):
        left = [system for system in systems if system.run == one]
        right = [system for system in systems if system.run == two]
        every = [(a, b) for a in left for b in right if a.answers.keys() & b.answers.keys()]
        same = [(a, b) for a, b in every if (a.subject, a.form) == (b.subject, b.form)]
        paired = {id(system) for pair in same for system in pair}
        rest = [
            (a, b)
            for a, b in every
            if a.form == b.form and id(a) not in paired and id(b) not in paired
        ]
        yield from [*same, *rest] or every


def _warnings(
    named: Sequence[tuple[str, Path]],
    files: Sequence[Path],
    pairs: Sequence[tuple[System, System]],
) -> Iterator[str]:
    for (name, _), file in zip(named, files, strict=True):
        yield from (f"{name}: {problem}" for problem in told(verify_file(file)))
    for one, two in pairs:
        shared = one.answers.keys() & two.answers.keys()
        other = sum(one.answers[item].prompt != two.answers[item].prompt for item in shared)
        if other:
            yield f"{one.name} and {two.name} were asked {other} of {len(shared)} items in other texts"
        if mixed_engines(one.answers.values(), two.answers.values()):
            yield f"{one.name} and {two.name}: {ENGINES_DIFFER}"
        lacking = len(one.answers) + len(two.answers) - 2 * len(shared)
        if lacking:
            only = f"only one of {one.name} and {two.name}"
            yield f"left out: {counted(lacking, 'item')} that {only} has"
