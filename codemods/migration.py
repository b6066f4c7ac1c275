"""Plans the migration of one file and proves it before anything is written."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

from cleanguard.catalogue.findings import Finding
from cleanguard.catalogue.hazards import UNREADABLE
from cleanguard.settings.config import Settings
from codemods import imports
from codemods.facts.loader_keywords import CARRIED
from codemods.others.elsewhere import Elsewhere
from codemods.plan.documents import Document, ScriptDocument
from codemods.plan.edits import Edit, apply, tidy, unique
from codemods.plan.in_cells import placed
from codemods.plan.left import beside, exposed_site, rows_before, still_left
from codemods.plan.notebook_document import NotebookDocument
from codemods.plan.old_installs import with_installs
from codemods.plan.options import EVERYTHING, Wishes
from codemods.plan.planned import Links, Migration, PlannedSite
from codemods.plan.sites import Site
from codemods.proof.conditions import EXPOSED, ProofError, prove_findings, prove_text
from codemods.proof.rescue import left_whole, rescued
from codemods.script.comments import keep_comments, stay_at_arguments
from codemods.script.empty_blocks import without_empty_blocks
from codemods.script.script import Script
from codemods.siting import nothing_done, shown, sites_of
from lint_rules._engine.checking import check_source, screened_text
from lint_rules._engine.gate import needs_check
from lint_rules._light.exact import InexactError
from lint_rules._run.notebook import SUFFIX, plain_bytes, read
from lint_rules._run.others import OtherFiles
from lint_rules._run.source import SourceError, newer_syntax

__all__ = ["Migration", "PlannedSite", "migrate_source"]

# Code of an older loader is brought up to date without a finding.
_LOADER = b"CleanModelLoader"


def migrate_source(
    filename: str,
    raw: bytes,
    settings: Settings,
    wishes: Wishes = EVERYTHING,
    others: Elsewhere | None = None,
    *,
    seen: OtherFiles | None = None,
    path: Path | None = None,
    known: Sequence[Finding] | None = None,
) -> Migration:
    """Plans and proves the migration of one file; writes nothing.

    Where the whole cannot be proven, what stands in the way is left to a person and the rest is done.
    If that does not help, the file is refused: `after` is `before`, `refusal` says why. One that has the loader
    already is not: what a run has left is left by the next one.

    Args:
        filename: The path as it was given.
        raw: The file's bytes.
        settings: The configuration of the check.
        wishes: What is to be rewritten.
        others: The other files of the run, which may take names from this one.
        seen: The files of the run, as `check` sees them from this one.
        path: Where the file stands, if that is not `filename`.
        known: What `check` finds in it among the files of the run; it is asked if None.

    Raises:
        SourceError: The file cannot be read as Python.
        RuleCrashError: A rule failed on it.
    """
    settings = settings.at(path or Path(filename))
    linked = others is not None and others.may_link(path or Path(filename), raw)
    if not (linked or needs_check(raw, filename)):
        return Migration(filename, raw, raw, ())
    planner = None
    if known is None:
        planner = _followed(filename, raw, settings, others, seen, path)
        known = None if planner is None else planner.found
    if known is None:
        known = check_source(filename, raw, settings, seen, path, edits=False)
    unread = [one for one in known if one.code == UNREADABLE.code]
    broken = next((one for one in unread if not one.location.cell), None)
    if broken is not None:
        reason = broken.message.removeprefix("the file was not checked: ")
        raise SourceError(reason, broken.location)
    has_loader = _LOADER in plain_bytes(filename, raw)
    if not (known or linked or has_loader):  # with what is silenced nothing is done either
        return Migration(filename, raw, raw, ())
    rest = [one for one in known if one.code != UNREADABLE.code]
    if not filename.endswith(SUFFIX):
        document = ScriptDocument(raw)
        plan = _best(filename, document, settings, wishes, rest, others, path, planner)
        return replace(plan, found=len(known))
    told = tuple(f"{one.location}: {one.message}" for one in unread)
    plan = _migrate_notebook(filename, raw, settings, wishes, rest, others, path)
    return replace(plan, found=len(known), unread=told)


def _migrate_notebook(
    filename: str,
    raw: bytes,
    settings: Settings,
    wishes: Wishes,
    found: Sequence[Finding],
    others: Elsewhere | None,
    path: Path | None,
) -> Migration:
    """The plan of a notebook's module, and of each file that a cell of it writes."""
    notebook = read(raw)
    plans: list[Migration] = []
    after = raw
    for index in range(len(notebook.sources)):
        document = NotebookDocument(after, index)
        own = [document.unplaced(one) for one in found if document.holds(one.location.cell)]
        with document.placed_errors():
            plans.append(_best(filename, document, settings, wishes, own, others, path))
        after = plans[-1].after
    sites = [site for one in plans for site in (one.left_alone if one.refusal else one.sites)]
    also = tuple(site for one in plans for site in one.also)
    refusals = dict.fromkeys(one.refusal for one in plans if one.refusal)
    links = reduce(Links.with_cells, (one.links for one in plans), Links({}))
    refused = "; ".join(refusals) if after == raw and refusals else None
    sites = with_installs(raw, sites)
    return Migration(filename, raw, after, tuple(sites), refused, also, links=links)


