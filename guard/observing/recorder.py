"""`observe()`: what this process does with models and tokenizers, as events."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

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
    Site,
    Write,
)
from guard.observing.frames import frames

Kind = TypeVar("Kind", bound=Event)
# Called with an event and the objects that it is about, by their numbers.
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Start:
    """Where and when a call began.

    Attributes:
        number: Its number.
        site: The person's nearest frame.
        callers: The frames behind it.
        guarded: The guard made the call.
    """

    number: int
    site: Site
    callers: tuple[Site, ...]
    guarded: bool

    def common(self, raised: BaseException | None = None) -> dict[str, Any]:
        """The fields that every event has."""
        return {
            "number": self.number,
            "site": self.site,
            "callers": self.callers,
            "thread": threading.current_thread().name,
            "raised": None if raised is None else type(raised).__name__,
        }


class Seen:
    """What was seen so far; it stays readable behind the `with` block."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._events: list[Event] = []
        self._listener = listener

    def take(self, event: Event) -> None:
        """Keep an event, or hand it to the listener."""
        if self._listener is None:
            self._events.append(event)
        else:
            self._listener(event)

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


class Recorder:
    """Numbers calls and objects and hands events to those who observe."""

    def __init__(self) -> None:
        self.here = _Here()
        self._audience: list[Seen] = []
        self._numbers = itertools.count(1)
        self._subjects: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._objects: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._next_subject = itertools.count(1)
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def begin(self) -> Start:
        """The number and the person's frames of a call that begins."""
        found, guarded = frames()
        return Start(next(self._numbers), found[0], found[1:], guarded)

    def emit(self, event: Event) -> None:
        """Hand an event to everybody who observes."""
        for seen in tuple(self._audience):
            seen.take(event)

    def subject(self, thing: Any) -> int:
        """The number of a model or tokenizer; the same object keeps it."""
        with self._lock:
            found = self._subjects.get(thing)
            if found is None:
                found = self._subjects[thing] = next(self._next_subject)
                self._objects[found] = thing
            return found

    def object_of(self, subject: int) -> Any:
        """The object of a number; None once it is gone."""
        return self._objects.get(subject)

    def blind(self, what: str) -> None:
        """Say once what cannot be seen."""
        if what in self._told:
            return
        self._told.add(what)
        self.emit(Blind(**self.begin().common(), what=what))

    def muted(self) -> _Muted:
        """See nothing of what this thread does inside."""
        return _Muted(self.here)

    def once(self, kind: str) -> bool:
        """Whether a call of a kind is to be seen: it is the outermost, and nothing is muted."""
        inside = self.here.inside
        return kind not in inside and "muted" not in inside

    def quietly(self, read: Callable[[], Any]) -> Any:
        """The result of reading something; a fault of ours must not reach the script."""
        try:
            return read()
        except Exception as error:  # whatever it is, the script goes on
            if os.environ.get("CLEANGUARD_DEBUG"):
                raise
            self.blind(f"a call could not be read: {type(error).__name__}: {str(error)[:200]}")
            return None

    def join(self, seen: Seen) -> None:
        """Begin to hand events to somebody; the first puts the wrappers on."""
        from guard.observing.libraries import watch

        self._audience.append(seen)
        if len(self._audience) == 1:
            self._told.clear()
            watch(self)

    def leave(self, seen: Seen) -> None:
        """The last who leaves takes the wrappers off."""
        from guard.observing.libraries import unwatch

        self._audience.remove(seen)
        if not self._audience:
            unwatch()


class _Here(threading.local):
    """What a thread is in the middle of.

    Attributes:
        inside: Kinds of calls that this thread is in: one is seen at its outermost. `muted` sees none.
        generation: The generate call that runs.
        batch: The trainer's batch that is trained on.
    """

    generation: Any = None
    batch: int | None = None

    def __init__(self) -> None:
        self.inside: set[str] = set()


class _Muted:
    """A block of which a thread sees nothing; a class, because a generator costs three times the calls."""

    __slots__ = ("_before", "_here")

    def __init__(self, here: _Here) -> None:
        self._here = here

    def __enter__(self) -> None:
        self._before, self._here.inside = self._here.inside, {"muted"}

    def __exit__(self, *_: object) -> None:
        self._here.inside = self._before


RECORDER = Recorder()


@contextmanager
def observe(listener: Listener | None = None) -> Iterator[Seen]:
    """Watch loads, tokenizer calls, prefills and generations of this process.

    It changes no id, no text, no setting and no random state, and imports nothing: libraries are
    wrapped when the script imports them. All threads are seen, children of the process are not.

    Args:
        listener: Called with each event instead of keeping it; for runs whose events do not fit
            into memory.

    Yields:
        What was seen so far.
    """
    seen = Seen(listener)
    RECORDER.join(seen)
    try:
        yield seen
    finally:
        RECORDER.leave(seen)
