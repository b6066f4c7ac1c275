"""The long run: `python -m tests.differential.run --programs 20000 --shard 0/2 --seed long --out FOLDER`.

Program number n of a run is drawn from the seed `SEED-n`, so any program can be made again; shard i of k takes the
numbers that leave i when divided by k. Each program is one line of `shard-i-of-k.jsonl`; a run that is started again
goes on behind the last whole line. `--report FOLDER` adds up what all shards have found.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any


def main() -> None:
    """Runs a shard, or reports."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.run", description=__doc__)
    parser.add_argument("--programs", type=int, default=20_000, help="of all shards together")
    parser.add_argument("--shard", default="0/1", metavar="I/K")
    parser.add_argument("--seed", default="long")
    parser.add_argument("--out", type=Path, default=Path("runs/differential"))
    parser.add_argument("--seconds", type=float, default=None, help="stop after so many")
    parser.add_argument("--report", action="store_true", help="only add up what --out holds")
    parser.add_argument("--minimise", action="store_true", help="show one small program per kind")
    given = parser.parse_args()
    if given.report:
        sys.stdout.write(report(read(given.out)) + "\n")
    elif given.minimise:
        _minimise(read(given.out))
    else:
        _shard(given)


def _shard(given: argparse.Namespace) -> None:
    index, count = map(int, given.shard.split("/"))
    given.out.mkdir(parents=True, exist_ok=True)
    target = given.out / f"{given.seed}-shard-{index}-of-{count}.jsonl"
    done = _done(target)
    from tests.differential.worker import ready

    room = ready()
    from tests.differential.grammar import program
    from tests.differential.trying import attempt

    began = time.monotonic()
    with target.open("a", encoding="utf-8") as stream:
        for number in range(index, given.programs, count):
            if number in done:
                continue
            if given.seconds is not None and time.monotonic() - began > given.seconds:
                return
            made = program(f"{given.seed}-{number}")
            outcome = attempt(room, made)
            found = outcome.difference
            line = {
                "number": number,
                "seed": made.seed,
                "status": outcome.status,
                "rewritten": outcome.rewritten,
                "left": outcome.left,
                "calls": outcome.calls,
                "tags": made.tags,
                "kind": found.kind if found else None,
                "text": found.text[:500] if found else None,
            }
            stream.write(json.dumps(line) + "\n")
            stream.flush()


def _done(target: Path) -> set[int]:
    """The numbers that a file holds whole; half a line at its end is cut off."""
    if not target.exists():
        return set()
    raw = target.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if whole != raw:
        target.write_bytes(whole)
    return {json.loads(line)["number"] for line in whole.splitlines()}


def read(folder: Path) -> list[dict[str, Any]]:
    """All lines of all shards."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def report(lines: list[dict[str, Any]]) -> str:
    """Programs, what was rewritten of each family and code, and the kinds of counterexamples."""
    status = Counter(line["status"] for line in lines)
    rewritten: Counter[str] = Counter()
    left: Counter[str] = Counter()
    families: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        rewritten.update(line["rewritten"])
        left.update(line["left"])
        family = next(tag for tag in line["tags"] if tag.startswith("family=")).partition("=")[2]
        families[family]["programs"] += 1
        families[family]["compared"] += line["status"] in ("same", "different", "fails")
        families[family]["calls"] += line["calls"]
        families[family].update(line["rewritten"])
        if line["kind"]:
            kinds[line["kind"]].append(line["seed"])
    tags = Counter(tag for line in lines for tag in line["tags"])
    text = [f"{len(lines)} programs: {_said(status)}"]
    text += [f"sites rewritten: {_said(rewritten)}", f"sites left: {_said(left)}"]
    text += [f"family {name}: {_said(found)}" for name, found in sorted(families.items())]
    text.append(f"{len(tags)} different choices of the grammar were drawn")
    text += [
        f"counterexamples: {kind}: {len(seeds)} ({', '.join(seeds[:3])})"
        for kind, seeds in sorted(kinds.items(), key=lambda item: -len(item[1]))
    ]
    return "\n".join(text)


def _said(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common())


def _minimise(lines: list[dict[str, Any]]) -> None:
    from tests.differential.worker import ready

    room = ready()
    from tests.differential.grammar import Program, program
    from tests.differential.minimise import minimised
    from tests.differential.trying import attempt

    shown: set[str] = set()
    for line in lines:
        kind = line["kind"]
        if kind is None or kind in shown:
            continue
        shown.add(kind)

        def still(candidate: Program, kind: str = kind) -> bool:
            found = attempt(room, candidate).difference
            return found is not None and found.kind == kind

        made = program(line["seed"])
        if not still(made):
            sys.stdout.write(f"## {kind}: {line['seed']} is the same now\n")
            continue
        small = minimised(made, still)
        sys.stdout.write(f"## {kind}: {line['seed']}: {line['text']}\n")
        for name, text in small.files.items():
            sys.stdout.write(f"--- {name}\n{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
