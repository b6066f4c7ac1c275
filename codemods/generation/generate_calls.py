"""Tokenise, generate, slice and decode by hand become one guarded call."""

from __future__ import annotations

from dataclasses import replace

import libcst as cst

from codemods.facts.given_models import loads_behind, unseen_giver
from codemods.facts.intact_ids import refuse_bound, refuse_changed_ids
from codemods.facts.receiver import loader_at
from codemods.facts.unseen_ids import refuse_given_prompts, refuse_givers
from codemods.generation.chain import chain_of
from codemods.generation.completions import rewrite_completion
from codemods.generation.getters import refuse_getters
from codemods.generation.guarded_call import (
    arguments_of,
    many_prompts,
    one_prompt,
    refuse_read_padding,
    takes_first,
)
from codemods.generation.ids_calls import rewrite_ids
from codemods.generation.in_place import InPlace, rewrite_in_place
from codemods.generation.left_unused import without_unread
from codemods.generation.unclear_texts import refuse_unclear_texts
from codemods.loads.partners import model_text
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.model_uses import may_be_another, origins_of, reaches
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from codemods.settings.generate_keywords import carry_generate_keywords
from codemods.settings.stop_strings import stop_string_faults
from codemods.texts.decoded_ids import generated_in, has_prompt
from codemods.texts.encoding import encoding_edit, refuse_other_specials, specials_note
from codemods.texts.moved_text import refuse_moved
from lint_rules._flow.state.library_names import VALUE_HEAD
from lint_rules._flow.values.events import (
    CallSite,
    Decode,
    Encode,
    Generate,
    ModelLoad,
    TokenizerLoad,
)

_SUMMARY = "generate through CleanModelLoader"
_TOKENIZER = "the tokenizer's load stays as it is"
_UNDECODED = "what it generates is not decoded in this function"
_TWICE = "what it generates is decoded more than once"
# What stands in the way of a text, and not of ids: why these stay says more.
_NOT_OF_IDS = (_UNDECODED, _TWICE)
_SCORES = Note(
    "carried",
    "`generate` itself stays, for its scores: the guard has checked its ids and replaced its settings",
)


