"""Migrates a program, runs it both ways, and says what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cleanguard.errors import JobError
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration
from codemods.plan.options import Wishes
from codemods.planning import Planner as Run
from codemods.planning import Unread
from tests.differential.announced import amends_of
from tests.differential.comparing import Difference, compare
from tests.differential.grammar import Program
from tests.differential.running import Room, TooSlow, Trace


@dataclass(slots=True)
class Outcome:
    """What became of one program.

    Attributes:
        status: `same`, `different`, `untouched`, `fails` (the old program raises, and the new one the
            same), `refused` (its plan could not be proven), `slow`.
        difference: Where it is different.
        rewritten, left: Sites by code; those that are watched, not guarded, apart.
        calls: Calls of models that were compared.
        reasons: Why sites were left.
    """

    status: str
    difference: Difference | None = None
    rewritten: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    after: dict[str, str] = field(default_factory=dict)


Planner = Callable[[Room, Program], Mapping[str, Migration]]


def plans_of(room: Room, program: Program) -> dict[str, Migration]:
    """The migration of each file of a run, as they lie in one folder."""
    room.lay(program.files)
    files = [SourceFile(str(room.folder / name), room.folder / name) for name in program.files]
    found = Run(files, Settings()).plans(Wishes(unsafe=program.unsafe, watch=program.watch))
    failures = [f"{one.line}: {one.reason}" for one in found if isinstance(one, Unread)]
    if failures:
        raise JobError("; ".join(failures))
    plans = [one for one in found if isinstance(one, Migration)]
    return dict(zip(program.files, plans, strict=True))


def migrated(plans: Mapping[str, Migration]) -> dict[str, str]:
    """The files as they would be written."""
    return {name: plan.after.decode() for name, plan in plans.items()}


def attempt(room: Room, program: Program, planner: Planner = plans_of) -> Outcome:
    """Try one program."""
    try:
        plans = planner(room, program)
    except JobError as error:
        return Outcome("different", Difference("cannot be planned", str(error)))
    except Exception as error:  # noqa: BLE001 - a crash of the planner is what is looked for
        return Outcome(
            "different", Difference("planning crashes", f"{type(error).__name__}: {error}")
        )
    outcome = Outcome("untouched")
    for plan in plans.values():
        for site in plan.sites:
            if site.code == "CG501" and site.reason:
                continue
            where = outcome.rewritten if site.reason is None and plan.changed else outcome.left
            where[f"{site.code} watched" if site.watched else site.code] += 1
            if site.reason is not None:
                outcome.reasons[site.reason] += 1
    if any(plan.refusal for plan in plans.values()):
        outcome.status = "refused"
        outcome.reasons.update(plan.refusal for plan in plans.values() if plan.refusal)
    if not any(plan.changed for plan in plans.values()):
        return outcome
    outcome.after = migrated(plans)
    amends = amends_of(plans)
    try:
        old = room.run(program.files, "main.py", amends)
        new = room.run(outcome.after, "main.py")
    except TooSlow:
        outcome.status = "slow"
        return outcome
    outcome.calls = len(old.calls)
    outcome.difference = compare(old, new, amends)
    outcome.status = (
        "different" if outcome.difference else "fails" if old.error is not None else "same"
    )
    return outcome


def traces(room: Room, program: Program) -> tuple[Trace, Trace]:
    """Both runs, for who wants to look."""
    plans = plans_of(room, program)
    amends = amends_of(plans)
    return room.run(program.files, "main.py", amends), room.run(migrated(plans), "main.py")
