"""The programs that tests/differential draws, for benchmarks/oracle.py."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks._oracle_forks import SAVED, forked, preload


def programs(
    count: int,
    seed: str,
    done: frozenset[str],
    compare: Callable[..., dict[str, Any]],
    keep: Callable[[str, Path], str],
) -> Iterator[dict[str, Any]]:
    """What came of each program."""
    from tests.differential import models

    built = models.built()
    cache = str(built / "hub")
    preload({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_CACHE": cache})
    from tests.differential.grammar import program

    for number in range(count):
        key = f"programs {seed}-{number}"
        if key in done:
            continue
        with tempfile.TemporaryDirectory(prefix="oracle-") as scratch:
            work = Path(scratch).resolve()
            for folder in ("models", "adapters"):
                shutil.copytree(built / folder, work / folder)
            for name, text in program(f"{seed}-{number}").files.items():
                (work / name).write_text(text)
            code, said = forked(work, work, "main.py", 120)
            found: dict[str, Any] = {"key": key, "group": "programs", "name": key, "exit": code}
            found |= {"said": said, "counts": {}, "told": [], "reached": {}}
            if (work / SAVED).is_file():
                found |= compare(work / SAVED, work / "main.py", work, key)
                found["trace"] = keep(key, work)
            yield found