def rewrite(script: Script, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """The sites of generations by hand.

    Args:
        script: The script.
        unmigrated: Loads that stay as they are; what they load cannot be generated with guarded calls.
    """
    sites: list[Site] = []
    done: set[cst.CSTNode] = set()
    for call in script.flow.events(Generate):
        if call.node in done or call.watched:
            continue
        if not script.reports("CG301", call.node):
            sites += _unreported(script, call, unmigrated)
            continue
        found = _sites(script, call, unmigrated)
        done.update(site.node for site in found)
        sites += found
    return _with_faults(script, without_unread(script, sites))


def _with_faults(script: Script, sites: list[Site]) -> list[Site]:
    """The sites, with the faults in the script's stop strings told at the first that is rewritten."""
    notes = tuple(stop_string_faults(script))
    first = next((site for site in sites if site.automatic), None)
    if first is None or not notes:
        return sites
    told = replace(first, notes=(*first.notes, *notes))
    return [told if site is first else site for site in sites]


def _sites(script: Script, call: Generate, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    try:
        _refuse_model(script, call, unmigrated)
    except CannotRewrite as reason:
        return [Site("CG301", call.node, _SUMMARY, reason=str(reason))]
    try:
        encode = _encode_of(script, call, unmigrated)
        try:
            sites = _folded(script, call, encode, unmigrated)
        except CannotRewrite as reason:
            sites = _otherwise(script, call, encode, unmigrated, str(reason))
        refuse_unclear_texts(script, sites)
        return sites
    except CannotRewrite as reason:
        try:
            sites = _of_ids(script, call, unmigrated)
        except CannotRewrite as other:
            alone = call.encoded is None or _is_own(script, call) or str(reason) in _NOT_OF_IDS
            said = other if alone else reason
            return [Site("CG301", call.node, _SUMMARY, reason=str(said))]
        return sites


def _unreported(script: Script, call: Generate, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """A call of which `check` does not know what it is given, such as a caller's `**kwargs`: ids all the same."""
    chosen = {node for _, node in (*script.silenced, *script.declined)}
    if call.model.guarded or call.node in chosen:
        return []
    try:
        _refuse_model(script, call, unmigrated)
        return _of_ids(script, call, unmigrated)
    except CannotRewrite:
        return []


def _of_ids(script: Script, call: Generate, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
    if encode is not None and encode.tokenizer.origin in unmigrated:
        raise CannotRewrite(_TOKENIZER)
    if loads_behind(script, call.node.func, call.place.function):
        refuse_givers(script)
    edit, notes = rewrite_ids(script, call, unmigrated)
    return [Site("CG301", call.node, _SUMMARY, (edit,), tuple(notes))]


def _is_own(script: Script, call: Generate) -> bool:
    """Whether a script's tokenizer is its own, so that no guarded call makes its prompts."""
    encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
    try:
        if encode is not None:
            refuse_other_specials(script, encode)
    except CannotRewrite:
        return True
    return False


def _refuse_model(script: Script, call: Generate, unmigrated: frozenset[cst.CSTNode]) -> None:
    """Raise CannotRewrite if the model of a call is none that the loader gives."""
    if call.model.origin is None:
        raise CannotRewrite("where its model comes from is not followed")
    if may_be_another(script, call):
        raise CannotRewrite("what generates here may be something else than a model")
    unseen = unseen_giver(script, call.node.func, call.place.function)
    if unseen is not None:
        raise CannotRewrite(unseen)
    if call.model.origin in unmigrated and not script.flow.event_at(call.model.origin, ModelLoad):
        raise CannotRewrite("the model's load in another file stays as it is")
    stays = [
        load
        for load in script.flow.events(ModelLoad)
        if load.node in unmigrated
        and (load.node is call.model.origin or reaches(script, load, call.node.func))
    ]
    if stays:
        line = script.line_of(stays[0].node)
        raise CannotRewrite(f"the model load in line {line} stays as it is")
    if script.has_attribute("init_inference("):
        raise CannotRewrite(
            "DeepSpeed puts an engine around the model, which the guard does not know"
        )
    wrapped = [site for site in script.flow.events(CallSite) if VALUE_HEAD in site.symbol]
    if wrapped:
        line = script.line_of(wrapped[0].node)
        raise CannotRewrite(f"line {line} puts a value head around a model: the guard knows none")
    behind = loads_behind(script, call.node.func, call.place.function)
    if not (behind | origins_of(script, call)).isdisjoint(unmigrated):
        raise CannotRewrite("the model's load in another file stays as it is")
    if not (isinstance(call.node.func, cst.Attribute) and call.node.func.attr.value == "generate"):
        raise CannotRewrite("a name or a call stands for the model's `generate`")


def _encode_of(script: Script, call: Generate, unmigrated: frozenset[cst.CSTNode]) -> Encode:
    encode = script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)
    if encode is None:
        raise CannotRewrite("the prompt's tokenisation cannot be followed to this call")
    if encode.tokenizer.origin in unmigrated:
        raise CannotRewrite(_TOKENIZER)
    _refuse_tokenizer(script, call, encode, unmigrated)
    refuse_getters(script, call, encode)
    _refuse_other_name(script, call, encode)
    refuse_bound(script, encode.node)
    refuse_changed_ids(script, call)
    refuse_moved(script, call, encode)
    return encode


def _refuse_other_name(script: Script, call: Generate, encode: Encode) -> None:
    """The guard refuses text for a model by the tokenizer of another; ids it takes."""
    model = script.flow.event_at(call.model.origin, ModelLoad)
    tokenizer = script.flow.event_at(encode.tokenizer.origin, TokenizerLoad)
    if model is None or tokenizer is None:
        return
    names = model.model.text, tokenizer.model.text
    if None in names or not (model.model.fixed and tokenizer.model.fixed):
        names = model_text(script, model.args), model_text(script, tokenizer.args)
    if None not in names and names[0] != names[1]:
        raise CannotRewrite("its prompts are made by a tokenizer of another name than the model's")


def _refuse_tokenizer(
    script: Script, call: Generate, encode: Encode, unmigrated: frozenset[cst.CSTNode]
) -> None:
    """Raise CannotRewrite if a tokenizer may be none that the loader gives, where other files give the model."""
    node, function = encode.node.func, encode.place.function
    if not loads_behind(script, node, function).isdisjoint(unmigrated):
        raise CannotRewrite(_TOKENIZER)
    unseen = unseen_giver(script, node, function)
    if unseen is not None:
        raise CannotRewrite(unseen)
    if not loads_behind(script, call.node.func, call.place.function):
        return
    if encode.tokenizer.origin is None:
        raise CannotRewrite("where the tokenizer is loaded cannot be seen")
    refuse_given_prompts(script)
    refuse_givers(script)


def _folded(
    script: Script, call: Generate, encode: Encode, unmigrated: frozenset[cst.CSTNode]
) -> list[Site]:
    """The calls fold into the statement that decodes.

    Raises:
        CannotRewrite: They do not stand one after the other, or serve something else as well.
    """
    decode = _decode_of(script, call)
    generated = generated_in(decode)
    assert generated is not None
    chain = chain_of(script, encode, call, decode)
    single = decode.method == "decode" or takes_first(script, decode)
    prompt = one_prompt(script, encode) if single else many_prompts(script, encode)
    arguments, notes = arguments_of(
        script, encode, call, decode, full=has_prompt(generated), prompt=prompt
    )
    named = {*call.args.keywords, *(argument.partition("=")[0] for argument in arguments)}
    if single and "num_return_sequences" in named:
        raise CannotRewrite("several texts are generated and only the first is decoded")
    head = loader_at(script, call, unmigrated) + (".generate" if single else ".generate_batch")
    edits = chain.edits(script.call(head, arguments, chain.indent, chain.room))
    return _with_encoding(script, encode, [Site("CG301", call.node, _SUMMARY, edits, tuple(notes))])


def _decode_of(script: Script, call: Generate) -> Decode:
    found = []
    for decode in script.flow.events(Decode):
        generated = generated_in(decode)
        if generated is not None and generated.origin is call.node:
            found.append(decode)
    if not found:
        raise CannotRewrite(_UNDECODED)
    if len(found) > 1:
        raise CannotRewrite(_TWICE)
    return found[0]


def _otherwise(
    script: Script,
    call: Generate,
    encode: Encode,
    unmigrated: frozenset[cst.CSTNode],
    reason: str,
) -> list[Site]:
    """Text in place of the ids, or the call as it is behind a guarded encoding.

    Raises:
        CannotRewrite: Neither can be done; with the reason that a reader can do most about.
    """
    if call.args.written("return_dict_in_generate") is True:
        refuse_read_padding(encode, call)
        edit, said = encoding_edit(script, encode)
        site = Site("CG301", call.node, _SUMMARY, (edit,), (_SCORES, *said))
        return _with_encoding(script, encode, [site])
    name = assigned_name(script.statement(call.place))
    if name is None:
        raise CannotRewrite(reason)
    group = [
        other
        for other in script.flow.events(Generate)
        if other.place.function is call.place.function
        and other.place.line is not None
        and assigned_name(other.place.line) == name
    ]
    for other in group:
        _refuse_model(script, other, frozenset())
    pairs = [(_encode_of(script, other, frozenset()), other) for other in group]
    try:
        done = rewrite_in_place(script, pairs, name, unmigrated)
    except CannotRewrite as text_only:
        if len(group) > 1:
            raise
        try:
            planned, told = rewrite_completion(script, encode, call, unmigrated)
        except CannotRewrite:
            carry_generate_keywords(script, call)  # a keyword without a place says more
            raise text_only from None
        done = InPlace(tuple(dict.fromkeys(planned)), (tuple(told),))
    sites: list[Site] = []
    for number, ((tokenised, other), notes) in enumerate(zip(pairs, done.notes, strict=True)):
        edits = done.edits if number == 0 else ()
        found = [Site("CG301", other.node, _SUMMARY, edits, notes)]
        sites += _with_encoding(script, tokenised, found)
    return sites


def _with_encoding(script: Script, encode: Encode, sites: list[Site]) -> list[Site]:
    if script.reports("CG201", encode.node):
        sites.append(
            Site(
                "CG201", encode.node, "tokenise with CleanModelLoader", (), (specials_note(encode),)
            )
        )
    return sites
