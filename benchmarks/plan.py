"""What planning a migration costs beside a check of the same files: processor time and counted calls.

python benchmarks/plan.py cleanguard/legacy
"""

from __future__ import annotations

import argparse
import ast
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libcst

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cleanguard.files import discover  # noqa: E402
from cleanguard.settings.config import Settings  # noqa: E402
from codemods.migration import migrate_source  # noqa: E402
from codemods.script import text  # noqa: E402
from lint_rules._engine.checking import check_source  # noqa: E402
from lint_rules._flow import analysis  # noqa: E402

_TEXT = 1000  # bytes of what is a file


def calls(work: Callable[[], object]) -> int:
    """Calls of Python and C functions."""
    count = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    gc.collect()
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def work_of(work: Callable[[], object]) -> dict[str, int]:
    """What is done how often: texts parsed, values followed, trees made."""
    places: list[tuple[str, Any, str]] = [
        ("texts that the interpreter parses", ast, "parse"),
        ("modules followed", analysis, "run"),
        ("exact trees", text, "exact_module"),
        ("full trees of libcst", libcst, "parse_module"),
    ]
    found = dict.fromkeys((name for name, *_ in places), 0)

    def counted(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def counting(source: Any, *args: Any, **options: Any) -> Any:
            # What stands in the braces of f-strings is parsed as well.
            found[name] += not isinstance(source, (str, bytes)) or len(source) > _TEXT
            return real(source, *args, **options)

        return counting

    plain = [(place, key, getattr(place, key)) for _, place, key in places]
    try:
        for (name, place, key), (_, _, real) in zip(places, plain, strict=True):
            setattr(place, key, counted(name, real))
        work()
    finally:
        for place, key, real in plain:
            setattr(place, key, real)
    return found


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Least processor time of some runs."""
    found: list[float] = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def command(arguments: list[str], repeats: int) -> float:
    """Least processor time of a command and its processes."""
    found: list[float] = []
    for _ in range(repeats):
        before = os.times()
        subprocess.run(
            [sys.executable, "-c", "from cleanguard.cli import main; main()", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
        )  # fmt: skip
        after = os.times()
        found.append(after[2] + after[3] - before[2] - before[3])
    return min(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    settings = Settings()
    files = [(file.name, file.read()) for file in discover([given.folder])]

    def check() -> None:
        for name, raw in files:
            check_source(name, raw, settings, edits=False)

    def plan() -> None:
        for name, raw in files:
            migrate_source(name, raw, settings)

    check()
    plan()
    rows = [
        ("command, processor time", command(["check", "--no-cache", given.folder], given.repeats),
         command(["migrate", given.folder], given.repeats), "{:.2f} s"),
        ("in one process, processor time", seconds(check, given.repeats),
         seconds(plan, given.repeats), "{:.2f} s"),
        ("calls of functions", calls(check), calls(plan), "{:,}"),
    ]  # fmt: skip
    done, planned = work_of(check), work_of(plan)
    rows += [(name, count, planned[name], "{:,}") for name, count in done.items()]
    print(f"{len(files)} files\n\n| | check | migrate | ratio |\n|---|---:|---:|---:|")
    for name, one, other, form in rows:
        print(
            f"| {name} | {form.format(one)} | {form.format(other)} | {other / one:.1f} |"
            if one
            else f"| {name} | 0 | {other} | |"
        )


if __name__ == "__main__":
    main()
