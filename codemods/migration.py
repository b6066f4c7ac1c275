"""Plans the migration of one file and proves it before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import libcst as cst

from cleanguard.catalogue.findings import Finding, Position
from cleanguard.settings.config import Settings
from codemods import imports
from codemods.generation import generate_calls, scoring
from codemods.loads import adapters, model_loads, pad_tests, quantization, templates, upgrade
from codemods.loads.model_configs import unread_configs
from codemods.loads.own_loader import left_to_own_loader
from codemods.loads.whole_models import half_done, left_of_foreign
from codemods.plan.edits import Edit, apply, tidy
from codemods.plan.options import EVERYTHING, Wishes
from codemods.plan.planned import Links, LoadKey, Migration, PlannedSite
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.proof.conditions import ProofError, prove
from codemods.proof.rescue import rescued
from codemods.script.comments import keep_comments
from codemods.script.elsewhere import Elsewhere
from codemods.script.foreign import foreign_loads, own_loads
from codemods.script.purposes import trains
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad
from lint_rules._run.source import SourceError, decode

__all__ = ["Migration", "PlannedSite", "migrate_source"]


def migrate_source(
    filename: str,
    raw: bytes,
    settings: Settings,
    wishes: Wishes = EVERYTHING,
    others: Elsewhere | None = None,
) -> Migration:
    """Plans and proves the migration of one file; writes nothing.

    Where the whole cannot be proven, what stands in the way is left to a person and the rest is done.
    If that does not help, the file is refused: `after` is `before`, `refusal` says why.

    Args:
        filename: The path as it was given.
        raw: The file's bytes.
        settings: The configuration of the check.
        wishes: What is to be rewritten.
        others: The other files of the run, which may take names from this one.

    Raises:
        SourceError: The file cannot be read as Python.
    """
    known = Elsewhere() if others is None else others
    return _best(filename, raw, settings, wishes, known, again=True)


def _best(
    filename: str,
    raw: bytes,
    settings: Settings,
    wishes: Wishes,
    others: Elsewhere,
    *,
    again: bool,
) -> Migration:
    """The whole plan, or what of it can be proven; `again` looks whether a second run changes it."""
    plan = _attempt(filename, raw, settings, wishes, others)
    if plan.refusal is None:
        return plan

    def attempt(unproven: frozenset[tuple[str, int]]) -> Migration:
        wanted = replace(wishes, unproven=unproven, doubt=plan.refusal or "")
        return _attempt(filename, raw, settings, wanted, others)

    def settles(found: Migration) -> bool:
        return (
            not again
            or not _best(filename, found.after, settings, wishes, others, again=False).changed
        )

    return rescued(plan, attempt, settles) or plan


def _attempt(
    filename: str, raw: bytes, settings: Settings, wishes: Wishes, others: Elsewhere
) -> Migration:
    source = decode(raw)
    try:
        script = Script(filename, source, settings, wishes, others)
    except cst.ParserSyntaxError as error:
        position = Position(max(error.raw_line, 1), error.raw_column + 1)
        raise SourceError(f"syntax error: {error.message}", position) from error
    except cst.CSTValidationError as error:  # valid Python that libcst's nodes refuse
        raise SourceError(f"libcst cannot take the file apart: {error}", Position(1, 1)) from error
    sites, links = _plan(script)
    edits = _unique(edit for site in sites for edit in site.edits)
    arriving = imports.rewrite(script, edits)
    edits = tidy(script.utf8, script.without_empty_blocks(edits))
    edits = keep_comments(script, [*edits, *tidy(script.utf8, arriving)])
    planned = tuple(sorted(_planned(script, sites), key=lambda site: (site.row, site.code)))
    if not edits:
        return Migration(filename, raw, raw, planned, links=links)
    after = source.to_bytes(apply(script.utf8, edits).decode("utf-8"))
    try:
        exposed = prove(filename, source, after, edits, sites, script, settings)
        if not (wishes.declined or wishes.unproven) and any(
            site.edits
            for site in _plan(Script(filename, decode(after), settings, wishes, others))[0]
        ):
            raise ProofError("a second run would change the file again")
    except ProofError as error:
        nothing = _nothing_done(script, links, str(error))
        return Migration(filename, raw, raw, planned, str(error), nothing)
    return Migration(filename, raw, after, (*planned, *map(_exposed, exposed)), links=links)


def _exposed(finding: Finding) -> PlannedSite:
    """What a person can do next, now that the output is guarded; the row is the rewritten file's."""
    reason = "its text is guarded now: write `provenance` with the record"
    return PlannedSite(finding.code, finding.location.row, finding.message, (), reason)


