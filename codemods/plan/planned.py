"""The plan for one file, as it is reported and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cleanguard.catalogue.findings import Position
from codemods.plan.sites import Note
from lint_rules._run.notebook import plain_bytes


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """A site as it is reported: without syntax nodes.

    Attributes:
        code: The hazard.
        row: 1-based line of the old file; of the new one where only guarded output can have it.
        summary: What the rewrite does, or would do.
        notes: What was carried, dropped or changed.
        reason: Why it is left to a person, None for a rewritten site.
        place: Cell and line in a notebook, None elsewhere.
        watched: It runs as it did, and its hazards are told: it is not guarded.
    """

    code: str
    row: int
    summary: str
    notes: tuple[Note, ...]
    reason: str | None
    place: Position | None = None
    watched: bool = False

    @property
    def line(self) -> str:
        """Where it is, for people: `12`, in a notebook `cell 3:2`."""
        return str(self.row) if self.place is None else f"cell {self.place.cell}:{self.place.row}"


_WATCHED = re.compile(rb"\bCleanModelLoader\.(load|generate|pipeline)_watched\(")


# A load: its file, and its number among the calls of the file.
LoadKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Unguarded:
    """A model load that the loader does not take over.

    Attributes:
        file: The name of its file.
        line: 1-based.
        name: The model's; None where the program decides it at run time.
    """

    file: str
    line: int
    name: str | None

    def may_go_with(self, tokenizer: str | None) -> bool:
        """Whether a tokenizer of a name, None for any, may be the model's."""
        return tokenizer is None or self.name is None or tokenizer == self.name


@dataclass(frozen=True, slots=True)
class Links:
    """What a plan says about the loads of other files of the run, and to them.

    Attributes:
        left: Loads of this file that stay, with the reason.
        uses: Loads of other files that this one uses.
        wants: Those of them that must stay for its sake, with the reason.
        lacks_bos: Those of them whose models score rows here that may not begin with BOS.
        relies: Loads of which other files are to look after what they do with the model, with those files,
            and why the loads stay if one does not.
        unguarded: The model loads of this file that are not guarded.
        served: Loads in functions that other files call, with those files: they are to follow the model.
        lone: The names of the tokenizers that are rewritten here without a model, None for one named at run time.
    """

    left: Mapping[LoadKey, str]
    uses: frozenset[LoadKey] = frozenset()
    wants: Mapping[LoadKey, str] = field(default_factory=dict)
    lacks_bos: frozenset[LoadKey] = frozenset()
    relies: Mapping[tuple[LoadKey, str], str] = field(default_factory=dict)
    unguarded: frozenset[Unguarded] = frozenset()
    lone: frozenset[str | None] = frozenset()
    served: Mapping[LoadKey, frozenset[str]] = field(default_factory=dict)

    def with_cells(self, other: Links) -> Links:
        """The links of a notebook, with those of some of its cells: which files load a model that is not guarded."""
        unguarded, lone = self.unguarded | other.unguarded, self.lone | other.lone
        return replace(self, unguarded=unguarded, lone=lone)


@dataclass(frozen=True, slots=True)
class Migration:
    """The plan for one file.

    Attributes:
        filename: The path as it was given.
        before: The file's bytes.
        after: Its bytes when migrated; equal to `before` where nothing is rewritten.
        sites: In the order of the file.
        refusal: Why nothing is written although there was something to rewrite, None otherwise.
        also: What `check` reports of the result and no rewrite is for.
        found: How many findings `check` reports now.
        unread: Cells of a notebook that are no Python and were left as they are: where, and why.
        links: What it means for the other files of the run.
    """

    filename: str
    before: bytes
    after: bytes
    sites: tuple[PlannedSite, ...]
    refusal: str | None = None
    also: tuple[PlannedSite, ...] = ()
    found: int = 0
    unread: tuple[str, ...] = ()
    links: Links = field(default=Links({}), compare=False)

    @property
    def changed(self) -> bool:
        """Whether the file would be written."""
        return self.after != self.before

    @property
    def guarded(self) -> bool:
        """Whether the file uses the loader already."""
        return b"CleanModelLoader" in plain_bytes(self.filename, self.before)

    @property
    def already_watched(self) -> int:
        """How many loads and generations are watched already."""
        return len(_WATCHED.findall(plain_bytes(self.filename, self.before)))

    @property
    def automatic(self) -> tuple[PlannedSite, ...]:
        """The rewritten sites."""
        return tuple(site for site in self.sites if site.reason is None)

    @property
    def manual(self) -> tuple[PlannedSite, ...]:
        """The sites left to a person."""
        return tuple(site for site in self.sites if site.reason is not None)

    @property
    def left_alone(self) -> tuple[PlannedSite, ...]:
        """All sites, none of which is rewritten, with the reason for which the file is refused."""
        reason = self.refusal
        return tuple(replace(site, notes=(), reason=site.reason or reason) for site in self.sites)

    @property
    def done(self) -> tuple[PlannedSite, ...]:
        """What is, or would be, rewritten: nothing of a file that is refused."""
        return () if self.refusal else tuple(dict.fromkeys(self.automatic))

    @property
    def left(self) -> tuple[PlannedSite, ...]:
        """What is left to a person: all that `check` reports of the result."""
        sites = self.sites if self.refusal else self.manual
        return tuple(dict.fromkeys((*sites, *self.also)))
