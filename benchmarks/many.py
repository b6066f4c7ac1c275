"""`cleanguard check` on many generated files: whether time grows with their number, and what it keeps.

    python benchmarks/many.py 25000 50000 100000 [--at-once 8]

Printed for each number: processor time of a cold run and of a warm one, the peak memory of the parent process, and
the size of the cache beside that of the sources; and whether runs that use one cache at once find the same.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

# The parent's own peak: that of its children is the system's to tell.
PARENT = (
    "import resource, sys\n"
    "from cleanguard.cli import main\n"
    "try:\n    main()\nfinally:\n"
    "    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
)
LINES = 40
# One file of so many loads a model; one of so many holds a trigger word at all.
HAZARDS, TRIGGERS = 100, 10


def generate(folder: Path, number: int) -> int:
    """Writes packages of a hundred files; gives the bytes of all."""
    size = 0
    for at in range(number):
        package = folder / f"p{at // 100:04}"
        package.mkdir(exist_ok=True)
        body = [f"def f{row}(a, b={row}):\n    return a + b * {at}\n" for row in range(LINES // 2)]
        if at % HAZARDS == 0:
            body.insert(
                0,
                "from transformers import AutoModelForCausalLM as M\nm = M.from_pretrained('gpt2')\n",
            )
        elif at % TRIGGERS == 0:
            body.insert(0, "import diffusers\np = diffusers.Pipeline.from_pretrained('x')\n")
        text = "".join(body)
        (package / f"m{at % 100:02}.py").write_text(text)
        size += len(text)
    return size


def check(folder: Path, cache: Path) -> tuple[str, float, int]:
    """What a run prints, its processor time, and the peak of its parent in KB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = start(folder, cache)
    out, error = done.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = re.search(r"peak (\d+)", error)
    if done.returncode != 0 or peak is None:
        raise SystemExit(f"exit code {done.returncode}\n{error[-400:]}")
    return out, used, int(peak[1])


def start(folder: Path, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PARENT, "check", "--exit-zero", "--output-format", "concise"]
    return subprocess.Popen(
        [*command, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CLEANGUARD_CACHE_DIR": str(cache)},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", type=int, nargs="+")
    parser.add_argument("--at-once", type=int, default=8)
    options = parser.parse_args()
    for number in options.numbers:
        with tempfile.TemporaryDirectory() as name:
            folder, cache = Path(name) / "src", Path(name) / "cache"
            folder.mkdir()
            size = generate(folder, number)
            cold, took, peak = check(folder, cache)
            kept = sum(file.stat().st_size for file in cache.iterdir())
            warm, again, _ = check(folder, cache)
            print(
                f"{number:,} files, {size / 1e6:.0f} MB: cold {took:.1f} s ({took / number * 1e6:.0f} µs a file), "
                f"warm {again:.1f} s, parent {peak / 1024:.0f} MB, cache {kept / size:.0%} of the sources, "
                f"{'the same' if cold == warm else 'OTHER'} findings warm",
                flush=True,
            )
            if options.at_once and number == options.numbers[0]:
                runs = [start(folder, Path(name) / "shared") for _ in range(options.at_once)]
                outs = {run.communicate()[0] for run in runs}
                fine = outs == {cold} and all(run.returncode == 0 for run in runs)
                print(
                    f"{options.at_once} at once on one empty cache: {'the same' if fine else 'OTHER'}"
                )


if __name__ == "__main__":
    main()