def _followed(
    filename: str,
    raw: bytes,
    settings: Settings,
    others: Elsewhere | None,
    seen: OtherFiles | None,
    path: Path | None,
) -> _Planner | None:
    """A script in which something matters, followed once for its findings and for its plan.

    Returns:
        None where `check` has to be asked: it tells why a file cannot be read or followed, and sees more of a notebook
        and of one that imports the loader.
    """
    if filename.endswith(SUFFIX) or (others is None and _LOADER in raw):
        return None
    try:
        document = ScriptDocument(raw)
        said, tree = screened_text(document.source, path or Path(filename), seen)
        if said is None or not said.matters:
            return None
        planner = _Planner(filename, document, settings, None, others, path, tree=tree)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, a check says it in its way
        return None
    return planner if planner.sees_the_run or (seen is None and _LOADER not in raw) else None


def _best(
    filename: str,
    document: Document,
    settings: Settings,
    wishes: Wishes,
    found: Sequence[Finding],
    others: Elsewhere | None = None,
    path: Path | None = None,
    planner: _Planner | None = None,
) -> Migration:
    """The plan of a document, by a planner that has read it or a new one.

    It takes full trees where something is asked that only they tell.
    """
    given = (filename, document, settings, found, others, path)
    try:
        return (planner or _Planner(*given)).best(wishes)
    except InexactError:
        return _Planner(*given, exact=False).best(wishes)


