"""What an observer was handed: a list of events, or a listener that hears each of them."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable
from typing import TypeVar

from guard.observing.events import (
    Batch,
    Blind,
    Broken,
    Change,
    Decode,
    Encode,
    Event,
    Generate,
    Load,
    Prefill,
    Render,
    Save,
    Seed,
    Write,
)

Kind = TypeVar("Kind", bound=Event)
# Called with an event and the objects that it is about, by their numbers.
Listener = Callable[[Event], None]
_LONGEST = 200


class Seen:
    """What was seen so far; it stays readable behind the `with` block."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._events: list[Event] = []
        self._listener = listener
        self._failures, self._first = 0, ""

    def take(self, event: Event) -> None:
        """Keep an event, or hand it to the listener, whose errors are kept for the end."""
        if self._listener is None:
            self._events.append(event)
            return
        try:
            self._listener(event)
        except Exception as error:  # the script's call knows nothing of it
            if os.environ.get("CLEANGUARD_DEBUG"):
                raise
            self._failed(event, error)

    def _failed(self, event: Event, error: Exception) -> None:
        self._failures += 1
        if self._failures > 1:
            return
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}"[:_LONGEST]
        self._first = f"{last.filename}:{last.lineno}: {said}"
        self._events.append(
            Blind(
                number=event.number,
                site=event.site,
                callers=event.callers,
                thread=event.thread,
                what=f"a listener failed at an event, and goes on with the next: {self._first}",
            )
        )

    @property
    def failure(self) -> str:
        """At how many events the listener failed, and where and how at the first; empty if at none."""
        if not self._failures:
            return ""
        events = "1 event" if self._failures == 1 else f"{self._failures} events"
        return f"failed at {events}, first in {self._first}"

    def tell_failures(self) -> None:
        """Warn if the listener failed at events; for whoever leaves a `with` block."""
        if self._failures:
            from guard.errors import GuardWarning

            # Behind this, its caller and contextlib's frame.
            warnings.warn(f"a listener of events {self.failure}", GuardWarning, stacklevel=4)

    @property
    def events(self) -> tuple[Event, ...]:
        """Every event, in the order in which the calls began."""
        return tuple(sorted(self._events, key=lambda event: event.number))

    def of(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """The events of one class."""
        return tuple(event for event in self.events if isinstance(event, kind))

    @property
    def loads(self) -> tuple[Load, ...]:
        """Every from_pretrained."""
        return self.of(Load)

    @property
    def encodings(self) -> tuple[Encode, ...]:
        """Every tokenizer call that gave ids."""
        return self.of(Encode)

    @property
    def renders(self) -> tuple[Render, ...]:
        """Every apply_chat_template."""
        return self.of(Render)

    @property
    def decodings(self) -> tuple[Decode, ...]:
        """Every decode."""
        return self.of(Decode)

    @property
    def prefills(self) -> tuple[Prefill, ...]:
        """Every forward pass over a prompt or a batch."""
        return self.of(Prefill)

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Every forward pass over a prompt whose scores were no numbers."""
        return self.of(Broken)

    @property
    def generations(self) -> tuple[Generate, ...]:
        """Every generate call."""
        return self.of(Generate)

    @property
    def batches(self) -> tuple[Batch, ...]:
        """Every batch of a trainer."""
        return self.of(Batch)

    @property
    def saves(self) -> tuple[Save, ...]:
        """Every save_pretrained."""
        return self.of(Save)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every chat template that was set on a tokenizer."""
        return self.of(Change)

    @property
    def writes(self) -> tuple[Write, ...]:
        """Every file that was opened to be written."""
        return self.of(Write)

    @property
    def seeds(self) -> tuple[Seed, ...]:
        """Every seed that was set."""
        return self.of(Seed)

    @property
    def blind(self) -> tuple[Blind, ...]:
        """What went on out of sight."""
        return self.of(Blind)
