"""Which modules are wrapped, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType

from guard.observing import calls, effects, engines, loads, passes, seeds, training
from guard.observing.patching import ImportWatch, Patches
from guard.observing.recorder import Recorder

_PARTS: tuple[Mapping[str, Callable[[Patches, Recorder, ModuleType], None]], ...] = (
    loads.MODULES,
    calls.MODULES,
    passes.MODULES,
    seeds.MODULES,
    training.MODULES,
    engines.MODULES,
    effects.MODULES,
)
_patches = Patches()
_watch: list[ImportWatch] = []


def watch(recorder: Recorder) -> None:
    """Wrap what is imported, and what will be."""
    wanted: dict[str, Callable[[ModuleType], None]] = {}
    for name in dict.fromkeys(name for part in _PARTS for name in part):
        wraps = [part[name] for part in _PARTS if name in part]
        wanted[name] = partial(_wrap, recorder, wraps)
    found = ImportWatch(wanted)
    _watch.append(found)
    found.start()


def unwatch() -> None:
    """Take every wrapper off."""
    while _watch:
        _watch.pop().stop()
    _patches.undo()


def _wrap(
    recorder: Recorder,
    wraps: list[Callable[[Patches, Recorder, ModuleType], None]],
    module: ModuleType,
) -> None:
    for wrap in wraps:
        recorder.quietly(partial(wrap, _patches, recorder, module))
