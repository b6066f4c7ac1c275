"""Loads and generations that stay as they are become watched ones: the same call, and what is wrong with it told.

`AutoModelForCausalLM.from_pretrained(…)` becomes `CleanModelLoader.load_watched(…)`, `model.generate(…)` becomes
`CleanModelLoader.generate_watched(model, …)`, `pipeline(…)` becomes `CleanModelLoader.pipeline_watched(…)`: the
arguments are handed on as they are written, so that nothing about them has to be understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import libcst as cst

from codemods.facts.load_context import refuse_empty_weights
from codemods.loads.loader_classes import is_of_another_framework
from codemods.loads.own_loader import left_to_own_loader
from codemods.plan.edits import Edit, apply
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.script import Script
from codemods.watching.aligned import aligned, moved_with
from codemods.watching.classes import is_automatic
from codemods.watching.handed_on import HandedOn, generations_of, handed_on
from codemods.watching.pickling import pickles
from codemods.watching.pipelines import watched_pipelines
from codemods.watching.written import GENERATE, between, imports_beside, shows_itself
from lint_rules._flow.values.events import Generate, ModelLoad, TokenizerLoad
from lint_rules._questions.watching import is_beside_watched

_LOAD = "CleanModelLoader.load_watched"
_AUTOMATIC = "transformers.AutoModelForCausalLM.from_pretrained"
_VLLM = re.compile(r"^\s*(from|import)\s[^\n]*vllm", re.MULTILINE | re.IGNORECASE)
_LIBRARY = re.compile(r"^\s*(from|import)\s+transformers\b", re.MULTILINE)
# What nobody else's `generate` is told, such as that of a model of one's own.
_OF_TRANSFORMERS = frozenset(
    "input_ids attention_mask generation_config logits_processor stopping_criteria num_beams pad_token_id "  # noqa: SIM905
    "eos_token_id return_dict_in_generate num_return_sequences use_cache streamer do_sample "
    "repetition_penalty no_repeat_ngram_size output_scores".split()
)
# A call, but for those that make a thing and no more.
_CALLED = re.compile(r"\b(?!(bool|int|str|float)\b)[a-z_]\w*\(|[\])]\(")
_ELSEWHERE = "where its model comes from is not followed"
_COMMENT = re.compile(rb"#[^\n]*")
_SUMMARIES = {"CG101": "watch the load", "CG301": "watch the generation"}
# Libraries whose `from_pretrained` gives a pair, or patches what it loads.
_OTHERS = ("unsloth", "pytorch_transformers", "pytorch_pretrained_bert")


def watched(script: Script, sites: Sequence[Site]) -> list[Site]:
    """The sites, with those that are left made watched calls where the same call can be written.

    Args:
        script: The script.
        sites: The whole plan.
    """
    taken = [edit for site in sites for edit in site.edits]
    own: list[Edit] = []
    # A generation may hold the load of its model: `load().generate()`.
    sites = sorted(sites, key=lambda site: site.code)
    chosen = {node for _, node in (*script.declined, *script.silenced)}
    found: list[Site] = []
    for site in [*sites, *_unreported(script, sites, chosen)]:
        if site.automatic or site.code not in _SUMMARIES or site.node in chosen:
            found.append(site)
            continue
        try:
            edits = _edits(script, site, own)
        except CannotRewrite:
            edits = ()
        if not edits or any(_meets(one, other) for one in edits for other in taken):
            found += [site] if site in sites else []
            continue
        name = _LOAD if site.code == "CG101" else GENERATE
        assert isinstance(site.node, cst.Call)
        below = aligned(script, site.node, name)
        if not any(_meets(one, other) for one in below for other in (*taken, *own, *edits)):
            edits = (*(moved_with(edit, below, script.newline) for edit in edits), *below)
        own += edits
        reason = (site.reason or "").replace("stays as it is", "is not guarded")
        note = Note("carried", f"the call as it is, watched and not guarded: {reason}")
        summary = _SUMMARIES[site.code]
        found.append(replace(site, summary=summary, edits=edits, notes=(note,), reason=None))
    found = _handed(script, found, chosen, [*taken, *own])
    if not script.once(pickles):
        found += watched_pipelines(script, chosen, _SUMMARIES)
    found = left_to_own_loader(script, found, script.path)
    coming = {one.node for one in found if one.code == "CG101" and is_watched(one)}
    return [site for site in found if not (coming and _is_answered(script, site, coming))]


def _is_answered(script: Script, site: Site, coming: set[cst.CSTNode]) -> bool:
    """Whether a tokenizer stays because its model is watched, which tells what is wrong with its ids."""
    if site.automatic or site.code != "CG102":
        return False
    load = script.flow.event_at(site.node, TokenizerLoad)
    return load is not None and is_beside_watched(load, script.flow, coming)


def _unreported(script: Script, sites: Sequence[Site], chosen: set[cst.CSTNode]) -> Iterator[Site]:
    """Generations of which `check` does not know what they are given.

    They are of a model whose load is watched, or of one that comes from elsewhere and is called as transformers' are.
    """
    left = {site.node for site in sites if site.code == "CG101" and not site.automatic} - chosen
    known = {site.node for site in sites} | chosen
    library = _LIBRARY.search(script.source.text) is not None
    calls = list(script.flow.events(Generate))
    telling = {_name_of(script, call) for call in calls if library and _is_told(call)}
    for call in calls:
        if call.watched or call.node in known:
            continue
        if call.model.origin in left:
            line = script.line_of(call.model.origin)
            reason = f"the model load in line {line} stays as it is"
        elif _may_be_theirs(call) and _name_of(script, call) in telling:
            reason = _ELSEWHERE
        else:
            continue
        yield Site("CG301", call.node, _SUMMARIES["CG301"], reason=reason)


def _handed(
    script: Script, sites: list[Site], chosen: set[cst.CSTNode], written: Sequence[Edit]
) -> list[Site]:
    """The sites, with the generations watched whose `generate` is handed to what calls it."""
    for one in handed_on(script):
        met = [edit for edit in one.edits for other in written if _meets(edit, other)]
        linked = list(generations_of(one, sites))
        calls = [script.flow.event_at(site.node, Generate) for site in linked]
        strange = [call for call in calls if call is not None and _is_of_another(script, call)]
        if met or strange or one.node in chosen or any(s.node in chosen for s in linked):
            continue
        if not linked and not _is_of_transformers(script, one):
            continue
        reason = linked[0].reason if linked else None
        why = reason or _ELSEWHERE
        note = Note("carried", f"the call as it is, watched and not guarded: {why}")
        edits = one.edits
        for site in linked or [Site("CG301", one.node, _SUMMARIES["CG301"])]:
            told = replace(
                site, summary=_SUMMARIES["CG301"], edits=edits, notes=(note,), reason=None
            )
            sites = [*(other for other in sites if other is not site), told]
            edits = ()
    return sites


def _is_of_another(script: Script, call: Generate) -> bool:
    load = script.flow.event_at(call.model.origin, ModelLoad)
    return load is not None and _is_of_another_framework(load)


def _is_of_transformers(script: Script, call: HandedOn) -> bool:
    """Whether a `generate` that is handed on is one of transformers, told settings of its own."""
    text = script.source.text
    if _LIBRARY.search(text) is None or "apply_chat_template" in text or _VLLM.search(text):
        return False
    return not _OF_TRANSFORMERS.isdisjoint(call.keywords) or "Streamer(" in text


def _may_be_theirs(call: Generate) -> bool:
    """Whether something called a model, and loaded where it cannot be seen, generates from no chat."""
    if call.model.origin is not None or call.model.confidence != "named":
        return False
    return call.encoded is None or not call.encoded.rendered


def _is_told(call: Generate) -> bool:
    """Whether such a call is told settings of transformers' own: then so are the others of its name."""
    return _may_be_theirs(call) and not _OF_TRANSFORMERS.isdisjoint(call.args.keywords)


