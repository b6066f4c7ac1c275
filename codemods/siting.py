"""The sites of one script: all of a model's are rewritten, or none, over the files of a run too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import libcst as cst

from codemods.doubts.given_away import loads_without_bos, scored_without_bos
from codemods.doubts.lone_tokenizers import beside, lone, of_own_classes, unguarded
from codemods.doubts.serving import served
from codemods.doubts.strict import strict_of_foreign
from codemods.doubts.untouched import untouchable
from codemods.facts.purposes import trains
from codemods.facts.unseen_ids import has_bos, may_have_bos
from codemods.generation import generate_calls, scoring
from codemods.generation.ids_calls import without_begins
from codemods.loads import adapters, model_loads, pad_tests, templates, upgrade
from codemods.loads.model_configs import unread_configs
from codemods.loads.own_loader import left_to_own_loader
from codemods.loads.tokenizer_keywords import unread_dicts
from codemods.loads.whole_models import half_done, left_of_foreign, relied_on
from codemods.plan.planned import Links, LoadKey, PlannedSite
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.quantization import configs as quantization_configs
from codemods.script.foreign import foreign_loads, own_loads
from codemods.script.script import Script
from codemods.texts.decoded_bos import refuse_decoded, trained_with_two
from codemods.watching.calls import is_watched, watched
from lint_rules._flow.values.events import AdapterAttach, Encode, Forward, ModelLoad, TokenizerLoad
from lint_rules._questions.hand_made_text import bos_reach, chat_reach

_OWN_PAD = "the loader sets one, which is not EOS where the vocabulary has a token to spare"


def sites_of(script: Script) -> tuple[list[Site], Links]:
    """The sites of a script: all of a model's are rewritten, or none."""
    own_keys = own_loads(script)
    others = script.others
    held = {node: others.held[key] for node, key in own_keys.items() if key in others.held}
    held |= script.once(_scored_with_two_bos) | script.once(_scored_otherwise)
    by_choice = frozenset(
        node for code, node in script.declined if not script.is_unproven(code, node)
    ) | {node for _, node in script.silenced}
    # Loads whose models score rows without BOS.
    allowed = frozenset(node for node, key in own_keys.items() if key in others.lacks_bos)
    own: dict[tuple[str, cst.CSTNode], str] = {}  # why a site stays for itself, not for another
    while True:
        sites = _sites(script, held, allowed)
        lacking = scored_without_bos(script, sites)
        if not lacking <= allowed:
            allowed |= lacking
            continue
        for site in sites:
            if site.reason is not None:
                own.setdefault((site.code, site.node), site.reason)
        done = {site.node for site in sites if site.automatic}
        found = half_done(script, sites, by_choice)
        raw = others.unguarded | script.once(of_own_classes)
        found = {**beside(lone(script, done), raw), **found}
        if not found.keys() - held.keys():
            links = _links(script, sites, by_choice, own_keys)
            sites = without_begins(script, sites, allowed | loads_without_bos(script, sites))
            sites = [replace(s, reason=own.get((s.code, s.node), s.reason)) for s in sites]
            why = script.once(untouchable)
            if why is not None and any(site.edits for site in watched(script, sites)):
                left = [replace(site, edits=(), notes=(), reason=why) for site in sites]
                return left, nothing_done(script, links, why)
            return (watched(script, sites) if script.watches else sites), links
        held |= found


def _scored_with_two_bos(script: Script) -> dict[cst.CSTNode, str]:
    """The loads whose models score text, or are trained on it, that was decoded with its BOS, and gets another."""
    found: dict[cst.CSTNode, str] = {}
    if trains(script):
        why = trained_with_two(script)
        loads = script.flow.events(ModelLoad) if why is not None else ()
        return {load.node: str(why) for load in loads if may_have_bos(load.model)}
    for forward in script.flow.events(Forward):
        encode = script.flow.event_at(forward.encoded.origin if forward.encoded else None, Encode)
        text = None if encode is None else encode.args.get("text", 0)
        origin = forward.model.origin
        if encode is None or text is None or text.expression is None or origin is None:
            continue
        if encode.args.written("add_special_tokens") is False or not has_bos(forward):
            continue
        try:
            refuse_decoded(script, text.expression)
        except CannotRewrite as reason:
            found[origin] = str(reason)
    return found


def _scored_otherwise(script: Script) -> dict[cst.CSTNode, str]:
    """The loads whose models score, or are trained on, a chat, or text that code puts BOS before."""
    found: dict[cst.CSTNode, str] = {}
    models: dict[cst.CSTNode, ModelLoad] = {one.node: one for one in script.flow.events(ModelLoad)}
    encodes: list[tuple[Encode, cst.CSTNode]] = []
    for forward in script.flow.events(Forward):
        encode = script.flow.event_at(forward.encoded.origin if forward.encoded else None, Encode)
        if encode is not None and forward.model.origin is not None:
            encodes.append((encode, forward.model.origin))
    if trains(script):
        every = list(script.flow.events(Encode))
        encodes += [(encode, node) for node in models for encode in every]
    for encode, origin in encodes:
        text = encode.args.get("text", 0)
        if text is None or text.expression is None or origin in found:
            continue
        line = script.line_of(encode.node)
        if not trains(script) and script.flow.once(chat_reach).touches(text.expression):
            found[origin] = f"the text of line {line} may hold a chat, which the guard refuses"
        adds = encode.args.written("add_special_tokens") is not False
        load = models.get(origin)
        bos = load is None or may_have_bos(load.model)
        if adds and bos and script.flow.once(bos_reach).touches(text.expression):
            found[origin] = f"code puts BOS before the text of line {line}, a second one perhaps"
    return found


