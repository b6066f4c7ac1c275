"""Checks the files of a run fast: cheap questions first, what is known from the cache, the rest in processes.

What is found is the same for any number of processes, with and without a cache. A file that kills,
hangs or bloats its process is a finding (CG900) and costs nothing else.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.cache import Cache, Entry, open_cache, run_digest
from cleanguard.catalogue.findings import Finding
from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from lint_rules._engine.content import digest_of, stamp_after, stamp_before
from lint_rules._engine.outcome import CheckRun, Known
from lint_rules._engine.wire import from_plain

if TYPE_CHECKING:  # a run that the cache answers starts no process, and loads nothing for one
    from lint_rules._engine import worker
    from lint_rules._engine.pool import Family, Lost, Pool

# Fewer files than this are read in this process: starting others takes as long.
_WORTH_A_PROCESS = 48
_BATCH = 24

_NOTHING: dict[str, str] = {}

Progress = Callable[[int, int], None]
Job = tuple[Any, tuple[int, ...]]  # a worker.Kind, and files by index


def check_files(
    files: Sequence[SourceFile],
    settings: Settings,
    *,
    jobs: int | None = None,
    cached: bool = True,
    progress: Progress | None = None,
) -> CheckRun:
    """Checks the files of a run.

    Args:
        files: In the order of the report.
        settings: What the run was told.
        jobs: How many processes; as many as there are processors if None.
        cached: Use what earlier runs found.
        progress: Called with the number of files that are done, and of all.
    """
    cache = open_cache(settings) if cached else None
    run = _Run(files, settings, jobs, cache, progress)
    outcome = run.check()
    if cache is not None:
        cache.save()
    return outcome


def known_findings(files: Sequence[SourceFile], settings: Settings) -> dict[str, Known]:
    """What earlier checks of these files found, by the name of the file; nothing of those that changed.

    Args:
        files: All files of the run: what is found in one may rest on the others.
        settings: What the run was told.
    """
    cache = open_cache(settings)
    if not cache:
        return {}
    return _Run(files, settings, None, cache, None).known()


def _shared(folders: Sequence[tuple[str, ...]]) -> int:
    """How many parts at the beginning all have in common."""
    if not folders:
        return 0
    first, last = min(folders), max(folders)
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


class _Run:
    """One run over files, which are known by their index."""

    def __init__(
        self,
        files: Sequence[SourceFile],
        settings: Settings,
        jobs: int | None,
        cache: Cache | None,
        progress: Progress | None,
    ) -> None:
        self._files = files
        self._settings = settings
        self._jobs = jobs
        self._cache = cache
        self._progress = progress
        self._paths = [os.path.abspath(file.place) for file in files]
        self._name = run_digest(self._paths)
        self._digests: dict[str, str] = {}
        self._stamps: dict[str, str] = {}
        self._real: dict[str, str] = {}
        self._known_uses: dict[frozenset[str], dict[str, str]] = {}
        self._found: dict[int, tuple[Finding, ...]] = {}
        self._failures: dict[int, str] = {}
        self._read = 0

    def check(self) -> CheckRun:
        """Does it all."""
        everything = range(len(self._files))
        # An empty cache spares nothing, so the files are read once, where they are checked.
        open_ones = self._look_up(everything) if self._cache else list(everything)
        if open_ones:
            self._check_in_processes(open_ones)
        findings = [finding for index in everything for finding in self._found.get(index, ())]
        failures = [self._failures[index] for index in everything if index in self._failures]
        return CheckRun(
            tuple(sorted(findings, key=lambda found: found.sort_key)), self._read, tuple(failures)
        )

    def known(self) -> dict[str, Known]:
        """What the cache answers."""
        self._look_up(range(len(self._files)))
        return {
            self._files[index].name: Known(self._digests[self._paths[index]], findings)
            for index, findings in self._found.items()
        }

    def _check_in_processes(self, indices: Sequence[int]) -> None:
        from lint_rules._engine import worker
        from lint_rules._engine.pool import Pool

        jobs = self._jobs or worker.processors()
        with Pool(jobs, worker.serve, (self._files, self._settings)) as pool:
            self._check(self._ask(indices, pool), pool)

    # --- the cache

    def _look_up(self, indices: Sequence[int]) -> list[int]:
        """Takes what is known; gives the files that are not."""
        assert self._cache is not None
        for path, file in zip(self._paths, self._files, strict=True):
            stamp = stamp_before(file)
            digest = self._cache.digest(path, stamp)
            if digest is None:
                try:
                    raw = file.read()
                except OSError:
                    continue  # asked again below, where it is reported
                digest = digest_of(raw, file.place)
                self._cache.restamp(path, digest, stamp_after(stamp, raw))
            self._digests[path] = digest
        left: list[int] = []
        for index in indices:
            known = self._known(index, self._cache)
            if known is None:
                left.append(index)
            else:
                self._done(index, known)
        return left

    def _known(self, index: int, cache: Cache) -> tuple[Finding, ...] | None:
        """What the cache says of a file; None if that is nothing, or of another shape than ours."""
        path = self._paths[index]
        digest = self._digests.get(path)
        try:
            entry = digest and cache.get(path, digest, self._name, self._digests)
            name = self._files[index].name
            return tuple(from_plain(item, name) for item in entry.findings) if entry else None
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            return None

    def _keep(self, index: int, entry: Entry) -> None:
        if self._cache is not None:
            self._cache.put(self._paths[index], entry)

    # --- the gate

    def _ask(self, indices: Sequence[int], pool: Pool) -> list[int]:
        """Reads files and asks the cheap questions; gives those that must be checked in full."""
        from lint_rules._engine import worker
        from lint_rules._engine.pool import Family, Lost

        wanted: list[int] = []

        def take(job: Job, outcome: list[worker.Gated] | Lost) -> None:
            if isinstance(outcome, Lost):
                wanted.extend(job[1])  # one of them kills processes; alone it will show which
                return
            for index, gated in zip(job[1], outcome, strict=True):
                if gated.digest is None:
                    self._unreadable(index, gated.problem or "")
                    continue
                self._digests[self._paths[index]] = gated.digest
                self._stamps[self._paths[index]] = gated.stamp
                if gated.needs_check:
                    wanted.append(index)
                    if len(wanted) == _WORTH_A_PROCESS:
                        pool.prepare(worker.prepare)
                else:
                    self._keep(index, Entry(gated.digest, stamp=gated.stamp))
                    self._done(index, ())

        if len(indices) < _WORTH_A_PROCESS:
            for index in indices:
                take(("gate", (index,)), [worker.gate(self._files[index])])
            return wanted
        batches: list[Family[Job]] = [
            Family((("gate", tuple(indices[start : start + _BATCH])),), 1)
            for start in range(0, len(indices), _BATCH)
        ]
        pool.run(batches, None, take)
        return sorted(wanted)

    # --- the full check

    def _check(self, indices: Sequence[int], pool: Pool) -> None:
        from lint_rules._engine import worker
        from lint_rules._engine.pool import Family, Lost

        lost: list[int] = []

        def take(job: Job, outcome: list[worker.Checked] | Lost) -> None:
            (index,) = job[1]
            if isinstance(outcome, Lost) or outcome[0].exhausted:
                lost.append(index)
            else:
                self._take(index, outcome[0])

        pool.renew()
        pool.run(self._families(indices), worker.WALL_SECONDS, take)
        # Other files may have worn the process out, or be what takes so long: a second try, alone.
        for index in sorted(lost):
            pool.restart()
            alone: Family[Job] = Family((("alone", (index,)),), 1)
            pool.run([alone], worker.WALL_SECONDS, self._take_last)

    def _families(self, indices: Sequence[int]) -> list[Family[Job]]:
        """Files by the folder that they stand in below the one common to all: packages, mostly.

        Files of a package import from each other, and a process follows what it knows already once.
        """
        from lint_rules._engine.pool import Family

        folders = [Path(self._paths[index]).parts[:-1] for index in indices]
        shared = _shared(folders)
        jobs: dict[tuple[str, ...], list[Job]] = defaultdict(list)
        costs: dict[tuple[str, ...], int] = defaultdict(int)
        for index, folder in zip(indices, folders, strict=True):
            family = folder[: shared + 1]
            jobs[family].append(("full", (index,)))
            costs[family] += _size(self._paths[index])
        return [Family(jobs[family], costs[family]) for family in jobs]

    def _take_last(self, job: Job, outcome: list[worker.Checked] | Lost) -> None:
        from lint_rules._engine import worker
        from lint_rules._engine.pool import Lost

        (index,) = job[1]
        if not isinstance(outcome, Lost) and not outcome[0].exhausted:
            self._take(index, outcome[0], keep=False)
            return
        ending = outcome.signal if isinstance(outcome, Lost) else worker.OUT_OF_MEMORY
        self._unreadable(index, worker.told(ending, "checking"))

    def _take(self, index: int, checked: worker.Checked, *, keep: bool = True) -> None:
        if checked.failure is not None:
            self._failures[index] = checked.failure
            self._read += 1
            return
        path = self._paths[index]
        uses = self._used(checked.uses)
        if keep and path in self._digests and uses is not None:
            stamp = self._stamps.get(path, "")
            entry = Entry(self._digests[path], checked.findings, self._name, uses, stamp)
            self._keep(index, entry)
        name = self._files[index].name
        self._done(index, tuple(from_plain(item, name) for item in checked.findings))

    def _used(self, real_paths: frozenset[str]) -> dict[str, str] | None:
        """Content digests of followed files by their path here; None if one is not known."""
        if not real_paths:
            return _NOTHING
        if real_paths in self._known_uses:  # of a package all, mostly
            return self._known_uses[real_paths]
        by_real = self._by_real_path()
        used: dict[str, str] = {}
        for real in sorted(real_paths):
            path = by_real.get(real)
            if path is None or path not in self._digests:
                return None
            used[path] = self._digests[path]
        self._known_uses[real_paths] = used
        return used

    def _by_real_path(self) -> dict[str, str]:
        from lint_rules._run.real_paths import RealPaths

        if not self._real:
            real = RealPaths()
            self._real = {real.of(path): path for path in self._paths}
        return self._real

    def _unreadable(self, index: int, reason: str) -> None:
        from lint_rules._engine.reported import unreadable

        file, settings = self._files[index], self._settings.at(self._paths[index])
        self._done(index, unreadable(file.name, reason, settings, what=file.kind))

    def _done(self, index: int, findings: tuple[Finding, ...]) -> None:
        self._found[index] = findings
        self._read += 1
        if self._progress is not None:
            self._progress(self._read, len(self._files))
