"""Tries the mutants of the rewriter: `python -m tests.differential.rewriter_run --shard 0/16 --out FOLDER`.

The programs are the counterexamples, those written by hand and some drawn ones, each with the watch and without it. Shard
i of k takes the programs that leave i when divided by k, and every mutant. A program is planned once as it is, while it is
noted which mutants would have answered otherwise; only those are tried on it, and only what one plans otherwise is run. A mutant that
a shard has caught is left alone by all that write to the same folder. `--report` adds up what all shards have found.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.differential.mutants import summary
from tests.differential.rewriter_mutants import REWRITER, Mutant

_CAUGHT = "caught"
_REFUSED = "refused by the plan's own proof"
# Of two shards the one that has seen more is right.
_VERDICTS = ("not tried", "never applied", "got through", _REFUSED, _CAUGHT)


def main() -> None:
    """Runs a shard, or reports."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.rewriter_run")
    parser.add_argument(
        "--programs", type=int, default=100, help="drawn ones of all shards together"
    )
    parser.add_argument("--seed", default="mutants")
    parser.add_argument("--shard", default="0/1", metavar="I/K")
    parser.add_argument("--only", default="", help="mutants whose name holds this")
    parser.add_argument("--holding", default="", help="programs that hold this text")
    parser.add_argument("--seconds", type=float, default=None, help="stop after so many")
    parser.add_argument("--out", type=Path, default=Path("runs/mutants"))
    parser.add_argument("--report", action="store_true", help="only add up what --out holds")
    given = parser.parse_args()
    if not given.report:
        _shard(given)
    sys.stdout.write(summary(read(given.out)))


def read(folder: Path) -> list[dict[str, Any]]:
    """What all shards have found: of each mutant the verdict and the programs that it was tried on."""
    tried: dict[str, int] = defaultdict(int)
    verdicts: dict[str, str] = dict.fromkeys([mutant.what for mutant in REWRITER], _VERDICTS[0])
    for file in sorted(folder.glob("shard-*.jsonl")):
        for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            what = line["what"]
            tried[what] += line["programs"]
            verdicts[what] = max(verdicts[what], line["verdict"], key=_VERDICTS.index)
    return [{"what": k, "verdict": v, "programs": tried[k]} for k, v in verdicts.items()]


def _shard(given: argparse.Namespace) -> None:
    from tests.differential.worker import ready

    room = ready()
    import tests.differential.trying  # noqa: F401 - the rewriter is loaded before a mutant is put into it

    index, count = map(int, given.shard.split("/"))
    given.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + (given.seconds or float("inf"))
    wanted = [mutant for mutant in REWRITER if given.only in mutant.what]
    planned = [_planned(room, made, wanted) for made in _programs(given)[index::count]]
    with (given.out / f"shard-{index}-of-{count}.jsonl").open("w", encoding="utf-8") as stream:
        for mutant in wanted[index:] + wanted[:index]:  # the shards begin with different ones
            caught = given.out / f"{mutant.what}.caught"
            if time.monotonic() > ends or caught.exists():
                continue
            line = _try(room, mutant, planned, ends)
            if line["verdict"] == _CAUGHT:
                caught.touch()
            print(json.dumps(line), file=stream, flush=True)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A program, its plan by the rewriter as it is, and the mutants that would have answered otherwise."""

    made: Any
    plan: Any
    apart: set[str]


def _programs(given: argparse.Namespace) -> list[Any]:
    from tests.differential.grammar import Program, program
    from tests.differential.test_counterexamples import FILES
    from tests.differential.test_written import PROGRAMS

    written = [
        Program(name, files, watch=watch)
        for name, files in {**FILES, **PROGRAMS}.items()
        for watch in (True, False)
    ]
    drawn = [program(f"{given.seed}-{number}") for number in range(given.programs)]
    return [
        one
        for one in (*written, *drawn)
        if any(given.holding in text for text in one.files.values())
    ]


def _planned(room: Any, made: Any, wanted: list[Mutant]) -> _Planned:
    with tempfile.TemporaryFile(buffering=0) as apart:
        undone = [mutant.listen(apart.fileno()) for mutant in wanted]
        try:
            plan = _plan(room, made)
        finally:
            for undo in reversed(undone):
                undo()
        apart.seek(0)
        return _Planned(made, plan, set(apart.read().decode().split()))


def _try(room: Any, mutant: Mutant, planned: list[_Planned], ends: float) -> dict[str, Any]:
    verdict, tried = "never applied", 0
    for one in planned:
        if mutant.what not in one.apart or one.plan is None or time.monotonic() > ends:
            continue
        undo = mutant.put()
        try:
            found = _verdict(room, one)
        finally:
            undo()
        if found in (_CAUGHT, _REFUSED) and _is_wrong_anyway(room, one):
            continue
        tried += found is not None
        verdict = max(verdict, found or verdict, key=_VERDICTS.index)
        if verdict == _CAUGHT:
            break
    return {"what": mutant.what, "verdict": verdict, "programs": tried}


def _verdict(room: Any, one: _Planned) -> str | None:
    """What became of a program under a mutant; None where it plans the same."""
    from tests.differential.trying import attempt

    plan = _plan(room, one.made)
    if plan == one.plan:
        return None
    if plan is None:
        return _CAUGHT  # planning breaks
    return {"different": _CAUGHT, "refused": _REFUSED}.get(
        attempt(room, one.made).status, "got through"
    )


def _is_wrong_anyway(room: Any, one: _Planned) -> bool:
    """Whether a program is rewritten wrongly, or refused, by the rewriter as it is."""
    from tests.differential.trying import attempt

    return attempt(room, one.made).status in ("different", "refused")


def _plan(room: Any, made: Any) -> Any:
    """What would be written and announced, to be compared; None where planning breaks."""
    from tests.differential.trying import plans_of

    try:
        plans = plans_of(room, made)
    except Exception:  # noqa: BLE001 - a mutant may break the planner anywhere
        return None
    return [
        (
            plan.after,
            plan.refusal,
            [(site.row, note.kind, note.text) for site in plan.sites for note in site.notes],
        )
        for plan in plans.values()
    ]


if __name__ == "__main__":
    main()
