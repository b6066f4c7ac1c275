"""Branch coverage by package, out of the data of `make coverage`; leaves with 1 where one is below the floor.

python tools/branches.py 90 guard codemods lint_rules
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path


def shares(report: Path) -> dict[str, tuple[int, int]]:
    """Branches taken and branches there are, by the first part of the files' names.

    Args:
        report: What `coverage json` wrote.
    """
    taken: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for name, file in json.loads(report.read_text(encoding="utf-8"))["files"].items():
        package = Path(name).parts[0]
        taken[package] += file["summary"]["covered_branches"]
        there[package] += file["summary"]["num_branches"]
    return {name: (taken[name], there[name]) for name in sorted(there)}


def main(floor: float, held: list[str]) -> int:
    """Prints each package's share; 1 if one of `held` is below `floor` percent, or unknown."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        subprocess.run(
            [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)], check=True
        )
        found = shares(report)
    for name, (taken, there) in found.items():
        print(f"{name}: {100 * taken / max(there, 1):.1f}% of {there} branches")
    below = [
        name for name in held if name not in found or 100 * found[name][0] < floor * found[name][1]
    ]
    if below:
        print(f"below {floor:g}%: {', '.join(below)}")
    return 1 if below else 0


if __name__ == "__main__":
    raise SystemExit(main(float(sys.argv[1]), sys.argv[2:]))