class _Planner:
    """Plans one document, which is read once however often it is planned.

    Args:
        filename: The path as it was given.
        document: What is planned.
        settings: The configuration of the check.
        found: What `check` reports of it among the files of the run; None if it stands alone.
        others: The other files of the run.
        path: Where the file stands, if that is not `filename`.
        exact: Read it on exact trees where there are some.
        tree: The interpreter's tree of the document, if it is parsed already.

    Raises:
        InexactError: An exact tree does not do; nor may it later.
    """

    def __init__(
        self,
        filename: str,
        document: Document,
        settings: Settings,
        found: Sequence[Finding] | None = None,
        others: Elsewhere | None = None,
        path: Path | None = None,
        *,
        exact: bool = True,
        tree: ast.Module | None = None,
    ) -> None:
        self._exact = exact
        self._filename, self._document, self._settings = filename, document, settings
        self._raw = document.raw
        self._others, self._path = others, path
        self._script = self._read(document, tree=tree)
        self._alone = self._script.findings()
        self.found = self._alone if found is None else found
        self.sees_the_run = self._script.is_linked

    def _read(
        self, document: Document, wishes: Wishes = EVERYTHING, tree: ast.Module | None = None
    ) -> Script:
        return Script(
            self._filename,
            document.source,
            self._settings,
            wishes,
            foreign=document.foreign,
            others=self._others,
            path=self._path,
            exact=self._exact,
            tree=tree,
        )

    def best(self, wishes: Wishes, *, again: bool = True) -> Migration:
        """The whole plan, or what of it can be proven; `again` looks whether a second run changes it."""
        plan = self._attempt(wishes)
        if plan.refusal is None:
            return plan

        def attempt(unproven: frozenset[tuple[str, int]]) -> Migration:
            return self._attempt(replace(wishes, unproven=unproven, doubt=plan.refusal or ""))

        def settles(found: Migration) -> bool:
            if not again:
                return True
            document = self._document.again(found.after)
            given = (self._filename, document, self._settings, None, self._others, self._path)
            second = _Planner(*given, exact=self._exact)
            return not second.best(wishes, again=False).changed

        found = rescued(plan, attempt, settles)
        if found is None and plan.guarded:
            found = left_whole(plan, attempt)
        return found or plan

    def _attempt(self, wishes: Wishes) -> Migration:
        script = self._script.wished(wishes)
        sites, links = sites_of(script)
        edits = unique(edit for site in sites for edit in site.edits)
        edits = stay_at_arguments(script, edits, CARRIED)
        arriving = imports.rewrite(script, edits, self._document.cells)
        edits = tidy(script.utf8, without_empty_blocks(script, edits))
        edits = keep_comments(script, [*edits, *tidy(script.utf8, arriving)])
        planned = self._placed(sorted(shown(script, sites), key=lambda one: (one.row, one.code)))
        if not edits:
            return self._unchanged(planned, None, links)
        if script.tree is None:
            raise newer_syntax(script.source)
        try:
            edits = self._document.fitted(edits)
            after = self._document.written(edits)
            left = self._proven(script, after, edits, sites, wishes)
        except (ProofError, SourceError) as error:
            nothing = nothing_done(script, links, str(error))
            return self._unchanged(planned, str(error), nothing)
        old = {found.code for found in self._alone}
        exposed = [found for found in left if found.code in EXPOSED and found.code not in old]
        manual = [site for site in planned if site.reason is not None]
        before = rows_before(script.utf8, edits)
        also = beside([found for found in left if found not in exposed], manual, before)
        planned = imports.told(still_left(planned, left, before), script.utf8)
        return Migration(
            self._filename,
            self._raw,
            after,
            (*planned, *self._placed(map(exposed_site, exposed), self._document.again(after))),
            links=links,
            also=self._placed((*also, *self._seen_from_others(planned))),
        )

    def _placed(
        self, sites: Iterable[PlannedSite], document: Document | None = None
    ) -> tuple[PlannedSite, ...]:
        """The sites with their cells, if this is a notebook."""
        return placed(sites, (document or self._document).place)

    def _unchanged(
        self, planned: tuple[PlannedSite, ...], refusal: str | None, links: Links
    ) -> Migration:
        also = self._placed(beside(self.found, planned, lambda row: row))
        return Migration(self._filename, self._raw, self._raw, planned, refusal, also, links=links)

    def _seen_from_others(self, planned: Sequence[PlannedSite]) -> tuple[PlannedSite, ...]:
        """What `check` reports only because of other files, where nothing is rewritten."""
        alone = {(found.code, found.location.row) for found in self._alone}
        more = [one for one in self.found if (one.code, one.location.row) not in alone]
        return beside(more, planned, lambda row: row)

    def _proven(
        self,
        script: Script,
        after: bytes,
        edits: Sequence[Edit],
        sites: Sequence[Site],
        wishes: Wishes,
    ) -> tuple[Finding, ...]:
        """Proves a rewritten file, on one reading of it.

        Returns:
            What `check` reports of it.

        Raises:
            ProofError: With the part of the contract that does not hold.
        """
        text = apply(script.utf8, edits).decode("utf-8")
        tree = prove_text(script, text, edits)
        try:
            again = self._document.again(after)
            if again.source.text != text:
                raise ProofError("what would be written is not what was planned")
            rewritten = self._read(again, wishes, tree)
        except SourceError as error:
            raise ProofError(f"the rewritten file could not be read: {error}") from error
        left = rewritten.findings()
        prove_findings(self._alone, left, sites)
        if not (wishes.declined or wishes.unproven) and any(
            site.edits for site in sites_of(rewritten)[0]
        ):
            raise ProofError("a second run would change the file again")
        return left
