"""Model and tokenizer loads become CleanModelLoader loads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from codemods.facts.growth_aside import grows
from codemods.facts.load_context import (
    is_statement,
    may_load_chat,
    refuse_moved_padding,
    side_note,
)
from codemods.facts.load_targets import Target, chained_calls, names_for, target_of
from codemods.facts.purposes import refuse_made_pickles, trains
from codemods.loads.announced import NO_CHAT, alone, may_be_chat, of_files, told_of
from codemods.loads.loader_arguments import (
    ADDED,
    AS_FILES,
    CHATS,
    EVALUATING,
    KEPT,
    LoaderArguments,
    id_argument,
    loader_arguments,
    refuse_pad_keyword,
)
from codemods.loads.loader_classes import other_classes
from codemods.loads.partners import partner_of
from codemods.loads.tokenizer_keywords import carry_tokenizer_keywords, refuse_class, written_out
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Site
from codemods.script.mentions import mentioning
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad

# A keyword with a comment behind it, or above.
_TOLD = re.compile(r"^\s*\w+\s*=[^\n]*#|^\s*#[^\n]*\n\s*\w+\s*=", re.MULTILINE)
_MODEL, _TOKENIZER = ".load().model", ".load_tokenizer()"


@dataclass(frozen=True, slots=True)
class _Plan:
    """A load's sites with what they lean on."""

    node: cst.CSTNode
    sites: tuple[Site, ...]
    names: tuple[tuple[str, cst.FunctionDef | None], ...] = ()
    touched: tuple[Edit, ...] = ()


def rewrite(
    script: Script,
    held: Mapping[cst.CSTNode, str],
    allowed: frozenset[cst.CSTNode] = frozenset(),
) -> list[Site]:
    """The sites of all loads of the script that are our business.

    Args:
        script: The script.
        held: Loads that must stay, with the reason.
        allowed: Loads whose models score rows that may not begin with BOS.
    """
    flow = script.flow
    models, tokenizers = list(flow.events(ModelLoad)), list(flow.events(TokenizerLoad))
    blocked = {**held, **other_classes(script, models, tokenizers)}
    while True:
        plans = _plans(script, blocked, allowed)
        found = _leaning_on_others(script, plans)
        if not found:
            return [site for plan in plans for site in plan.sites]
        blocked |= found


def _plans(
    script: Script, blocked: Mapping[cst.CSTNode, str], allowed: frozenset[cst.CSTNode]
) -> list[_Plan]:
    flow = script.flow
    models = [load for load in flow.events(ModelLoad) if script.reports("CG101", load.node)]
    tokenizers = [load for load in flow.events(TokenizerLoad) if script.reports("CG102", load.node)]
    plans: list[_Plan] = []
    open_ = {load for load in tokenizers if load.node not in blocked}
    for model in models:
        partner = None if model.node in blocked else partner_of(script, model, open_)
        if partner is not None:
            tokenizers.remove(partner)
            open_.remove(partner)
            plans.append(_rewrite_pair(script, model, partner, lacks_bos=model.node in allowed))
        elif model.node in blocked:
            plans.append(_Plan(model.node, (_left(model, "CG101", blocked[model.node]),)))
        else:
            plans.append(_rewrite_model(script, model, lacks_bos=model.node in allowed))
    for tokenizer in tokenizers:
        if tokenizer.node in blocked:
            site = _left(tokenizer, "CG102", blocked[tokenizer.node])
        else:
            site = _rewrite_tokenizer(script, tokenizer)
        plans.append(_Plan(tokenizer.node, (site,)))
    return plans


def _leaning_on_others(script: Script, plans: Sequence[_Plan]) -> dict[cst.CSTNode, str]:
    """The loads whose configs or dicts are also used where nothing is migrated, with the reason."""
    edits = [
        edit
        for plan in plans
        for edit in (*plan.touched, *(edit for site in plan.sites for edit in site.edits))
    ]
    found: dict[cst.CSTNode, str] = {}
    for plan in plans:
        for name, scope in plan.names:
            for use in script.uses(name, scope):
                if not use.stores and not any(edit.covers(use.offset) for edit in edits):
                    found[plan.node] = f"`{name}` is also used where nothing is migrated"
    return found


def _rewrite_pair(
    script: Script, model: ModelLoad, tokenizer: TokenizerLoad, *, lacks_bos: bool
) -> _Plan:
    try:
        refuse_made_pickles(script, model.node)
        said = loader_arguments(script, model, tokenizer, lacks_bos=lacks_bos)
        target, tokenizer_target = target_of(script, model), target_of(script, tokenizer)
        if target is None or tokenizer_target is None:
            raise CannotRewrite("the load is part of a larger expression")
        edit = _loader_statement(script, model, target, tokenizer_target.text, said)
        removal = script.delete(tokenizer_target.statement)
    except CannotRewrite as reason:
        left = _left(model, "CG101", str(reason))
        return _Plan(model.node, (left, _rewrite_tokenizer(script, tokenizer)))
    edits = (edit, *_needless_eval(script, model, target), *said.edits)
    sites = (
        Site(
            "CG101",
            model.node,
            "load through CleanModelLoader",
            edits,
            (*said.notes, *told_of(script, model)),
        ),
        Site(
            "CG102",
            tokenizer.node,
            "take the tokenizer that load() returns",
            (removal,),
            of_files(script, tokenizer),
        ),
    )
    return _Plan(model.node, (*sites, *_bits_site(script, model)), said.names, said.touched)


