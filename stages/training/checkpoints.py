"""Checkpoints that can be trusted: sealed when written, compared before they are resumed from."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from pathlib import Path

from stages.folder import write_json

_SEAL = "sealed.json"
_NAME = re.compile(r"checkpoint-(\d+)")
_log = logging.getLogger("cleanguard.training")


def seal(checkpoint: Path) -> None:
    """Write down the digest of each file of a checkpoint, last of all."""
    write_json(checkpoint / _SEAL, _digests(checkpoint))


def last_valid(folder: Path) -> Path | None:
    """The newest checkpoint that is whole; newer ones that are not are renamed and named.

    Args:
        folder: Where the trainer puts its checkpoints.

    Returns:
        None if there is none to go on from.
    """
    if not folder.is_dir():
        return None
    by_step = {
        int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))
    }
    for step in sorted(by_step, reverse=True):
        problem = _problem(by_step[step])
        if problem is None:
            return by_step[step]
        aside = _free(folder / f"damaged-{by_step[step].name}")
        by_step[step].rename(aside)
        _log.info("checkpoint %d is not whole (%s); kept as %s", step, problem, aside.name)
    return None


def _problem(checkpoint: Path) -> str | None:
    try:
        expected = json.loads((checkpoint / _SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return "it was not finished"
    found = _digests(checkpoint)
    other = sorted(name for name in expected if found.get(name) != expected[name])
    return f"{', '.join(other)} changed" if other else None


def _digests(checkpoint: Path) -> dict[str, str]:
    return {
        str(path.relative_to(checkpoint)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != _SEAL
    }


def _free(path: Path) -> Path:
    number = 0
    while path.exists():
        number += 1
        path = path.with_name(f"{path.name.partition('~')[0]}~{number}")
    return path