def _name_of(script: Script, call: Generate) -> str:
    """What is asked to generate, as written."""
    function = call.node.func
    return script.code(function.value) if isinstance(function, cst.Attribute) else ""


def is_watched(site: Site) -> bool:
    """Whether a site is a watched call."""
    return site.automatic and site.summary in _SUMMARIES.values()


def _meets(one: Edit, other: Edit) -> bool:
    """Whether two edits touch the same text; one may end where the other begins."""
    return one.start < other.end and other.start < one.end


def _edits(script: Script, site: Site, own: Sequence[Edit]) -> tuple[Edit, ...]:
    if site.code == "CG101":
        load = script.flow.event_at(site.node, ModelLoad)
        return () if load is None else _load(script, load)
    call = script.flow.event_at(site.node, Generate)
    return () if call is None else _generation(script, call, own, site.reason or "")


def _load(script: Script, load: ModelLoad) -> tuple[Edit, ...]:
    """The name of what is called, and the class as an argument where it is another."""
    function = load.node.func
    refuse_empty_weights(load)
    if (
        not isinstance(function, cst.Attribute)
        or function.attr.value != "from_pretrained"
        or load.api.partition(".")[0] in _OTHERS
        or _is_of_another_framework(load)
        or not _is_plain(script, load.node)
        or imports_beside(load.place)
        or script.once(pickles)
    ):
        return ()
    span = script.span(function)
    head = Edit(span.start, span.end, _LOAD)
    if load.api == _AUTOMATIC and is_automatic(script, function.value):
        return (head,)
    said = f"model_class={script.code(function.value)}"
    if not load.node.args:
        return ()  # it lacks what it loads
    last = load.node.args[-1]
    end = _behind(script, load.node, script.span(last.value).end)
    return head, Edit(end, end, f",{between(script, last)}{said}")


