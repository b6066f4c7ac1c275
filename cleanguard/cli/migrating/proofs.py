"""`--prove` for the files of a plan: what each pair of runs showed, and which files are not to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cleanguard.cli.migrating.prove_args import CommandLines
from cleanguard.report.counting import counted

if TYPE_CHECKING:
    from codemods.migration import Migration
    from codemods.proof.prove import Proof

_MOST = 5


def proofs(
    plans: Sequence[Migration], where: Mapping[str, Path], given: CommandLines
) -> dict[str, Proof]:
    """What the runs of each file that changed showed, by its name.

    Args:
        plans: The plans of all files.
        where: The path of each file, by its name.
        given: The command lines.
    """
    from codemods.proof.prove import compare_runs

    return {
        plan.filename: compare_runs(
            where[plan.filename],
            _code_of(plan.filename, plan.before),
            _code_of(plan.filename, plan.after),
            given.of(plan.filename),
            Path.cwd(),
            plan.sites,
        )
        for plan in plans
        if plan.changed
    }


def complaints(found: Mapping[str, Proof]) -> list[str]:
    """What is to be told of the files whose proof did not succeed; of many differences, the first."""
    told: list[str] = []
    for name, proof in found.items():
        told += [f"{name}: {line}" for line in proof.differences[:_MOST]]
        more = len(proof.differences) - _MOST
        if more > 0:
            told.append(f"{name}: and {counted(more, 'other difference')}")
    return told


def without_unproven(
    plans: Sequence[Migration], found: Mapping[str, Proof]
) -> tuple[list[Migration], list[str]]:
    """The plans, those whose proof did not succeed left as they are, and what is to be told of these."""
    doubtful = sorted(name for name, proof in found.items() if proof.differences)
    kept = [replace(one, after=one.before) if one.filename in doubtful else one for one in plans]
    return kept, [
        f"{name}: it was not written, since the proof did not succeed" for name in doubtful
    ]


def _code_of(filename: str, raw: bytes) -> bytes:
    """What is run: a script as it is, of a notebook the module of its cells."""
    from lint_rules._run.notebook import SUFFIX, read

    return read(raw).source.raw if filename.endswith(SUFFIX) else raw
