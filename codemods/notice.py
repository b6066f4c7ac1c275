"""The Methodology Change Notice: what a migration means for the numbers, for the reader of the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cleanguard.report.escaping import code_for_markdown, printable, unmarked
from codemods.migration import Migration, PlannedSite
from codemods.plan.sites import Note, NoteKind

_CHECKS = (
    "each rewritten file parses",
    "its findings are gone and no new one is there",
    "a second run changes nothing",
    "every statement outside the edits is the same, and so is every byte",
)
_TITLE = "# Methodology Change Notice"
_PLANNED = "planned, not written"
_BETWEEN = "\n---\n\n"
_LOADS = ("CG101", "CG102", "CG103", "CG104")


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a notice.

    Attributes:
        version: Of cleanguard.
        commit: The scripts' git commit before the migration, None where there is none.
        dirty: The tree had uncommitted changes.
        date: Day of the migration, ISO form.
        written: The scripts were rewritten, not only planned.
        proven: Scripts that were run before and after with recording stand-ins, with the verdict.
    """

    version: str
    commit: str | None
    dirty: bool
    date: str
    written: bool = True
    proven: tuple[tuple[str, str], ...] = ()


def notice(plans: Sequence[Migration], origin: Origin) -> str:
    """The notice as Markdown; scripts with nothing to rewrite and nothing left are not in it."""
    concerned = [plan for plan in plans if plan.sites or plan.also]
    lines = [
        _TITLE,
        "",
        f"{origin.date} · cleanguard {origin.version} · "
        + (f"scripts at commit `{origin.commit}`" if origin.commit else "scripts outside git")
        + (" with uncommitted changes" if origin.dirty else "")
        + f" · {'written' if origin.written else _PLANNED}",
        "",
        "Scripts that loaded and prompted base models by hand now do so through `CleanModelLoader`. "
        "This page says, script by script, what that changes in what the model is given and in how "
        "it answers, and whether earlier numbers can be compared with later ones. A watched place is "
        "the same call as before, with warnings.",
        "",
        "| script | rewritten | of them watched | left to a person | earlier numbers |",
        "|---|---:|---:|---:|---|",
    ]
    for plan in concerned:
        watched = sum(site.watched for site in plan.done)
        counts = f"{len(plan.done)} | {watched} | {len(plan.left)}"
        lines.append(f"| {code_for_markdown(plan.filename)} | {counts} | {_verdict(plan)} |")
    if not concerned:
        lines.append("| none | 0 | 0 | 0 | unchanged |")
    lines += ["", "Checks that ran:", "", *(f"- {check}" for check in _CHECKS)]
    lines += [
        f"- {code_for_markdown(name)} run before and after: {verdict}"
        for name, verdict in origin.proven
    ]
    for plan in concerned:
        lines += ["", f"## {code_for_markdown(plan.filename)}", "", *_script(plan)]
    return "\n".join(unmarked(printable(line)) for line in lines) + "\n"


def above(new: str, old: str) -> str:
    """A notice above those of earlier runs in one file; a plan that was not written goes.

    Args:
        new: The notice.
        old: What the file holds; anything but notices is not kept.
    """
    earlier = old.split(f"{_BETWEEN}{_TITLE}") if old.startswith(_TITLE) else []
    kept = [one if not number else f"{_TITLE}{one}" for number, one in enumerate(earlier)]
    kept = [one for one in kept if not one.split("\n", 3)[2].endswith(_PLANNED)]
    same = kept and kept[0].strip() == new.strip()
    return _BETWEEN.join([new, *kept[1 if same else 0 :]])


def changes(plan: Migration) -> tuple[Note, ...]:
    """What the migration of a file changes, each once."""
    return _notes(plan, "changed")


def _notes(plan: Migration, kind: NoteKind) -> tuple[Note, ...]:
    sites = () if plan.refusal else plan.automatic
    return tuple(dict.fromkeys(note for site in sites for note in site.notes if note.kind == kind))


def _verdict(plan: Migration) -> str:
    if plan.refusal:
        return "unchanged: nothing was rewritten"
    if not plan.automatic:
        return "unchanged: all is left to a person"
    if all(site.watched for site in plan.automatic):
        return "comparable: the same calls"
    found = [note for note in changes(plan) if note.unless is None]
    conditions = [note for note in changes(plan) if note.unless is not None]
    if found:
        return "not comparable text by text"
    if conditions:
        return "comparable, on the conditions below"
    return "comparable"


def _script(plan: Migration) -> list[str]:
    if plan.refusal:
        return [f"Not rewritten: {plan.refusal}."]
    lines: list[str] = []
    for title, codes in (("Loading", _LOADS), ("Prompts and generation", ())):
        sites = [site for site in plan.automatic if (site.code in _LOADS) == (codes == _LOADS)]
        if sites:
            lines += [f"**{title}**", ""]
            lines += [line for site in _distinct(sites) for line in _site(site)]
            lines.append("")
    if plan.left:
        lines += ["**Left to a person**", ""]
        lines += [f"- {_place(site)}, {site.code}: {site.reason}" for site in plan.left]
        lines.append("")
    found = changes(plan)
    lines.append(f"**Earlier numbers:** {_verdict(plan)}.")
    lines += [
        f"- {note.text}" + (f": comparable {note.unless}" if note.unless else "") for note in found
    ]
    faults = _notes(plan, "fault")
    if faults:
        lines += [
            "",
            "**Faults of the old script, kept so that its numbers stay what they were:**",
            "",
        ]
        lines += [f"- {note.text}" for note in faults]
    return lines


def _site(site: PlannedSite) -> list[str]:
    said = [f"    - {note.kind}: {note.text}" for note in site.notes]
    return [f"- {_place(site)}, {site.code}: {site.summary}", *said]


def _place(site: PlannedSite) -> str:
    place = site.place
    return f"line {site.row}" if place is None else f"cell {place.cell}, line {place.row}"


def _distinct(sites: Sequence[PlannedSite]) -> list[PlannedSite]:
    return list(dict.fromkeys(sites))
