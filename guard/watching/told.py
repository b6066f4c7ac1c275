"""What is told of a watched model: each hazard once, as a warning and in a list that can be recorded."""

from __future__ import annotations

import re
import secrets
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from cleanguard.catalogue import hazards
from cleanguard.catalogue.hazards import Hazard
from cleanguard.report.spoken import say
from guard.errors import GuardError, GuardWarning
from guard.prompts.policy import PromptPolicy

# Whose code runs within a watch; what is raised in any other is a script's own, as by the handler of an alarm.
_OURS = frozenset(
    [
        "guard",
        "cleanguard",
        "torch",
        "transformers",
        "tokenizers",
        "huggingface_hub",
        "safetensors",
        "sentencepiece",
        "tiktoken",
        "google",
        "peft",
        "accelerate",
        "numpy",
        "jinja2",
    ]
)


@dataclass(frozen=True, slots=True)
class Told:
    """What was met while a watched model was loaded or ran.

    Attributes:
        code: The hazard's code, such as `CG202`; None where nothing of the catalogue was met, such as ids that
            cannot be judged.
        message: What was seen, in words.
    """

    code: str | None
    message: str


@dataclass(slots=True)
class WatchState:
    """What is known of a watched model.

    Attributes:
        name: As the script named it.
        policy: The rules for its prompts.
        key: Names this state; see `guard.enforcing.passing`.
        told: What was told, in order.
        brought: The settings that the model's files said; a script may set others since.
    """

    name: str
    policy: PromptPolicy
    brought: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    told: list[Told] = field(default_factory=list)

    def note(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """What a guarded model records as an event: no hazard by itself."""

    def note_once(self, kind: str, hazard: Hazard | None = None, **detail: Any) -> None:
        """As `note`."""

    def tell(self, code: str | None, message: str) -> None:
        """Warn, once for each hazard of a model; of padding once for each way in which it is wrong."""
        padding = code == hazards.RIGHT_PADDING_GENERATION.code
        if any(
            one.code == code and not (padding and _bare(one.message) != _bare(message))
            for one in self.told
        ):
            return
        self.told.append(Told(code, message))
        warn(code, f"{self.name}: {message}")


def warn(code: str | None, message: str) -> None:
    """Warn of a hazard; the call goes on."""
    said = f"{code} {message}" if code else message
    try:
        warnings.warn(said, GuardWarning, stacklevel=_level())
    except GuardWarning:  # warnings are errors here, and a watched call goes on
        say(f"GuardWarning: {said}", err=True)


def _bare(message: str) -> str:
    return re.sub(r"\d+", "", message)


def _level() -> int:
    """How far above `warn` the script's own line is; the outermost frame where there is none."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and _is_ours(frame):
        frame, level = frame.f_back, level + 1
    return level


def _is_ours(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    root = name.partition(".")[0]
    return name != "__main__" and (root in _OURS or root in sys.stdlib_module_names)


@contextmanager
def telling(state: WatchState) -> Iterator[None]:
    """Tell what the block would refuse; what it cannot judge passes."""
    try:
        yield
    except GuardError as error:
        state.tell(error.code, str(error.args[0]))
    except Exception as error:
        if is_the_scripts(error):
            raise
        state.tell(None, f"what came in could not be judged ({type(error).__name__})")


def is_the_scripts(error: BaseException) -> bool:
    """Whether an error was raised by code of neither the guard's nor a library's that it calls, nor Python's own."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and not _is_ours(place.tb_frame)
