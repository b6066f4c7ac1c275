"""The stages that `cleanguard run` knows; importing this loads none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cleanguard.errors import JobError
from cleanguard.installing import install


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage.

    Attributes:
        name: As on the command line.
        summary: One sentence for `cleanguard run --help`.
        module: Has `CONFIG` (a dataclass), `PRESETS` (settings by dotted key for each name) and
            `run(config) -> Outcome`, and imports nothing heavy at its top.
        extra: The extras of cleanguard that it needs, separated by commas; all that it may use.
        needs: The packages that it imports, looked for before it starts.
    """

    name: str
    summary: str
    module: str
    extra: str
    needs: tuple[str, ...]

    @property
    def config(self) -> type:
        """Its configuration's dataclass."""
        found: type = import_module(self.module).CONFIG
        return found

    @property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        """Settings by dotted key, for each preset."""
        found: Mapping[str, Mapping[str, Any]] = import_module(self.module).PRESETS
        return found

    @property
    def run(self) -> Callable[[Any], Outcome]:
        """Carries it out."""
        found: Callable[[Any], Outcome] = import_module(self.module).run
        return found

    def require(self) -> None:
        """Raise JobError if a package that it needs is not installed."""
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise JobError(
                f"{self.name} needs {', '.join(missing)}: {install(*self.extra.split(','))}"
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage has to say at its end.

    Attributes:
        lines: For the person who ran it.
        passed: False if it is a check that failed; the command's exit code is 1 then.
    """

    lines: tuple[str, ...]
    passed: bool = True


_GUARD = ("torch", "transformers", "safetensors")
_TRAIN = (*_GUARD, "trl", "peft", "datasets", "accelerate")

STAGES: tuple[Stage, ...] = (
    Stage(
        "generate",
        "Make fine-tuning data with a base model's own completions.",
        "stages.generate", "guard", _GUARD,
    ),
    Stage(
        "sft",
        "Fine-tune a LoRA adapter on what generate wrote.",
        "stages.sft", "train", _TRAIN,
    ),
    Stage(
        "preferences",
        "Sample answers, judge them, and pair better with worse ones.",
        "stages.preferences", "train", (*_GUARD, "peft"),
    ),
    Stage(
        "dpo",
        "Train the adapter to prefer the better answer of each pair.",
        "stages.dpo", "train", _TRAIN,
    ),
    Stage(
        "evaluate",
        "Compare a base and its adapters on a suite, paired, with intervals and a report.",
        "stages.evaluate", "train,stats", (*_GUARD, "scipy", "matplotlib", "jinja2"),
    ),
    Stage(
        "differentiate",
        "Tell a base and its adapters apart at several temperatures, sampled, paired and clustered.",
        "stages.differentiate", "train,stats", (*_GUARD, "peft", "scipy", "matplotlib", "jinja2"),
    ),
    Stage(
        "audit",
        "Tell whether a base model is clean: sentinels, formats and behaviour, with figures.",
        "stages.audit", "guard,stats", (*_GUARD, "scipy"),
    ),
    Stage(
        "equivalence",
        "Put the same prompts through the old code's path and the guarded one, and compare the tokens.",
        "stages.equivalence", "guard,stats", (*_GUARD, "scipy"),
    ),
    Stage(
        "chain",
        "Everything in order: data, fine-tuning, pairs, preference training, evaluation.",
        "stages.chain", "all", (*_TRAIN, "scipy", "matplotlib", "jinja2"),
    ),
)  # fmt: skip
BY_NAME = {stage.name: stage for stage in STAGES}
