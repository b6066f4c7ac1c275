"""Plans the files of a run in worker processes, with the limits of `check`: one file costs only itself.

All of a model's sites are rewritten, or none, over files too: plans are made again for what others say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration, migrate_source
from codemods.others.elsewhere import Elsewhere
from codemods.plan.options import EVERYTHING, Wishes
from codemods.plan.planned import Links, LoadKey, Unguarded
from lint_rules._engine.content import digest_of
from lint_rules._engine.each import Each, Unread
from lint_rules._engine.outcome import Known
from lint_rules._engine.pipeline import known_findings
from lint_rules._engine.worker import start_clock
from lint_rules._run.others import OtherFiles

# Each round holds loads back for what stays in other files; more than a few files deep nobody chains them.
_MOST_ROUNDS = 10
_SERVED = "{name} takes the model from here, and is not followed"

__all__ = ["Migration", "Planner", "Unread"]


class Planner:
    """Plans files, and plans one again for somebody who wants something else.

    Args:
        files: Those of the run; `check` reports what they are to each other.
        settings: What the run was told.
    """

    def __init__(self, files: Sequence[SourceFile], settings: Settings) -> None:
        self._files = files
        self._settings = settings
        self._seen: OtherFiles | None = None
        self._others: Elsewhere | None = None
        self._known: Mapping[str, Known] | None = None
        self._held: dict[LoadKey, str] = {}
        self._left: dict[LoadKey, str] = {}
        self._lacks_bos: set[LoadKey] = set()
        self._unguarded: set[Unguarded] = set()

    def plans(
        self, wishes: Wishes = EVERYTHING, progress: Callable[[int, int], None] | None = None
    ) -> list[Migration | Unread]:
        """The plan of each file, in their order; what cannot be planned says why.

        Args:
            wishes: What is to be rewritten.
            progress: Called with the number of files that are done, and of all.
        """
        if self._known is None:  # before processes are forked, which inherit it
            self._known = known_findings(self._files, self._settings)
        found = self._round(wishes, self._files, progress)
        plans = dict(zip((file.name for file in self._files), found, strict=True))
        for _ in range(_MOST_ROUNDS - 1):
            waiting = self._unsettled(plans)
            if not waiting:
                break
            found = self._round(wishes, waiting, None)
            plans |= zip((file.name for file in waiting), found, strict=True)
        return [plans[file.name] for file in self._files]

    def _round(
        self,
        wishes: Wishes,
        files: Sequence[SourceFile],
        progress: Callable[[int, int], None] | None,
    ) -> list[Migration | Unread]:
        with Each(partial(self._plan, wishes), "planning") as each:
            return each.run(files, progress)

    def _unsettled(self, plans: Mapping[str, Migration | Unread]) -> list[SourceFile]:
        """The files whose plans rest on loads that were not known to stay; one that changes nothing rests on none."""
        made = {name: plan for name, plan in plans.items() if isinstance(plan, Migration)}
        links = {name: plan.links for name, plan in made.items()}
        changed = {name for name, plan in made.items() if plan.changed}
        held = {key: why for one in links.values() for key, why in one.wants.items()}
        held = self._unattended(links) | held
        left = {key: why for one in links.values() for key, why in one.left.items()}
        stays = self._held.keys() | self._left.keys()  # for a reason of its own, which is told
        new_held = {key: why for key, why in held.items() if key not in stays}
        new_left = {key: why for key, why in left.items() if key not in self._left}
        lacking = {key for one in links.values() for key in one.lacks_bos} - self._lacks_bos
        unguarded = {load for one in links.values() for load in one.unguarded} - self._unguarded
        self._unguarded |= unguarded
        self._held |= new_held
        self._lacks_bos |= lacking
        self._left |= new_left
        touched = {path for path, _ in (*new_held, *lacking)}
        return [
            file
            for file in self._files
            if file.name in changed
            and (
                str(file.path.resolve()) in touched
                or not links[file.name].uses.isdisjoint(new_left)
                or any(one.may_go_with(name) for name in links[file.name].lone for one in unguarded)
            )
        ]

    def _unattended(self, links: Mapping[str, Links]) -> dict[LoadKey, str]:
        """The loads whose models go to files that do not look after them, with the reason."""
        used = {
            str(file.path.resolve()): links[file.name].uses
            for file in self._files
            if file.name in links
        }
        found = {
            key: why
            for one in links.values()
            for (key, path), why in one.relies.items()
            if key not in used.get(path, ())
        }
        for one in links.values():
            for key, paths in one.served.items():
                alone = sorted(path for path in paths if key not in used.get(path, ()))
                if alone:
                    found.setdefault(key, _SERVED.format(name=Path(alone[0]).name))
        return found

    def again(self, plan: Migration, wishes: Wishes) -> Migration:
        """A file's plan with other wishes; the one that is there where it cannot be made."""
        file = next(file for file in self._files if file.name == plan.filename)
        with Each(partial(self._plan, wishes), "planning", jobs=1) as each:
            (found,) = each.run([replace(file, content=plan.before)])
        return plan if isinstance(found, Unread) else found

    def _is_given(self, path: Path) -> bool:
        return self._others is not None and self._others.is_given(path)

    def _plan(self, wishes: Wishes, file: SourceFile) -> Migration:
        """What happens in a worker process, where the files of the run are known once."""
        if self._others is None:
            if len(self._files) > 1:
                self._seen = OtherFiles(self._files, self._settings, start_clock, self._is_given)
            self._others = Elsewhere(self._files, self._seen)
            self._others.held, self._others.left = self._held, self._left
            self._others.lacks_bos = self._lacks_bos
            self._others.unguarded = self._unguarded
        raw = file.read()
        known = (self._known or {}).get(file.name)
        fits = known is not None and known.digest == digest_of(raw, file.place)
        return migrate_source(
            file.name,
            raw,
            self._settings,
            wishes,
            self._others,
            seen=self._seen,
            path=file.path,
            known=known.findings if known is not None and fits else None,
        )
