"""Seeds of the generator that samples: torch's own, by `torch.manual_seed` and what calls it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from guard.observing.events import Seed, SeedState, Site
from guard.observing.patching import Patches
from guard.observing.recorder import Recorder

# torch draws a seed of 53 bits for itself; people write smaller ones.
_SMALL = 2**33


class _Known:
    """What was seen of seeds since the watch began; `late` if torch was there before it."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.late = False
        self.set_to: int | None = None
        self.site: Site | None = None


_known = _Known()


def state() -> SeedState:
    """How the generator is seeded now; reads it and draws nothing."""
    torch = sys.modules.get("torch")
    if torch is None:
        return SeedState(False, None)
    value = int(torch.initial_seed())
    if _known.set_to is not None and value == _known.set_to:
        return SeedState(True, value, _known.site)
    # Seeded through a generator object, or a state that was put back.
    return SeedState(value != _known.first or (_known.late and value < _SMALL), value)


def _wrap(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    _known.first, _known.set_to, _known.site = int(module.initial_seed()), None, None
    # Imported before the watch began: somebody may have set the seed that is there.
    _known.late = not getattr(module.__spec__, "_initializing", False)

    def manual(plain: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            result = plain(*args, **kwargs)
            if recorder.once("seed"):
                recorder.quietly(lambda: _note(recorder, int(module.initial_seed()), drawn=False))
            return result

        return wrapper

    def drawn(plain: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            result = plain(*args, **kwargs)
            if recorder.once("seed"):
                recorder.quietly(lambda: _note(recorder, int(module.initial_seed()), drawn=True))
            return result

        return wrapper

    for name, make in (("manual_seed", manual), ("seed", drawn)):
        places = (module, module.random)
        # One function at both places is one afterwards: pickle finds it at the other.
        for found in dict.fromkeys(vars(place)[name] for place in places):
            patches.put_same(
                [place for place in places if vars(place)[name] is found],
                name,
                found,
                functools.wraps(found)(make(found)),
            )


def _note(recorder: Recorder, value: int, *, drawn: bool) -> None:
    start = recorder.begin()
    # A seed that was drawn is as good as none.
    if drawn:
        _known.first, _known.set_to, _known.site = value, None, None
    else:
        _known.set_to, _known.site = value, start.site
    recorder.emit(Seed(**start.common(), value=None if drawn else value))


MODULES = {"torch": _wrap}
