"""Spreads a stage's work over the processes of a run; what is left behind is the same for any number.

The work is cut into pieces that do not depend on how many processes there are, so a text has the
same neighbours in its batch everywhere, and is the same even where the batch decides its last bits.
Process 0 appends to the stage's own files, each other one to files of its own under `shards`; at
the end process 0 puts them together in the order of the pieces. A run that died leaves them there,
and the next one, with any number of processes, begins by putting them together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cleanguard.errors import JobError
from guard.base.canonical import canonical
from guard.records.merging import merge_records
from guard.records.sources import sources_of
from guard.records.statement import identity
from guard.records.writer import JsonlWriter
from stages.processes.hanging import marked_by_files
from stages.processes.ranks import (
    of_first,
    rank,
    refuse_different,
    tell_uneven_memory,
    wait,
    world_size,
)

if TYPE_CHECKING:
    from guard import Provenance

SHARDS = "shards"
Work = TypeVar("Work")
_log = logging.getLogger("cleanguard.pieces")


@dataclass(frozen=True, slots=True)
class Piece(Generic[Work]):
    """A part of the work that one process does as a whole.

    Attributes:
        keys: The keys of its records; it is done when all of them are there.
        work: What is to be done, in the stage's own terms.
    """

    keys: tuple[str, ...]
    work: Work


def spread(
    folder: Path,
    names: Sequence[str],
    sources: Provenance | Any | Mapping[str, Provenance | Any],
    params: Mapping[str, Any],
    pieces: Sequence[Piece[Work]],
    work: Callable[[list[Work], list[JsonlWriter]], None],
) -> None:
    """Do the pieces whose records are missing.

    Args:
        folder: The run's folder, which all processes see.
        names: The files in it that get the records; a key stands in one of them.
        sources, params: As in `JsonlWriter`; the same in every process.
        pieces: All of the work, done or not; the same in every process.
        work: Does the pieces of this process and writes their records to the files, in the order of
            the names. It flushes after each piece, so that a crash costs no more than one.

    Raises:
        JobError: The processes do not have the same work, or another one has ended.
        RecordsError: A file was edited, or written with other params or another model.
    """
    order = [key for piece in pieces for key in piece.keys]
    made_by = {role: identity(one.plain()) for role, one in sources_of(sources).items()}
    refuse_different("a model, settings or items", canonical([made_by, dict(params), order]))
    tell_uneven_memory()
    _gather(folder, names, order)
    wait()
    own = folder / SHARDS / str(rank()) if rank() else folder
    own.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        writers = [
            stack.enter_context(JsonlWriter(own / name, sources, params=params)) for name in names
        ]
        missing = of_first(lambda: _missing(pieces, writers))
        if len(missing) < len(pieces) and rank() == 0:
            _log.info("%d of %d pieces are done already", len(pieces) - len(missing), len(pieces))
        if missing and world_size() > 1 and rank() == 0:
            _log.info("%d pieces over %d processes", len(missing), world_size())
        with marked_by_files(own, names):
            work([pieces[at].work for at in missing[rank() :: world_size()]], writers)
    wait()
    _refuse_gaps(folder, order, _gather(folder, names, order))
    wait()


def _missing(pieces: Sequence[Piece[Any]], writers: Sequence[JsonlWriter]) -> list[int]:
    done = frozenset().union(*(writer.keys for writer in writers))
    return [at for at, piece in enumerate(pieces) if not done.issuperset(piece.keys)]


def _gather(folder: Path, names: Sequence[str], order: Sequence[str]) -> set[str]:
    """Process 0 puts the files of all processes together, and says which keys are there."""
    there: set[str] = set()
    if rank():
        return there
    for name in names:
        parts = sorted((folder / SHARDS).glob(f"*/{name}"), key=lambda path: int(path.parent.name))
        there.update(merge_records(folder / name, parts, order))
    for left in (folder / SHARDS).glob("*"):
        if not any(left.iterdir()):
            left.rmdir()
    if not any((folder / SHARDS).glob("*")):
        rmtree(folder / SHARDS, ignore_errors=True)
    return there


def _refuse_gaps(folder: Path, order: Sequence[str], there: set[str]) -> None:
    """Raise JobError if records that were written did not come here: then the folder is not shared."""
    absent = len(set(order) - there)
    if rank() == 0 and absent:
        raise JobError(
            f"{folder}: {absent} of {len(order)} records are not here; is it one folder for all "
            "machines of the run? The same command, with a folder that is, goes on from there"
        )
