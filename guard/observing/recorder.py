"""`observe()`: what this process does with models and tokenizers, as events."""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from guard.observing.events import Blind, Event, Site
from guard.observing.frames import frames
from guard.observing.seen import Listener, Seen


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


class Recorder:
    """Numbers calls and objects and hands events to those who observe."""

    def __init__(self) -> None:
        self.here = _Here()
        # Replaced and never changed, so that an event needs no lock.
        self._audience: tuple[Seen, ...] = ()
        self._numbers = itertools.count(1)
        # By identity: a class's own `__eq__` and `__hash__` are not called.
        self._subjects: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._objects: dict[int, weakref.ref[Any]] = {}
        self._next_subject = itertools.count(1)
        self._lock = threading.RLock()
        self._doors = threading.RLock()
        self._told: set[str] = set()

    def begin(self) -> Start:
        """The number and the person's frames of a call that begins."""
        found, guarded = frames()
        return Start(next(self._numbers), found[0], found[1:], guarded)

    def emit(self, event: Event) -> None:
        """Hand an event to everybody who observes; nothing is seen of what they do with it."""
        # As `muted`, without its calls: this is done at every event.
        here = self.here
        before, here.inside = here.inside, {"muted"}
        try:
            for seen in self._audience:
                seen.take(event)
        finally:
            here.inside = before

    def subject(self, thing: Any) -> int:
        """The number of a model or tokenizer; the same object keeps it."""
        key = id(thing)
        found = self._subjects.get(key)
        if found is not None and found[0]() is thing:
            return found[1]
        with self._lock:
            return self._numbered(thing, key)

    def _numbered(self, thing: Any, key: int) -> int:
        found = self._subjects.get(key)
        if found is not None and found[0]() is thing:
            return found[1]
        number = next(self._next_subject)

        def gone(reference: weakref.ref[Any]) -> None:
            self._objects.pop(number, None)
            # Another object may have its place by now.
            if self._subjects.get(key, (None,))[0] is reference:
                self._subjects.pop(key, None)

        reference = weakref.ref(thing, gone)
        self._subjects[key], self._objects[number] = (reference, number), reference
        return number

    def object_of(self, subject: int) -> Any:
        """The object of a number; None once it is gone."""
        found = self._objects.get(subject)
        return None if found is None else found()

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

        with self._doors:
            first = not self._audience
            self._audience = (*self._audience, seen)
            if first:
                self._told.clear()
                watch(self)

    def leave(self, seen: Seen) -> None:
        """The last who leaves takes the wrappers off."""
        from guard.observing.libraries import unwatch

        with self._doors:
            self._audience = tuple(one for one in self._audience if one is not seen)
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
            into memory. Nothing is seen of what it does itself. An exception of its own does not reach
            the script's call: it stands in `seen.blind`, and a GuardWarning tells it behind the block.

    Yields:
        What was seen so far.
    """
    seen = Seen(listener)
    RECORDER.join(seen)
    try:
        yield seen
    finally:
        RECORDER.leave(seen)
        seen.tell_failures()
