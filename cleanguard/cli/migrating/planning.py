"""Plans the files of a run together: all of a model's sites are rewritten, or none, over files too."""

from __future__ import annotations

from collections.abc import Sequence

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration, migrate_source
from codemods.plan.options import Wishes
from codemods.script.elsewhere import Elsewhere
from lint_rules._run.source import SourceError

# Each round holds loads back for what stays in other files; more than a few files deep nobody chains them.
_MOST_ROUNDS = 10


def plan_files(
    files: Sequence[SourceFile], settings: Settings, wishes: Wishes
) -> tuple[list[Migration], list[str], Elsewhere]:
    """The plan of each file, what kept files from being planned, and what is known of the run.

    A file that cannot be planned costs no other.
    """
    others = Elsewhere(files, settings)
    plans: dict[str, Migration] = {}
    failures: dict[str, str] = {}
    waiting = list(files)
    for _ in range(_MOST_ROUNDS):
        for file in waiting:
            failures.pop(file.name, None)
            plans.pop(file.name, None)
            try:
                plans[file.name] = migrate_source(
                    file.name, file.path.read_bytes(), settings, wishes, others
                )
            except RecursionError:
                failures[file.name] = f"{file.name}: nested too deeply to be read"
            except SourceError as error:
                place = f"{file.name}:{error.position.row}"
                failures[file.name] = f"{place}: {error} (CG900); mend it and run again"
            except OSError as error:
                failures[file.name] = f"{file.name}: {error.strerror or error}"
            except Exception as error:  # noqa: BLE001 - our own fault in one file costs no other
                cause = f"{type(error).__name__}: {error}"
                failures[file.name] = f"{file.name}: planning crashed ({cause}); please report it"
        waiting = _again(files, plans, others)
        if not waiting:
            break
    told = [f"{failures[f.name]}; it was left as it is" for f in files if f.name in failures]
    return [plans[file.name] for file in files if file.name in plans], told, others


def _again(
    files: Sequence[SourceFile], plans: dict[str, Migration], others: Elsewhere
) -> list[SourceFile]:
    """The files whose plans rest on loads that were not known to stay."""
    held = {key: why for plan in plans.values() for key, why in plan.links.wants.items()}
    left = {key: why for plan in plans.values() for key, why in plan.links.left.items()}
    new_held = {key: why for key, why in held.items() if key not in others.held}
    new_left = {key: why for key, why in left.items() if key not in others.left}
    others.held |= new_held
    others.left |= new_left
    touched = {path for path, _ in new_held}
    return [
        file
        for file in files
        if file.name in plans
        and (
            str(file.path.resolve()) in touched
            or not plans[file.name].links.uses.isdisjoint(new_left)
        )
    ]