def _plan(script: Script) -> tuple[list[Site], Links]:
    """The sites of a script: all of a model's are rewritten, or none."""
    own_keys = own_loads(script)
    others = script.others
    held = {node: others.held[key] for node, key in own_keys.items() if key in others.held}
    by_choice = frozenset(
        node for code, node in script.declined if not script.is_unproven(code, node)
    ) | {node for _, node in script.silenced}
    own: dict[tuple[str, cst.CSTNode], str] = {}  # why a site stays for itself, not for another
    while True:
        sites = _sites(script, held)
        for site in sites:
            if site.reason is not None:
                own.setdefault((site.code, site.node), site.reason)
        found = half_done(script, sites, by_choice)
        if not found.keys() - held.keys():
            links = _links(script, sites, by_choice, own_keys)
            sites = [replace(s, reason=own.get((s.code, s.node), s.reason)) for s in sites]
            return sites, links
        held |= found


def _links(
    script: Script,
    sites: list[Site],
    by_choice: frozenset[cst.CSTNode],
    own: Mapping[cst.CSTNode, LoadKey],
) -> Links:
    """Which loads stay here, and which of other files' must stay for what stays here."""
    done = {site.node for site in sites if site.automatic}
    foreign = {node: key for node, key in foreign_loads(script).items() if key is not None}
    why = left_of_foreign(script, frozenset(foreign), sites, by_choice)
    return Links(
        {key: _stays(script, node) for node, key in own.items() if node not in done},
        frozenset(foreign.values()),
        {} if why is None else dict.fromkeys(foreign.values(), why),
    )


def _stays(script: Script, node: cst.CSTNode) -> str:
    return f"{script.path.name}:{script.line_of(node)} stays as it is"


def _nothing_done(script: Script, links: Links, doubt: str) -> Links:
    """The links of a plan that is refused."""
    own = own_loads(script)
    left = {key: _stays(script, node) for node, key in own.items()}
    why = f"{script.path.name} stays as it is: {doubt}"
    return Links(left, links.uses, dict.fromkeys(links.uses, why))


def _sites(script: Script, held: Mapping[cst.CSTNode, str]) -> list[Site]:
    sites = model_loads.rewrite(script, held)
    declined = [
        Site(code, node, "left as it is", reason=script.reason_for(code, node))
        for code, node in script.declined
    ]
    left = [site.node for site in (*sites, *declined) if not site.automatic]
    stays = script.others.left
    foreign = [n for n, key in foreign_loads(script).items() if key is None or key in stays]
    done = {site.node for site in sites if site.automatic}
    models = (load.node for load in script.flow.events(ModelLoad) if load.node not in done)
    unmigrated = frozenset((*left, *foreign, *models, *(node for _, node in script.silenced)))
    sites += templates.rewrite(script, unmigrated)
    sites += adapters.rewrite(script, unmigrated)
    sites += quantization.rewrite(script, [edit for site in sites for edit in site.edits])
    sites += generate_calls.rewrite(script, unmigrated)
    sites += scoring.rewrite(script, unmigrated, [edit for site in sites for edit in site.edits])
    sites += upgrade.rewrite(script)
    sites = left_to_own_loader(script, sites + declined)
    if any(site.edits for site in sites):
        sites += _companions(script, unmigrated)
        gone = unread_configs(script, [edit for site in sites for edit in site.edits])
        if gone:
            first = next(i for i, site in enumerate(sites) if site.edits)
            sites[first] = replace(sites[first], edits=(*sites[first].edits, *gone))
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
