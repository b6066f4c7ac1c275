"""What a migration plans: sites with their edits and what each one keeps, drops or changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import libcst as cst

from codemods.plan.edits import Edit

NoteKind = Literal["carried", "dropped", "changed", "fault"]
Beyond = Literal["always", "seeded", "unnamed", "apart"]
Amendment = Literal["bos", "one bos", "uncut", "length"]


@dataclass(frozen=True, slots=True)
class Note:
    """What became of one thing that the old code said.

    Attributes:
        kind: Carried as it was, dropped because it has no effect on results, changed, or a fault of
            the old code that is kept and pointed out.
        text: The thing and the reason, in one sentence.
        unless: For a change: the condition under which results stay the same, as in "where no
            prompt was cut"; None where they do not.
        beyond: For a change: when it is another one than those that the guard is for, so that a script
            that can be watched is watched: always, where the script sets a seed, where only the
            run names the model, or where its files may lie apart from a tokenizer's, in a folder.
        amends: For a change: how a run of the old script is amended to show it; None where none can be.
    """

    kind: NoteKind
    text: str
    unless: str | None = None
    beyond: Beyond | None = None
    amends: Amendment | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One place that a hazard marks: rewritten, or left to a person with the reason.

    Attributes:
        code: The hazard that marks it.
        node: The node that the lint finding is at.
        summary: What the rewrite does, or would do.
        edits: Empty for a site that is left to a person, and for one that another site's edits cover.
        notes: What happens to keywords and settings.
        reason: Why it is left to a person; None for a rewritten site.
    """

    code: str
    node: cst.CSTNode
    summary: str
    edits: tuple[Edit, ...] = ()
    notes: tuple[Note, ...] = ()
    reason: str | None = None

    @property
    def automatic(self) -> bool:
        """Whether the site is rewritten."""
        return self.reason is None


class CannotRewrite(Exception):  # noqa: N818 - an answer, not an error
    """This site is left to a person; the message is the reason."""
