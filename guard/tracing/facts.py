"""A hazard that was seen, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cleanguard.catalogue.hazards import Hazard, Severity
from guard.observing.events import Event, Site


@dataclass(frozen=True, slots=True)
class Fact:
    """A hazard at a place of the person's code.

    Attributes:
        hazard: The catalogue's entry.
        severity: An error, or a warning where the model only may be a base model.
        site: Where to look.
        message: What happened, in one sentence.
        related: Other places that take part: callers, the call that used the prompt.
        evidence: Ids, decoded text, settings, in JSON types.
        remedy: What to do, where the catalogue's remedy does not fit.
    """

    hazard: Hazard
    severity: Severity
    site: Site
    message: str
    related: tuple[Site, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    remedy: str | None = None

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Facts with the same key are one finding."""
        return (self.hazard.code, self.site.filename, self.site.line, self.site.column)


def places(*events: Event | None) -> tuple[Site, ...]:
    """The sites and callers of events, without repetition."""
    found: list[Site] = []
    for event in events:
        # A place is one object (`frames` keeps them), so nothing is called to compare two.
        for site in (event.site, *event.callers) if event is not None else ():
            for known in found:
                if known is site:
                    break
            else:
                found += (site,)
    return tuple(found)
