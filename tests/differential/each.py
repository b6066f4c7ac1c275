"""Tries the programs of a JSON file and prints what came of each: `python -m tests.differential.each FILE`.

The file holds a list of `{"files": {NAME: TEXT}, "unsafe": false, "watch": true}`; one line of JSON is printed for each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Tries them in this process."""
    wanted = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    from tests.differential.worker import ready

    room = ready()
    from tests.differential.grammar import Program
    from tests.differential.trying import attempt

    for number, one in enumerate(wanted):
        made = Program(
            str(number), one["files"], unsafe=one.get("unsafe", False), watch=one.get("watch", True)
        )
        outcome = attempt(room, made)
        found = outcome.difference
        line = {
            "status": outcome.status,
            "difference": f"{found.kind}: {found.text}" if found else None,
            "rewritten": outcome.rewritten,
            "calls": outcome.calls,
            "after": outcome.after,
        }
        sys.stdout.write(f"{json.dumps(line)}\n")


if __name__ == "__main__":
    main()
