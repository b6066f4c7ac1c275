"""What training refuses, each with what was measured."""

from __future__ import annotations

from cleanguard.catalogue import hazards
from guard.errors import GuardError


class TrainTestOverlapError(GuardError):
    """Training data and evaluation items share a key or a text."""

    hazard = hazards.TRAIN_TEST_OVERLAP


class DroppedProvenanceError(GuardError):
    """Training data does not say where it came from, or was changed since."""

    hazard = hazards.DROPPED_PROVENANCE


class MaskedEosError(GuardError):
    """A row carries no loss on its EOS, or carries loss on its prompt."""

    hazard = hazards.EOS_MASKED


class TooLongError(GuardError):
    """Rows do not fit and would have been cut."""

    hazard = hazards.SILENT_TRUNCATION


class DeadGradientError(GuardError):
    """Adapter weights get no gradient, so training would change nothing."""


class WrongReferenceError(GuardError):
    """The reference of preference training is not the model that training begins with."""
