"""The checks of one load with their verdicts, as provenance keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cleanguard.catalogue.hazards import Hazard

Verdict = Literal["pass", "recorded", "overridden", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check that ran to its end; a failed one raised instead.

    Attributes:
        name: What was checked, in kebab-case.
        verdict: `pass`; `recorded`: something was found that does not stop a load; `overridden`:
            found, and the caller allowed it; `skipped`: it could not run here.
        code: The hazard it looks for.
        detail: What was found, in words; empty for a plain pass.
    """

    name: str
    verdict: Verdict
    code: str | None = None
    detail: str = ""


class CheckList:
    """Collects checks in the order in which they ran."""

    def __init__(self) -> None:
        self._done: list[Check] = []

    def add(
        self, name: str, hazard: Hazard | None = None, detail: str = "", verdict: Verdict = "pass"
    ) -> None:
        """Note a check that ran."""
        self._done.append(Check(name, verdict, hazard.code if hazard else None, detail))

    def done(self) -> tuple[Check, ...]:
        """The checks so far."""
        return tuple(self._done)
