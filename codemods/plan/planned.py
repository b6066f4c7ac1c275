"""The plan for one file, as it is reported and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codemods.plan.sites import Note


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """A site as it is reported: without syntax nodes.

    Attributes:
        code: The hazard.
        row: 1-based line of the old file; of the new one where only guarded output can have it.
        summary: What the rewrite does, or would do.
        notes: What was carried, dropped or changed.
        reason: Why it is left to a person, None for a rewritten site.
    """

    code: str
    row: int
    summary: str
    notes: tuple[Note, ...]
    reason: str | None


# A load: its file, and its number among the calls of the file.
LoadKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Links:
    """What a plan says about the loads of other files of the run, and to them.

    Attributes:
        left: Loads of this file that stay, with the reason.
        uses: Loads of other files that this one uses.
        wants: Those of them that must stay for its sake, with the reason.
    """

    left: Mapping[LoadKey, str]
    uses: frozenset[LoadKey] = frozenset()
    wants: Mapping[LoadKey, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Migration:
    """The plan for one file.

    Attributes:
        filename: The path as it was given.
        before: The file's bytes.
        after: Its bytes when migrated; equal to `before` where nothing is rewritten.
        sites: In the order of the file.
        refusal: Why nothing is written although there was something to rewrite, None otherwise.
        links: What it means for the other files of the run.
    """

    filename: str
    before: bytes
    after: bytes
    sites: tuple[PlannedSite, ...]
    refusal: str | None = None
    links: Links = field(default=Links({}), compare=False)

    @property
    def changed(self) -> bool:
        """Whether the file would be written."""
        return self.after != self.before

    @property
    def automatic(self) -> tuple[PlannedSite, ...]:
        """The rewritten sites."""
        return tuple(site for site in self.sites if site.reason is None)

    @property
    def manual(self) -> tuple[PlannedSite, ...]:
        """The sites left to a person."""
        return tuple(site for site in self.sites if site.reason is not None)
