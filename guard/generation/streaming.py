"""Gives a text out piece by piece while it is generated."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from guard.base.modes import evaluating
from guard.errors import SettingsError
from guard.generation.batches import Task, prepare, run_batch
from guard.generation.completion import Completion, decode

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from guard.decoding.graphs import Engine

_HALF = "\ufffd"  # what a decoder writes for a character that is not complete yet


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class TextStream(Iterator[str]):
    """The pieces of one text; joined, they are what `generate` returns.

    It can be closed early, by leaving its `with` block or the loop and dropping it: the model stops
    at its next token.

    Attributes:
        completion: What is known about the whole text; None until the last piece has come.
    """

    def __init__(self, task: Task) -> None:
        self.completion: Completion | None = None
        self._told = ""
        self._queue: queue.SimpleQueue[str | Completion | _Failed] = queue.SimpleQueue()
        self._stop = threading.Event()
        context = contextvars.copy_context()  # an `unguarded` block around the call holds within
        self._thread = threading.Thread(
            target=context.run, args=(_work, task, self._queue, self._stop), daemon=True
        )
        self._thread.start()

    def __iter__(self) -> TextStream:
        return self

    def __next__(self) -> str:
        while self.completion is None and not self._stop.is_set():
            found = self._queue.get()
            if isinstance(found, _Failed):
                self._stop.set()
                try:
                    raise found.error
                finally:
                    del found  # this frame stands in its traceback, and a cycle would keep tensors
            if isinstance(found, Completion):
                self.completion = found
                self._thread.join()
                rest = found.text[len(self._told) :] if found.text.startswith(self._told) else ""
                if rest:
                    return rest
                break
            self._told += found
            return found
        raise StopIteration

    def close(self) -> None:
        """Stop generating; pieces that were not asked for are lost."""
        self._stop.set()
        self._thread.join()

    def __enter__(self) -> TextStream:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_stop"):
            self._stop.set()


def stream(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    options: Mapping[str, Any],
    *,
    engine: Engine = "auto",
) -> TextStream:
    """Begin to generate one text; raises as `guard.generation.batches.complete`, here or at a piece.

    Raises:
        SettingsError: Beams or several texts were asked for, which cannot be streamed.
    """
    task = prepare(model, tokenizer, [prompt], options, "stream", engine=engine)
    if task.settings.num_beams > 1 or task.settings.count > 1:
        raise SettingsError(
            "stream gives one text as it grows; beams and several texts are known only at the end",
            remedy="leave out num_beams and num_return_sequences, or call generate",
        )
    return TextStream(task)


def _work(
    task: Task, out: queue.SimpleQueue[str | Completion | _Failed], stop: threading.Event
) -> None:
    pieces = _Pieces(task, out)
    try:
        with evaluating(task.model):
            [(_, completion)] = run_batch(task, task.jobs, streamer=pieces, halted=stop.is_set)
        out.put(completion)
    except BaseException as error:  # noqa: BLE001 - it is raised again where the pieces are read
        out.put(_Failed(error))


class _Pieces:
    """Takes ids from `generate` and passes on text as soon as later ids cannot change it."""

    def __init__(self, task: Task, out: queue.SimpleQueue[str | Completion | _Failed]) -> None:
        self._task = task
        self._out = out
        self._ids: list[int] = []
        self._from = (
            0  # where the piece before the last one begins: a token's text may depend on it
        )
        self._done = 0
        self._prompt_came = False

    def put(self, ids: torch.Tensor) -> None:
        if not self._prompt_came:
            self._prompt_came = True
            if not self._task.settings.return_full_text:
                return
            self._ids = list(self._task.jobs[0].row)
        else:
            self._ids += ids.reshape(-1).tolist()
        before = self._text(self._ids[self._from : self._done])
        now = self._text(self._ids[self._from :])
        if len(now) > len(before) and not now.endswith(_HALF):
            self._from, self._done = self._done, len(self._ids)
            self._out.put(now[len(before) :])

    def end(self) -> None:
        """Nothing is held back: the completion has the rest."""

    def _text(self, ids: list[int]) -> str:
        return decode(self._task.tokenizer, ids, self._task.settings)
