"""Plans the migration of one file and proves it before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import libcst as cst

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.settings.config import Settings
from codemods import imports
from codemods.generation import generate_calls, scoring
from codemods.loads import adapters, model_loads, pad_tests, quantization, templates, upgrade
from codemods.loads.own_loader import left_to_own_loader
from codemods.plan.edits import Edit, apply, tidy
from codemods.plan.options import EVERYTHING, Wishes
from codemods.plan.planned import Migration, PlannedSite
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.proof.conditions import EXPOSED, ProofError, prove_findings, prove_text
from codemods.proof.rescue import rescued
from codemods.script.comments import keep_comments
from codemods.script.purposes import trains
from codemods.script.script import Script
from lint_rules._run.source import SourceError, decode

__all__ = ["Migration", "PlannedSite", "migrate_source"]


def migrate_source(
    filename: str, raw: bytes, settings: Settings, wishes: Wishes = EVERYTHING
) -> Migration:
    """Plans and proves the migration of one file; writes nothing.

    Where the whole cannot be proven, what stands in the way is left to a person and the rest is done.
    If that does not help, the file is refused: `after` is `before`, `refusal` says why.

    Args:
        filename: The path as it was given.
        raw: The file's bytes.
        settings: The configuration of the check.
        wishes: What is to be rewritten.

    Raises:
        SourceError: The file cannot be read as Python.
    """
    return _Planner(filename, raw, settings).best(wishes)


class _Planner:
    """Plans one file, which is read once however often it is planned."""

    def __init__(self, filename: str, raw: bytes, settings: Settings) -> None:
        self._filename, self._raw, self._settings = filename, raw, settings
        self._source = decode(raw)
        try:
            self._script = Script(filename, self._source, settings)
        except cst.ParserSyntaxError as error:
            position = Position(max(error.raw_line, 1), error.raw_column + 1)
            raise SourceError(f"syntax error: {error.message}", position) from error

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
            second = _Planner(self._filename, found.after, self._settings)
            return not second.best(wishes, again=False).changed

        return rescued(plan, attempt, settles) or plan

    def _attempt(self, wishes: Wishes) -> Migration:
        script = self._script.wished(wishes)
        sites = _plan(script, Path(self._filename))
        edits = _unique(edit for site in sites for edit in site.edits)
        arriving = imports.rewrite(script, edits)
        edits = tidy(script.utf8, script.without_empty_blocks(edits))
        edits = keep_comments(script, [*edits, *tidy(script.utf8, arriving)])
        planned = tuple(sorted(_planned(script, sites), key=lambda site: (site.row, site.code)))
        if not edits:
            return Migration(self._filename, self._raw, self._raw, planned)
        text = apply(script.utf8, edits).decode("utf-8")
        try:
            exposed = self._proven(script, text, edits, sites, wishes)
        except ProofError as error:
            return Migration(self._filename, self._raw, self._raw, planned, str(error))
        after = self._source.to_bytes(text)
        return Migration(self._filename, self._raw, after, (*planned, *map(_exposed, exposed)))

    def _proven(
        self,
        script: Script,
        text: str,
        edits: Sequence[Edit],
        sites: Sequence[Site],
        wishes: Wishes,
    ) -> list[Finding]:
        """Proves a rewritten text, on one reading of it.

        Returns:
            Findings that only guarded output can have, and that are therefore new without being caused.

        Raises:
            ProofError: With the part of the contract that does not hold.
        """
        prove_text(script, text, edits)
        try:
            source = decode(self._source.to_bytes(text))
            rewritten = Script(self._filename, source, self._settings, wishes)
        except (cst.ParserSyntaxError, SourceError, UnicodeEncodeError) as error:
            raise ProofError(f"the rewritten file could not be read: {error}") from error
        before, after = script.findings(), rewritten.findings()
        prove_findings(before, after, sites)
        if not (wishes.declined or wishes.unproven) and any(
            site.edits for site in _plan(rewritten, Path(self._filename))
        ):
            raise ProofError("a second run would change the file again")
        old = {found.code for found in before}
        return [found for found in after if found.code in EXPOSED and found.code not in old]


def _exposed(finding: Finding) -> PlannedSite:
    """What a person can do next, now that the output is guarded; the row is the rewritten file's."""
    reason = "its text is guarded now: write `provenance` with the record"
    return PlannedSite(finding.code, finding.location.row, finding.message, (), reason)


def _plan(script: Script, path: Path) -> list[Site]:
    sites = model_loads.rewrite(script)
    declined = [
        Site(code, node, "left as it is", reason=script.reason_for(code, node))
        for code, node in script.declined
    ]
    left = [site.node for site in (*sites, *declined) if not site.automatic]
    unmigrated = frozenset((*left, *(node for _, node in script.silenced)))
    sites += templates.rewrite(script, unmigrated)
    sites += adapters.rewrite(script, unmigrated)
    sites += quantization.rewrite(script, [edit for site in sites for edit in site.edits])
    sites += generate_calls.rewrite(script, unmigrated)
    sites += scoring.rewrite(script, unmigrated, [edit for site in sites for edit in site.edits])
    sites += upgrade.rewrite(script)
    sites = left_to_own_loader(script, sites + declined, path)
    if any(site.edits for site in sites):
        sites += _companions(script, unmigrated)
        edits = [edit for site in sites for edit in site.edits]
        sites += pad_tests.rewrite(script, sites, edits)
    return sites


def _companions(script: Script, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """Pad and padding lines of tokenizers that the loader gives, without a finding of their own."""
    sites: list[Site] = []
    for event in templates.companions(script, unmigrated, trains=trains(script)):
        try:
            edit = script.delete(templates.whole_statement(event))
        except CannotRewrite:
            continue  # harmless where it stays
        note = Note("dropped", f"`{event.attribute}`: the loader sets it")
        sites.append(Site("CG102", event.node, "drop what the loader does", (edit,), (note,)))
    return sites


def _unique(edits: Iterable[Edit]) -> list[Edit]:
    """Every edit once, without those inside a larger one."""
    ordered = sorted(set(edits), key=lambda edit: (edit.start, -edit.end))
    kept: list[Edit] = []
    for edit in ordered:
        if kept and edit.end <= kept[-1].end and edit.start < kept[-1].end:
            continue
        kept.append(edit)
    return kept


def _planned(script: Script, sites: list[Site]) -> list[PlannedSite]:
    return [
        PlannedSite(site.code, script.line_of(site.node), site.summary, site.notes, site.reason)
        for site in sites
    ]
