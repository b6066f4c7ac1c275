"""`--prove`: runs a script before and after with recording stand-ins for the models, and compares.

The script's own code runs, in a subprocess, in a copy of the folder that it is started from. Loads,
generations and scoring are recorded instead of done: the tokens that a prompt becomes, and the
settings that reach the model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cleanguard.report.counting import counted
from codemods.plan.planned import PlannedSite
from codemods.proof.amends import Announced, announced
from codemods.proof.scratch import ScratchError
from codemods.proof.telling import differences
from codemods.proof.trial import Run, Trial
from codemods.proof.walked import unwalked
from lint_rules._run.source import SourceError, decode

_CHANGES = "asks something else at each run: the two versions cannot be compared"
_NOTHING = "the script asked nothing of a model, so there is nothing to compare"


@dataclass(frozen=True, slots=True)
class Proof:
    """What the runs of a script showed.

    Attributes:
        verdict: In words.
        differences: What was not the same, each in words, or why nothing could be compared; empty for a proof.
        calls: Calls that were compared.
        unwalked: 1-based lines of rewritten statements of the old version that the run did not reach.
        stood_in: The models whose tokenizer's files are not at hand, so that a stand-in gave the ids.
        announced: What was other, and as the plan had said; each in words.
        anew: The script starts Python anew, of which nothing is seen: lines may have run there.
    """

    verdict: str
    differences: tuple[str, ...]
    calls: int
    unwalked: tuple[int, ...] = ()
    stood_in: tuple[str, ...] = ()
    announced: tuple[str, ...] = ()
    anew: bool = False

    @property
    def told(self) -> str:
        """The verdict, with what the runs do not prove."""
        said = "".join(f"; changed {text}" for text in self.announced)
        return f"{self.verdict}{said}{_limits(self.unwalked, self.stood_in, self.anew)}"


def compare_runs(
    script: Path,
    before: bytes,
    after: bytes,
    arguments: tuple[str, ...] = (),
    folder: Path | None = None,
    sites: Iterable[PlannedSite] = (),
) -> Proof:
    """Runs two versions of a script and compares what they ask of their models.

    Each runs in a copy of `folder`, so that no result of an earlier run is written over. Where they differ, the old
    one runs again as `sites` announce it, and once more as it is.

    Args:
        script: Where the script lies.
        before: The old version.
        after: The new version.
        arguments: The script's command line.
        folder: Where it is started from; the script's own folder if None, or if it lies elsewhere.
        sites: What the plan says of its changes.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="cg-prove-", ignore_cleanup_errors=True) as space:
            trial = Trial(script, arguments, folder, Path(space))
            return _compared(trial, before, after, sites)
    except ScratchError as error:
        return _unproven(str(error))
    except OSError as error:
        return _unproven(f"no copy to run it in could be made: {error.strerror or error}")


def _compared(trial: Trial, before: bytes, after: bytes, sites: Iterable[PlannedSite]) -> Proof:
    old = trial.run(before)
    if not old.end.comparable:
        return _unproven(f"it {old.end.how}")
    if not old.calls:
        said = old.end.said
        failed = f"the script did not run before its migration: {said}"
        return _unproven(failed if old.end.how else _NOTHING)
    new = trial.run(after)
    missed = _unwalked(before, after, old)
    if _same(old, new):
        return _shown(old, missed, ())
    changes = _announced(before, sites)
    amended = trial.run(before, [asdict(change) for change in changes]) if changes else old
    done = tuple(changes[number] for number in sorted(amended.amended))
    if done and _same(amended, new):
        return _shown(amended, missed, done)
    if not _same(old, trial.run(before)):
        return _unproven(_CHANGES, len(old.calls))
    return _differs(amended if done else old, new, missed, done)


def _same(a: Run, b: Run) -> bool:
    return a.calls == b.calls and a.end.how == b.end.how and b.end.comparable


def _shown(old: Run, missed: tuple[int, ...], done: Sequence[Announced]) -> Proof:
    """The proof of two runs that were the same, but for what was announced."""
    how = old.end.how
    if how and missed:
        text = f"it {how} before and after, and {_lines(missed)} not reached"
        return _unproven(text, len(old.calls), old.stood_in)
    text = f"the same {counted(len(old.calls), 'call')} with the same token ids and settings"
    text += ", in any order" if old.beside else ""
    text += f"; it {how} before and after" if how else ""
    told = tuple(dict.fromkeys(change.told for change in done))
    return Proof(text, (), len(old.calls), missed, old.stood_in, told, old.anew)


def _differs(old: Run, new: Run, missed: tuple[int, ...], done: Sequence[Announced]) -> Proof:
    if not new.end.comparable:
        return _unproven(f"after its migration it {new.end.how}", len(old.calls))
    if new.end.how and not old.end.how:
        said = f"the script did not run after its migration: {new.end.said}"
        return _unproven(said, len(old.calls))
    found = differences(old, new)
    if old.end.how != new.end.how:
        ends = [f"it {end.how or 'comes to its end'}" for end in (old.end, new.end)]
        found.append(f"{ends[0]} before its migration, and {ends[1]} after")
    told = tuple(dict.fromkeys(change.told for change in done))
    text = counted(len(found), "difference")
    return Proof(text, tuple(found), len(old.calls), missed, old.stood_in, told, old.anew)


def _unproven(reason: str, calls: int = 0, stood_in: tuple[str, ...] = ()) -> Proof:
    text = f"not proven: {reason}"
    return Proof(text, (text,), calls, (), stood_in)


def _announced(before: bytes, sites: Iterable[PlannedSite]) -> list[Announced]:
    try:
        return announced(decode(before).text, sites)
    except (SourceError, SyntaxError):
        return []


def _unwalked(before: bytes, after: bytes, run: Run) -> tuple[int, ...]:
    try:
        old, new = decode(before).text, decode(after).text
    except SourceError:
        return ()
    return unwalked(old, new, set(run.walked))


def _lines(rows: Sequence[int]) -> str:
    said = ", ".join(map(str, rows))
    return f"line {said} was" if len(rows) == 1 else f"lines {said} were"


def _limits(missed: Sequence[int], stood_in: Sequence[str], anew: bool) -> str:
    """What the runs do not prove."""
    said = ""
    if missed:
        rows = f"{'line' if len(missed) == 1 else 'lines'} {', '.join(map(str, missed))}"
        said += (
            f"; not seen whether {rows} ran: the script starts Python anew"
            if anew
            else f"; not proven: {rows}, which the run did not reach"
        )
    if stood_in:
        said += f"; the ids are a stand-in's: no tokenizer files of {', '.join(stood_in)} are here"
    return said
