"""The places beside metrics.jsonl that metrics go to, looked at before a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.catalogue.selection import did_you_mean
from cleanguard.errors import JobError


def check_reporters(names: Sequence[str]) -> None:
    """Raise JobError for a place that transformers does not know, or whose package is not there."""
    if not names:
        return
    from transformers.integrations import integration_utils

    known = integration_utils.INTEGRATION_TO_CALLBACK
    for name in names:
        if name == "none" and len(names) == 1:
            return
        if name not in known:
            raise JobError(
                f"train.report_to: {name!r} is not one of {', '.join(sorted(known))}"
                f"{did_you_mean(name, known)}"
            )
        try:
            known[name]()
        except (RuntimeError, ImportError) as error:
            raise JobError(f"train.report_to: {name} cannot be used: {error}") from None