def _rewrite_model(script: Script, model: ModelLoad, *, lacks_bos: bool) -> _Plan:
    try:
        refuse_made_pickles(script, model.node)
        said = loader_arguments(script, model, None, lacks_bos=lacks_bos)
        target = target_of(script, model)
        if target is None:
            if [line for line in said.after if line != EVALUATING]:
                raise CannotRewrite("the load is part of a larger expression")
            taken = f"{_MODEL}.{EVALUATING}" if said.after else _MODEL
            indent, room = script.place_of(model.node)
            head = script.call("CleanModelLoader", list(said.arguments), indent, room + len(taken))
            span = script.span(model.node)
            used = f"{head}.load()" if is_statement(model) else f"{head}{taken}"
            edits: tuple[Edit, ...] = (Edit(span.start, span.end, used),)
        else:
            statement = _loader_statement(script, model, target, "_", said)
            edits = (statement, *_needless_eval(script, model, target))
    except CannotRewrite as reason:
        return _Plan(model.node, (_left(model, "CG101", str(reason)),))
    notes = (*said.notes, *told_of(script, model), *alone(script, model))
    site = Site("CG101", model.node, "load through CleanModelLoader", (*edits, *said.edits), notes)
    return _Plan(model.node, (site, *_bits_site(script, model)), said.names, said.touched)


def _bits_site(script: Script, model: ModelLoad) -> tuple[Site, ...]:
    """`load_in_8bit=True` in the load itself is a finding of its own, migrated with it."""
    if not script.reports("CG104", model.node):
        return ()
    return (Site("CG104", model.node, "say the quantization to CleanModelLoader"),)


def _rewrite_tokenizer(script: Script, tokenizer: TokenizerLoad) -> Site:
    try:
        refuse_class(tokenizer)
        args = written_out(script, tokenizer)
        grown = grows(script, tokenizer)
        refuse_pad_keyword(script, tokenizer, grown)
        tunes = grown == "kept" or trains(script)
        refuse_moved_padding(script, tokenizer)
        carried = carry_tokenizer_keywords(script, args, tokenizer.model, training=tunes)
        arguments = [id_argument(script, args), *carried.given]
        if tunes:
            arguments.append("for_training=True")
        if grown != "none":
            arguments.append(AS_FILES)
        chats = may_load_chat(script, tokenizer)
        if chats:
            arguments.append("allow_chat_model=True")
        indent, room = script.place_of(tokenizer.node)
        head = script.call("CleanModelLoader", arguments, indent, room + len(_TOKENIZER))
        after = "".join(_set_after(script, tokenizer, line) for line in carried.after)
    except CannotRewrite as reason:
        return _left(tokenizer, "CG102", str(reason))
    span = script.span(tokenizer.node)
    edit = Edit(span.start, span.end, f"{head}{_TOKENIZER}{after}")
    told = [KEPT] if grown == "kept" and not trains(script) else []
    said = [] if grown == "kept" else side_note(script, tokenizer)
    told += [] if grown == "none" else [ADDED]
    told += [CHATS] if chats else []
    unknown = may_be_chat(tokenizer) and not chats
    told += [NO_CHAT] if unknown else []
    notes = (*carried.notes, *told, *said, *of_files(script, tokenizer))
    return Site("CG102", tokenizer.node, "load the tokenizer alone", (edit,), notes)


def _set_after(script: Script, tokenizer: TokenizerLoad, line: str) -> str:
    """A line behind the one that assigns the tokenizer, which sets one of its attributes."""
    target = target_of(script, tokenizer)
    if (
        target is None
        or script.span(target.statement.body[0]).end != script.span(tokenizer.node).end
    ):
        raise CannotRewrite(
            f"`{line.partition(' ')[0]}` of the tokenizer is to be set after the load"
        )
    return f"{script.newline}{script.indent_of(target.statement)}{target.text}.{line}"


def _loader_statement(
    script: Script, model: ModelLoad, target: Target, tokenizer: str, said: LoaderArguments
) -> Edit:
    indent = script.indent_of(target.statement)
    loader, provenance = names_for(script, model, target.text)
    room = len(f"{loader} = ")
    if _TOLD.search(script.code(model.node)) and script.comments_in(script.span(model.node)):
        room = script.max_width  # a line for each argument, so that its comment stays with it
    first = f"{loader} = {script.call('CleanModelLoader', list(said.arguments), indent, room)}"
    second = f"{target.text}, {tokenizer}, {provenance} = {loader}.load()"
    lines = [first, second]
    chain = chained_calls(script, model, target)
    if chain:
        lines.append(f"{target.text} = {target.text}{chain}")
    lines += [f"{target.text}.{after}" for after in said.after]
    lines += [f"{tokenizer}.{after}" for after in said.after_tokenizer]
    return script.replace(target.statement, lines)


def _needless_eval(script: Script, model: ModelLoad, target: Target) -> tuple[Edit, ...]:
    """The `model.eval()` line after the load, which returns the model so; a later model keeps its own."""
    if trains(script):
        return ()  # the loader returns it in training mode
    block = model.place.block
    for at in mentioning(script, block, model.place.index + 1, len(block), target.text):
        statement = block[at]
        if not isinstance(statement, cst.SimpleStatementLine):
            return ()
        if script.code(statement) == f"{target.text}.eval()":
            return (script.delete(statement),)
        if "=" in script.code(statement) or ".train(" in script.source.text:
            return ()  # it may have been put into training mode meanwhile
    return ()


def _left(load: ModelLoad | TokenizerLoad, code: str, reason: str) -> Site:
    return Site(code, load.node, "load through CleanModelLoader", reason=reason)
