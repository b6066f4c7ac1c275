"""Sends hostile and broken input through the product, and kills its processes.

    python -m benchmarks.fuzz check --cases 20000 --seed 1 --keep shards.jsonl
    python -m benchmarks.fuzz all --cases 200

Kinds: check, check-drawn, migrate, migrate-drawn, notebooks, configuration, cache, records, kills-migrate, kills-fix,
kills-cache, kills-records, kills-training, runs. A case is made from the seed and its number alone. With `--keep` a run
that was cut off goes on where it stopped, and several shards may run beside each other (`--part 1/4`). Leaves with 1 if
anything came of a case that must not.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.outcomes import Outcome, Shards, Tally, joined
from cleanguard.files import SourceFile
from lint_rules._engine import worker
from lint_rules._engine.each import Each, Unread

# Processor time for a case; the product's own limit is half of it.
SECONDS = 20.0
SHARD = 200


@dataclass(frozen=True, slots=True)
class Kind:
    """How cases are made, and what is done with one, in a process that may die.

    Attributes:
        suffix: Of the file's name.
        make: The bytes of some cases, by seed and numbers.
        task: What is done with the bytes.
    """

    suffix: str
    make: Callable[[int, range], list[bytes]]
    task: Callable[[SourceFile], Outcome]


def kinds() -> dict[str, Kind]:
    """Those that go through files."""
    from benchmarks.fuzz import caches, code, configuration, notebooks, records, sources

    def each(make: Callable[[random.Random], bytes]) -> Callable[[int, range], list[bytes]]:
        return lambda seed, numbers: [make(random.Random(f"{seed}/{n}")) for n in numbers]

    def drawn(seed: int, numbers: range) -> list[bytes]:
        return sources.drawn(seed * 1_000_003 + numbers.start, len(numbers))

    def tampered(seed: int, numbers: range) -> list[bytes]:
        records.prepared()
        return each(records.tampering)(seed, numbers)

    return {
        "check": Kind(".py", each(sources.mutated), code.check),
        "check-drawn": Kind(".py", drawn, code.check),
        "migrate": Kind(".py", each(sources.mutated), code.migrate),
        "migrate-drawn": Kind(".py", drawn, code.migrate),
        "notebooks": Kind(".ipynb", each(notebooks.notebook), code.check),
        "migrate-notebooks": Kind(".ipynb", each(notebooks.notebook), code.migrate),
        "configuration": Kind(".toml", each(configuration.configuration), configuration.read),
        "cache": Kind(".json", each(caches.damage), caches.read),
        "records": Kind(".jsonl", tampered, records.read),
    }


KILLS = ("kills-migrate", "kills-fix", "kills-cache", "kills-records", "kills-training")


def fuzz(
    name: str,
    cases: int,
    seed: int,
    shards: Shards,
    *,
    part: tuple[int, int] = (0, 1),
    jobs: int = 1,
) -> Tally:
    """Runs the cases of a kind.

    Args:
        name: The kind.
        cases: How many in all.
        seed: Of all of them.
        shards: What earlier calls did.
        part: This call's share of the shards: which, of how many.
        jobs: Processes.
    """
    worker.SECONDS = SECONDS
    tallies: list[Tally] = []
    size = SHARD if name in kinds() else 50
    for index, start in enumerate(range(0, cases, size)):
        if index % part[1] != part[0]:
            continue
        numbers = range(start, min(start + size, cases))
        shard = f"{numbers.start}-{numbers.stop}"
        tally = shards.get(shard)
        if tally is None:
            tally = _done(name, numbers, seed, jobs)
            shards.put(shard, tally)
        tallies.append(tally)
    return joined(tallies)


def _done(name: str, numbers: range, seed: int, jobs: int) -> Tally:
    tally = Tally()
    for number, outcome in zip(numbers, _outcomes(name, numbers, seed, jobs), strict=True):
        tally.add(number, outcome)
    return tally


def _outcomes(name: str, numbers: range, seed: int, jobs: int) -> Sequence[Outcome]:
    kind = kinds().get(name)
    if kind is None:
        from benchmarks.fuzz.kills import kills, together

        if name == "runs":
            return together(8, -(-len(numbers) // 8))[: len(numbers)]
        return kills(
            name.removeprefix("kills-"), random.Random(f"{seed}/{numbers.start}"), len(numbers)
        )
    files = [
        SourceFile(f"case{number}{kind.suffix}", Path("case"), content)
        for number, content in zip(numbers, kind.make(seed, numbers), strict=True)
    ]
    with Each(kind.task, "working on", jobs=jobs) as each:
        return [_told(one) for one in each.run(files)]


def _told(one: Outcome | Unread) -> Outcome:
    if isinstance(one, Outcome):
        return one
    if one.crashed:
        return Outcome("internal error", 0.0, one.reason)
    if "takes longer" in one.reason:
        return Outcome("over 20 s", SECONDS, one.reason)
    if "takes more than" in one.reason:
        return Outcome("over 1 GB", 0.0, one.reason)
    if "parser crashes" in one.reason:
        return Outcome("the parser crashes, told", 0.0, one.reason)
    return Outcome("cannot be read, told", 0.0, one.reason)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("kind", choices=[*kinds(), *KILLS, "runs", "all"])
    parser.add_argument("--cases", type=int, default=SHARD)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, help="where what is done is kept, so that a run can go on"
    )
    parser.add_argument("--part", default="1/1", help="this run's share of the cases, as 2/4")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument(
        "--show", type=int, help="write one case's bytes to standard output and stop"
    )
    options = parser.parse_args()
    if options.show is not None:
        start = options.show - options.show % SHARD
        made = kinds()[options.kind].make(options.seed, range(start, start + SHARD))
        sys.stdout.buffer.write(made[options.show - start])
        return
    part, parts = (int(word) for word in options.part.split("/"))
    names = [*kinds(), *KILLS, "runs"] if options.kind == "all" else [options.kind]
    bad = False
    for name in names:
        shards = Shards(options.keep, f"{name} {options.seed}")
        began = time.monotonic()
        tally = fuzz(
            name, options.cases, options.seed, shards, part=(part - 1, parts), jobs=options.jobs
        )
        took = time.monotonic() - began
        print(
            f"{name}: {tally.cases} cases, seed {options.seed}, longest {tally.longest:.1f} s, {took:.0f} s"
        )
        for said, count in tally.counts.most_common():
            print(f"  {count:7} {said}")
        for number, said, detail in tally.wrong[:20]:
            print(f"  WRONG case {number}: {said} {detail[:300]}")
        bad = bad or bool(tally.wrong)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
