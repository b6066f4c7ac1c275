"""What the guard raises: a class per hazard of the catalogue, with evidence and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from cleanguard.catalogue import hazards
from cleanguard.catalogue.hazards import Hazard

_NOTHING: Mapping[str, object] = MappingProxyType({})
_NOTHING_FINISHED: Mapping[int, object] = MappingProxyType({})


class GuardError(Exception):
    """Something that would have ruined a result, or kept it from being produced.

    Where transformers or torch raise in the same case, the class is one of theirs as well (`OSError` for a model that
    is not there, `ValueError` for settings, `RuntimeError` for full memory and empty prompts,
    `IndexError` for unknown ids), so that what caught theirs catches these.

    Attributes:
        hazard: The catalogue entry; None where nothing is wrong with the method (a missing file).
        evidence: What was measured: ids, decoded text, positions, file names. JSON types only.
        remedy: What to do; the hazard's own remedy if the raiser knows none better.
    """

    hazard: ClassVar[Hazard | None] = None

    def __init__(
        self,
        message: str,
        *,
        evidence: Mapping[str, object] | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.evidence = dict(evidence or _NOTHING)
        self.remedy = remedy or (self.hazard.remedy if self.hazard else "")

    @property
    def code(self) -> str | None:
        """The hazard's code, such as `CG204`."""
        return self.hazard.code if self.hazard else None

    def __str__(self) -> str:
        head = f"{self.hazard.code} {self.hazard.name}: " if self.hazard else ""
        tail = f"\n  remedy: {self.remedy}" if self.remedy else ""
        return f"{head}{self.args[0]}{tail}"


class MissingExtraError(GuardError, ImportError):
    """A package that this call needs is not installed."""


class ModelNotFoundError(GuardError, OSError):
    """The model id is no directory, and no repository that can be reached or is in the cache."""


class AdapterNotFoundError(ModelNotFoundError, ValueError):
    """No adapter lies where one was named, or its config cannot be read; PEFT raises a ValueError then."""


class MissingWeightsError(GuardError, OSError):
    """The directory or repository holds no weights that can be loaded."""


class ModelTooLargeError(GuardError):
    """The memory does not suffice for the model."""


class BrokenModelError(GuardError):
    """The model cannot compute: its forward pass fails, or its scores are no numbers."""


class BrokenLookupError(BrokenModelError, IndexError):
    """A forward pass fails with an IndexError: an id or a position that a table of the model has not."""


class BrokenPassError(BrokenModelError, RuntimeError):
    """A forward pass fails with a RuntimeError of torch's."""


class BrokenValueError(BrokenModelError, ValueError):
    """A forward pass fails with a ValueError."""


class BrokenScoresError(BrokenModelError):
    """CG305: the model's scores are no numbers: weights that hold NaN, or an overflow."""

    hazard = hazards.BROKEN_SCORES


class EngineStartError(GuardError):
    """An engine that generates in the place of transformers could not start, or ended."""


class SettingsError(GuardError, ValueError):
    """Settings that contradict each other or say too little."""


class EmptyPromptError(SettingsError, RuntimeError):
    """A prompt without a single id; torch raises a RuntimeError for it, of a shape or of a type."""


class UnknownIdsError(SettingsError, IndexError):
    """Ids that the model has no row for; torch raises an IndexError for them."""


class RecordsError(GuardError):
    """A file of records that cannot be written, or not be written on."""


class RecordsBusyError(RecordsError):
    """Another run has the file of records open."""


class SigningError(GuardError):
    """A statement that cannot be signed, or a key that cannot be used."""


class MemoryFullError(GuardError, RuntimeError):
    """Memory is full with one prompt alone.

    Attributes:
        finished: The completions of every prompt that was finished, by its number.
    """

    def __init__(
        self,
        message: str,
        finished: Mapping[int, object] = _NOTHING_FINISHED,
        *,
        evidence: Mapping[str, object] | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, evidence=evidence, remedy=remedy)
        self.finished = dict(finished)


class GenerationInterrupted(KeyboardInterrupt):
    """Ctrl-C while a batch was generated; nothing that was finished is lost.

    Attributes:
        finished: The completions of every prompt that was finished, by its number.
    """

    def __init__(self, finished: Mapping[int, object], prompts: int) -> None:
        super().__init__(f"interrupted with {len(finished)} of {prompts} prompts finished")
        self.finished = dict(finished)


class UnguardedModelError(GuardError):
    """The model or tokenizer did not come from CleanModelLoader."""


class TokenizerMismatchError(GuardError):
    """The tokenizer is not the one that the model was loaded with."""


class RemoteCodeError(GuardError):
    """Code from the model repository would run without being pinned."""

    hazard = hazards.REMOTE_CODE


class PickleWeightsError(GuardError):
    """Only pickled weights were found."""

    hazard = hazards.PICKLE_WEIGHTS


class ChatModelError(GuardError):
    """A chat-tuned checkpoint was asked for as a base model."""

    hazard = hazards.CHAT_MODEL_AS_BASE


class AdapterAsBaseError(GuardError):
    """An adapter lies in the model's directory and would be attached silently."""

    hazard = hazards.ADAPTER_AS_BASE


class AdapterMismatch(GuardError, ValueError):  # noqa: N818 - it names what was found
    """An adapter that does not fit its base, in whole or in part."""

    hazard = hazards.ADAPTER_AS_BASE


class MissingBosError(GuardError):
    """A prompt for a family that needs BOS begins without it."""

    hazard = hazards.STRAY_NO_SPECIAL_TOKENS


class DoubledBosError(GuardError):
    """A prompt holds more than the one BOS of its family."""

    hazard = hazards.DOUBLE_BOS


class TemplateOnBaseError(GuardError):
    """A chat template was about to be applied with a base model's tokenizer."""

    hazard = hazards.TEMPLATE_ON_BASE


class ContaminationError(GuardError):
    """A prompt holds a chat control token, or text that the model's chat template inserts."""

    hazard = hazards.CONTROL_TOKEN_LITERAL


class PaddingError(GuardError):
    """A batch is padded where the model reads padding as text."""

    hazard = hazards.RIGHT_PADDING_GENERATION


class TruncatedPromptError(GuardError, ValueError, IndexError):
    """A prompt does not fit and would have been cut, or read past the trained positions.

    Models with a table of positions raise an IndexError for it, `max_length` a ValueError.
    """

    hazard = hazards.SILENT_TRUNCATION


class LoaderCallError(GuardError, TypeError):
    """A keyword that CleanModelLoader or one of its methods does not take."""

    hazard = hazards.LOADER_CALL_MISMATCH


class GuardWarning(UserWarning):
    """Something a careful reader of the results should know; also recorded as an event."""