def _is_of_another_framework(load: ModelLoad) -> bool:
    owner = load.api.rpartition(".")[0]
    return is_of_another_framework(owner.rpartition(".")[2])


def _behind(script: Script, call: cst.Call, end: int) -> int:
    """Where the last argument of a call ends, with the parentheses that it stands in."""
    rest = script.utf8[end : script.span(call).end]
    bare = _COMMENT.sub(lambda found: b" " * len(found[0]), rest)
    closing = [at for at, byte in enumerate(bare) if byte == ord(")")]
    return end if len(closing) < 2 else end + closing[-2] + 1


def _generation(
    script: Script, call: Generate, own: Sequence[Edit], reason: str
) -> tuple[Edit, ...]:
    """The name of what is called, and the model as the first argument, with what is watched within it."""
    function = call.node.func
    if not isinstance(function, cst.Attribute) or function.attr.value != "generate":
        return ()
    load = script.flow.event_at(call.model.origin, ModelLoad)
    if load is not None and _is_of_another_framework(load):
        return ()
    model = _edited(script, function.value, own)
    # An engine of vLLM's is no model that could be watched.
    other = (load is None and "llm" in model.lower()) or "something else than a model" in reason
    if (
        (other and _VLLM.search(script.source.text))
        or "\n" in model
        or "#" in model
        or model.startswith("super(")
    ):
        return ()
    if shows_itself(script, call.node):
        return ()
    span, whole = script.span(function), script.span(call.node)
    if not call.node.args:
        return (Edit(span.start, whole.end - 1, f"{GENERATE}({model}"),)
    first = call.node.args[0]
    start = script.span(first).start
    # One edit up to the first argument, which may hold edits of its own.
    opening = script.utf8[span.end : start].decode()
    said = f"{GENERATE}{opening}{model},{between(script, first)}"
    return (Edit(span.start, start, said),)


def _edited(script: Script, node: cst.BaseExpression, own: Sequence[Edit]) -> str:
    """An expression as an argument, as edits within it leave it."""
    text, span = script.argument(node), script.span(node)
    inside = [edit for edit in own if span.start <= edit.start and edit.end <= span.end]
    if not inside:
        return text
    moved = [Edit(one.start - span.start, one.end - span.start, one.text) for one in inside]
    return apply(script.utf8[span.start : span.end], moved).decode()


def _is_plain(script: Script, call: cst.Call) -> bool:
    """Whether the class of a load is named, so that it is the same behind the arguments as before them."""
    assert isinstance(call.func, cst.Attribute)
    node: cst.BaseExpression = call.func.value
    while isinstance(node, cst.Attribute):
        node = node.value
    if isinstance(node, cst.Name):
        return True
    nested: cst.BaseExpression = node
    while isinstance(nested, cst.Subscript):
        nested = nested.value
    within = script.code(call).partition(".from_pretrained(")[2]
    if nested is node or not isinstance(nested, cst.Name) or "(" in script.code(node):
        return False
    return _CALLED.search(within) is None
