"""What a script changes and leaves behind: templates that are set on tokenizers, files that are written."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from guard.observing.calls import template_digest
from guard.observing.events import Change, Write
from guard.observing.patching import Patches
from guard.observing.recorder import Recorder

_TEMPLATES = ("chat_template", "default_chat_template")
# A log says what is done, and caches are these libraries' own; neither is a record of a result.
_OWN_FILES = frozenset(
    {"logging", "transformers", "huggingface_hub", "torch", "accelerate", "peft"}
)
# What is written in the course of these is the library's own file.
_BY_LIBRARIES = ("load", "save", "save-model", "tokenizer", "write")


def _sets(recorder: Recorder) -> Callable[..., Any]:
    def make(plain: Callable[..., Any]) -> Callable[..., Any]:
        def setting(self: Any, key: str, value: Any) -> None:
            if key not in _TEMPLATES or not recorder.once("load"):
                plain(self, key, value)
                return
            before = self.__dict__.get(key)
            plain(self, key, value)
            recorder.quietly(partial(_changed, recorder, self, key, before, value))

        return setting

    return make


def _changed(recorder: Recorder, tokenizer: Any, key: str, before: Any, after: Any) -> None:
    start = recorder.begin()
    if not start.site.own or start.guarded or _is_made(sys._getframe(3)):
        return
    recorder.emit(
        Change(
            **start.common(),
            subject=recorder.subject(tokenizer),
            attribute=key,
            before=template_digest(before),
            after=template_digest(after),
        )
    )


def _is_made(frame: Any) -> bool:
    """Whether a tokenizer's constructor is what sets the attribute."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("transformers."):
        if frame.f_code.co_name in ("__init__", "__deepcopy__", "__setstate__"):
            return True
        frame = frame.f_back
    return False


class _Opening:
    """Hears of files that are opened from an audit hook: `open` stays the interpreter's own.

    A hook cannot be taken away, so there is one for a process, which does nothing while nobody watches.
    """

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._is_installed = False

    def start(self, recorder: Recorder) -> None:
        self._recorder = recorder
        if not self._is_installed:
            self._is_installed = True
            sys.addaudithook(self._hear)

    def stop(self) -> None:
        self._recorder = None

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        # Nothing may be raised here: it would take the place of what was asked for.
        if event != "open" or (recorder := self._recorder) is None or len(args) < 2:
            return
        file, mode = args[:2]
        if isinstance(mode, str) and mode[:1] in ("w", "a", "x") and not isinstance(file, int):
            caller = str(sys._getframe(1).f_globals.get("__name__", ""))
            if caller.partition(".")[0] not in _OWN_FILES:
                recorder.quietly(partial(_opened, recorder, file, mode))


_opening = _Opening()


def _opened(recorder: Recorder, file: Any, mode: str) -> None:
    if not all(map(recorder.once, _BY_LIBRARIES)) or recorder.here.generation is not None:
        return
    path = os.path.abspath(os.fsdecode(file))  # noqa: PTH100 - as the script would find it
    if path.startswith("/dev/") or not _can_be_opened(path, mode):
        return
    start = recorder.begin()
    if start.site.own:
        recorder.emit(Write(**start.common(), file=path, guarded=start.guarded))


def _can_be_opened(path: str, mode: str) -> bool:
    """Whether opening a file to write it will succeed: the hook hears of it before it is done."""
    try:
        found = os.stat(path).st_mode  # noqa: PTH116 - bytes that are no UTF-8 as well
    except FileNotFoundError:
        return os.access(os.path.dirname(path), os.W_OK)  # noqa: PTH120
    return "x" not in mode and not stat.S_ISDIR(found) and os.access(path, os.W_OK)


def _tokenizers(patches: Patches, recorder: Recorder, module: ModuleType) -> None:
    patches.wrap(module.PreTrainedTokenizerBase, "__setattr__", _sets(recorder))


def _files(patches: Patches, recorder: Recorder, _module: ModuleType) -> None:
    _opening.start(recorder)
    patches.at_undo(_opening.stop)


MODULES: dict[str, Callable[[Patches, Recorder, ModuleType], None]] = {
    "transformers.tokenization_utils_base": _tokenizers,
    "io": _files,
}