def _links(
    script: Script,
    sites: list[Site],
    by_choice: frozenset[cst.CSTNode],
    own: Mapping[cst.CSTNode, LoadKey],
) -> Links:
    """Which loads stay here, and which of other files' must stay for what stays here."""
    done = {site.node for site in sites if site.automatic}
    foreign = {node: key for node, key in foreign_loads(script).items() if key is not None}
    lacking = loads_without_bos(script, sites)
    why = left_of_foreign(script, frozenset(foreign), sites, by_choice)
    doubled = [
        reason for node, reason in script.once(_scored_with_two_bos).items() if node in foreign
    ]
    if why is None and doubled:
        why = f"all of a model or none: {script.path.name}: {doubled[0]}"
    stricter = strict_of_foreign(script, sites) if foreign and why is None else None
    if stricter is not None:
        why = f"{script.path.name}: {stricter}"
    left = {key: _stays(script, node) for node, key in own.items() if node not in done}
    # What the script's own functions are given may be its own: it has its reason already.
    wanted = [key for key in foreign.values() if key not in left]
    return Links(
        left,
        frozenset(foreign.values()),
        {} if why is None else dict.fromkeys(wanted, why),
        frozenset(key for node, key in foreign.items() if node in lacking),
        relied_on(script, {node: key for node, key in own.items() if node in done}, foreign),
        unguarded(script, done, by_choice),
        frozenset(lone(script, done).values()),
        served(script, {node: key for node, key in own.items() if node in done}),
    )


def _stays(script: Script, node: cst.CSTNode) -> str:
    return f"{script.path.name}:{script.line_of(node)} stays as it is"


def nothing_done(script: Script, links: Links, doubt: str) -> Links:
    """The links of a plan that is refused."""
    own = own_loads(script)
    left = {key: _stays(script, node) for node, key in own.items()}
    why = f"{script.path.name} stays as it is: {doubt}"
    return Links(left, links.uses, dict.fromkeys(links.uses, why), unguarded=unguarded(script))


def _sites(
    script: Script, held: Mapping[cst.CSTNode, str], allowed: frozenset[cst.CSTNode]
) -> list[Site]:
    sites = model_loads.rewrite(script, held, allowed)
    declined = [
        Site(code, node, "left as it is", reason=script.reason_for(code, node))
        for code, node in script.declined
        if code in script.looked_for
    ]
    left = [site.node for site in (*sites, *declined) if not site.automatic]
    stays = script.others.left
    foreign = [n for n, key in foreign_loads(script).items() if key is None or key in stays]
    done = {site.node for site in sites if site.automatic}
    models = (load.node for load in script.flow.events(ModelLoad) if load.node not in done)
    beside = (one.node for one in script.flow.events(TokenizerLoad) if one.node not in done)
    raw = (*foreign, *models, *(beside if _watches(script) else ()))
    unmigrated = frozenset((*left, *raw, *(node for _, node in script.silenced)))
    sites += templates.rewrite(script, unmigrated)
    sites += adapters.rewrite(script, unmigrated)
    sites += quantization_configs.rewrite(script, [edit for site in sites for edit in site.edits])
    sites += generate_calls.rewrite(script, unmigrated)
    sites += scoring.rewrite(script, unmigrated, sites)
    sites += upgrade.rewrite(script)
    sites = left_to_own_loader(script, sites + declined, script.path)
    if any(site.edits for site in sites):
        sites += _companions(script, unmigrated)
        written = [edit for site in sites for edit in site.edits]
        gone = [*unread_configs(script, written), *unread_dicts(script, written)]
        if gone:
            first = next(i for i, site in enumerate(sites) if site.edits)
            sites[first] = replace(sites[first], edits=(*sites[first].edits, *gone))
        edits = [edit for site in sites for edit in site.edits]
        sites += pad_tests.rewrite(script, sites, edits)
    return sites


def _watches(script: Script) -> bool:
    """Whether the script has a watched load; its tokenizers are raw, and `check` is silent about them."""
    return any(load.watched for load in script.flow.events(ModelLoad))


def _companions(script: Script, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """Pad and padding lines of tokenizers that the loader gives, without a finding of their own."""
    sites: list[Site] = []
    for event in templates.companions(script, unmigrated, trains=trains(script)):
        try:
            edit = script.delete(templates.whole_statement(event))
        except CannotRewrite:
            continue  # harmless where it stays
        sets = _OWN_PAD if event.attribute.startswith("pad_token") else "the loader sets it"
        note = Note("dropped", f"`{event.attribute}`: {sets}")
        sites.append(Site("CG102", event.node, "drop what the loader does", (edit,), (note,)))
    return sites


def shown(script: Script, sites: list[Site]) -> list[PlannedSite]:
    """The sites as they are shown; an adapter that stays under its model is no finding of its own."""
    adapters = {attach.node for attach in script.flow.events(AdapterAttach)}
    return [
        PlannedSite(
            *(site.code, script.line_of(site.node), site.summary, site.notes, site.reason),
            watched=is_watched(site),
        )
        for site in sites
        if not (site.reason and site.node in adapters and not script.reports(site.code, site.node))
    ]
