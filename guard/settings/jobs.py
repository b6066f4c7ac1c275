"""The rows that one call generates: in which order, with which seed, how far each may grow."""

from __future__ import annotations

import secrets
import threading
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cleanguard.catalogue import hazards
from guard.errors import GuardWarning, TruncatedPromptError
from guard.prompts.state import GuardState
from guard.settings.sampling import record_seed
from guard.settings.settled import Settings

# One for all models: it is held for microseconds, and a state must pickle.
_drawing = threading.Lock()
_SCALE = 64  # tokens; longer prompts are filled up by less than a quarter


@dataclass(frozen=True, slots=True)
class Job:
    """A row to generate: the prompt's place and ids, its sampling seed, its room in tokens."""

    place: int
    row: list[int]
    seed: int | None
    budget: int


def make_jobs(state: GuardState, rows: list[list[int]], settings: Settings) -> list[Job]:
    """The rows to generate, longest prompt first; a sampled prompt has one for each text."""
    room = [_room(place, row, settings) for place, row in enumerate(rows)]
    if not settings.sampling:
        jobs = [Job(place, row, None, room[place]) for place, row in enumerate(rows)]
    elif settings.seed is not None:
        seeds = _seeds(settings.seed, rows, settings.count, Counter())
        jobs = [Job(place, rows[place], seed, room[place]) for place, seed in seeds]
    else:
        with _drawing:
            if state.run_seed is None:
                state.run_seed = secrets.randbits(32)
                state.note("seed-drawn", hazards.UNSEEDED_SAMPLING, seed=state.run_seed)
            seeds = _seeds(state.run_seed, rows, settings.count, state.drawn)
        jobs = [Job(place, rows[place], seed, room[place]) for place, seed in seeds]
    return sorted(jobs, key=lambda job: -len(job.row))


def _room(place: int, row: list[int], settings: Settings) -> int:
    """How many tokens may follow a prompt."""
    room = settings.max_new_tokens or (settings.max_length or 0) - len(row)
    if room < 1:
        raise TruncatedPromptError(
            f"prompt {place} has {len(row)} tokens, max_length is {settings.max_length}",
            evidence={"prompt": place, "tokens": len(row), "limit": settings.max_length},
            remedy="pass max_new_tokens instead",
        )
    return room


def _seeds(
    seed: int, rows: list[list[int]], count: int, drawn: Counter[bytes]
) -> list[tuple[int, int]]:
    """The place of each text and its seed; `drawn` counts the texts of each prompt on."""
    found: list[tuple[int, int]] = []
    for place, row in enumerate(rows):
        key = b",".join(b"%d" % i for i in row)
        for _ in range(count):
            found.append((place, record_seed(seed, row, drawn[key])))
            drawn[key] += 1
    return found


def next_batch(
    jobs: Sequence[Job],
    at: int,
    size: int,
    *,
    invariant: bool = False,
    equal: bool = False,
    padded: bool = True,
) -> list[Job]:
    """At most `size` jobs from a place on, of equal room: a batch grows by the same length.

    Where `equal` lengths are faster, without padding and so without a mask, and more than half of them
    are as long as the first, it is these alone; so it is where none may be `padded`. Where batches must
    not show, it is those that are filled up to the same length.
    """
    batch = [jobs[at]]
    for job in jobs[at + 1 : at + size]:
        if job.budget != batch[0].budget:
            break
        if invariant and filled_up(len(job.row)) != filled_up(len(batch[0].row)):
            break
        batch.append(job)
    same = [job for job in batch if len(job.row) == len(batch[0].row)]
    if not padded:
        return same
    return same if equal and not invariant and 2 * len(same) > size else batch


def filled_up(length: int) -> int:
    """The length that a prompt is filled up to where batches must not show.

    It is always longer than the prompt: with padding and without are two ways to attend.
    """
    step = max(_SCALE, 1 << max(length.bit_length() - 3, 0))
    return (length // step + 1) * step


def warn_of_context(state: GuardState, jobs: list[Job], context: int | None) -> None:
    """Warn once a load that texts may run beyond the positions that the model was made for."""
    over = [job for job in jobs if context is not None and len(job.row) + job.budget > context]
    if not over or any(event.kind == "warning" for event in state.events):
        return
    longest = max(len(job.row) + job.budget for job in over)
    state.note("warning", hazards.SILENT_TRUNCATION, positions=longest, context=context)
    warnings.warn(
        f"prompt and answer may reach {longest} positions and the model was made for {context}; "
        "what it writes beyond them means nothing",
        GuardWarning,
        stacklevel=5,
    )
