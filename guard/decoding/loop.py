"""Generates one batch over fixed buffers: prompts in, tokens out, finished rows leave early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from guard.decoding.prefill import prefill
from guard.errors import BrokenScoresError
from guard.files.hub import torch
from guard.prompts.encoding import pad_left

if TYPE_CHECKING:
    from guard.decoding.scores import Scores
    from guard.decoding.steps import Steps

_PER_LOOK = 8  # captured steps between two looks at what they chose: a look waits for the device
_WORTH = 16  # steps for which a smaller batch is worth a capture


@dataclass(slots=True)
class Batch:
    """What one batch is to generate.

    Attributes:
        rows: The ids of the prompts.
        budget: Most tokens for each.
        ends: Ids that end a text.
        pad: Fills up before a shorter prompt.
        scores: Changes the scores at each step; None is plain greedy.
        stops: Says of ids, of shape (rows, positions), which rows end in a stop string.
        streamer: Gets the prompt's ids and then each token, as `generate` has it.
        halted: Asked at each step whether to stop.
        length: Slots that the prompts are filled up to; 0 is the longest one's.
        fixed: Rows stay to the end and share nothing, so that every shape is the same.
    """

    rows: list[list[int]]
    budget: int
    ends: frozenset[int]
    pad: int
    scores: Scores | None = None
    stops: Callable[[torch.Tensor, Any], torch.Tensor] | None = None
    streamer: Any = None
    halted: Callable[[], bool] | None = None
    length: int = 0
    fixed: bool = False


def generate(steps: Steps, batch: Batch) -> list[list[int]]:
    """The new ids of each row, to the one that finished it.

    A row does not depend on the others, so what a finished one goes on to write is dropped.

    Raises:
        BrokenScoresError: Scores are no numbers.
    """
    texts = _Texts(batch)
    logits = prefill(steps, batch)
    steps.sound.logical_and_(logits.amax().isfinite())
    chosen = _choose(batch, logits)
    steps.feed(chosen)
    pending, made = [chosen], 1
    watched = batch.streamer is not None or batch.halted is not None
    every = _PER_LOOK if steps.capture is not None and not watched else 1
    while True:
        if len(pending) >= every or made == batch.budget:
            if not bool(steps.sound):
                raise BrokenScoresError("the model's scores are no numbers")
            texts.take(torch.cat(pending, 1) if len(pending) > 1 else pending[0])
            pending = []
            if not texts.alive or (batch.halted is not None and batch.halted()):
                break
            may_leave = steps.capture is None or batch.budget - made >= _WORTH
            if (
                may_leave
                and not batch.fixed
                and (kept := texts.to_keep(exact=steps.capture is None))
            ):
                places = texts.keep(kept)
                steps.keep(places)
                if batch.scores is not None:
                    batch.scores.keep(places)
        if made == batch.budget:
            break
        if batch.scores is None:
            chosen = steps.step(batch.budget - made, chooses=True)
        else:
            chosen = _choose(batch, steps.step(batch.budget - made, chooses=False))
            steps.feed(chosen)
        pending.append(chosen.clone() if every > 1 else chosen)
        made += 1
        texts.tell()
    texts.tell()
    if batch.streamer is not None:
        batch.streamer.end()
    return texts.ids


def _choose(batch: Batch, logits: torch.Tensor) -> torch.Tensor:
    scores = logits.to(copy=True, dtype=torch.float32)
    if batch.scores is not None:
        scores = batch.scores(scores)
    chosen = scores.argmax(-1, keepdim=True)
    if batch.scores is not None:
        batch.scores.took(chosen)
    return chosen


@dataclass
class _Texts:
    """What came out of each row, and which rows go on."""

    batch: Batch
    ids: list[list[int]] = field(init=False)
    at: list[int] = field(init=False)
    alive: set[int] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.batch.rows)
        self.ids = [[] for _ in range(count)]
        self.at = list(range(count))  # the row of the batch at each place of the buffers
        self.alive = set(range(count))
        self._made = 0
        self._untold = [torch.tensor(self.batch.rows)] if self.batch.streamer is not None else []
        self._telling = False
        if self.batch.stops is not None:
            before, _ = pad_left(self.batch.rows, self.batch.pad, self.batch.length)
            room = torch.full((count, self.batch.budget), self.batch.pad)
            self._history = torch.cat([before, room], 1)
            self._before = before.shape[1]

    def take(self, chosen: torch.Tensor) -> None:
        """Take in tokens of shape (rows in the buffers, steps)."""
        ends, alive = self.batch.ends, self.alive
        for column in zip(*chosen.tolist(), strict=True):
            for row, token in zip(self.at, column, strict=True):
                if row in alive:
                    self.ids[row].append(token)
                    if token in ends:
                        alive.discard(row)
            if self.batch.streamer is not None:
                self._untold.append(torch.tensor(column))
                if self._telling:
                    self.tell()
            if self.batch.stops is not None:
                self._stop(column)
            self._made += 1

    def tell(self) -> None:
        """Pass on what came; from the first step on, since until then the plain road may be taken."""
        self._telling = True
        for one in self._untold:
            self.batch.streamer.put(one)
        self._untold = []

    def _stop(self, column: Sequence[int]) -> None:
        assert self.batch.stops is not None
        end = self._before + self._made
        self._history[self.at, end] = torch.tensor(column)
        stopped = self.batch.stops(self._history[:, : end + 1], None)
        self.alive.difference_update(
            row for row, ended in enumerate(stopped.tolist()) if ended and row in self.alive
        )

    def to_keep(self, *, exact: bool) -> list[int]:
        """The places to go on with, if half of them are done; none otherwise.

        Captured steps come in few sizes, so some done rows stay to fill one up.
        """
        living = [place for place, row in enumerate(self.at) if row in self.alive]
        if 2 * len(living) > len(self.at):
            return []
        size = len(living) if exact else 1 << (len(living) - 1).bit_length()
        if size >= len(self.at):
            return []
        done = [place for place, row in enumerate(self.at) if row not in self.alive]
        return sorted(living + done[: size - len(living)])

    def keep(self, places: list[int]) -> list[int]:
        """Go on with some places."""
        self.at = [self.at[place] for place in places]
        return places
