"""What a tokenizer that is loaded in sight is for, where nobody names its model."""

from __future__ import annotations

import re

from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import translates
from lint_rules._flow.values.events import (
    AttributeSet,
    CallSite,
    Encode,
    PipelineBuild,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import Tokenizer
from lint_rules._flow.values.syntax import dotted
from lint_rules._light import tree as cst
from lint_rules._questions.hub import runs_remote_code
from lint_rules._questions.reach import nodes_in

_MADE = ("ForCausalLM", "LMHeadModel", "AutoModelForCausalLM.from_config")
_COLLATOR = ".DataCollatorForLanguageModeling"
_COUNTS = ("tokenize", "encode", "convert_tokens_to_ids")
_PADS = ("pad_token", "pad_token_id")
_ENCODER = re.compile(r"^(enc|encoder|t5|bert)_tok|^tok\w*_(enc|encoder|t5|bert)$")
_TOLD = frozenset({"legacy", "add_bos_token", "add_eos_token"})
_ENDS = (".eos_token", ".eos_token_id")


def has_causal_use(flow: Flow) -> bool:
    """Whether a causal LM is made from a config here, or text is generated, collated or ended for one."""
    if any(built.task == "text-generation" for built in flow.events(PipelineBuild)):
        return True
    if flow.once(ends_texts):
        return True
    return any(
        site.symbol.endswith(_MADE)
        or (site.symbol.endswith(_COLLATOR) and site.args.literal("mlm") is False)
        for site in flow.events(CallSite)
    )


def ends_texts(flow: Flow) -> bool:
    """Whether EOS is written behind texts by hand, for no translator: `text + tokenizer.eos_token`."""
    return not translates(flow.imported_names) and any(
        isinstance(node, cst.BinaryOperation)
        and isinstance(node.operator, cst.Add)
        and (dotted(node.right) or "").endswith("tokenizer.eos_token")
        for node in nodes_in(flow.module)
    )


def is_used(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether something is done with a tokenizer in sight: called, given to somebody, set up."""
    if load.node in flow.once(encodes_of) or flow.is_passed(load.node):
        return True
    return any(
        isinstance(site.receiver, Tokenizer) and site.receiver.origin is load.node
        for site in flow.events(CallSite)
    ) or any(
        isinstance(change.target, Tokenizer) and change.target.origin is load.node
        for change in flow.events(AttributeSet)
    )


def is_set_up_for_generation(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether a tokenizer pads on the left, or with EOS: it has no pad token, as those of causal LMs."""
    others = [one for one in flow.once(_by_name).values() if load in one]
    twins = {one.node for one in others[0]} if others else {load.node}
    return any(
        _sets_up(change)
        for change in flow.events(AttributeSet)
        if isinstance(change.target, Tokenizer) and change.target.origin in twins
    )


def is_made_for_causal_models(load: TokenizerLoad) -> bool:
    """Whether a load says what hardly another kind of model's tokenizer is told.

    Encoders pad on the right and need no code of their own, so nobody says so.
    """
    if not _TOLD.isdisjoint(load.args.keywords):
        return True
    return runs_remote_code(load.args) or isinstance(load.args.literal("padding_side"), str)


def _sets_up(change: AttributeSet) -> bool:
    if change.attribute == "padding_side":
        return True  # encoders pad on the right and nobody says so
    given = dotted(change.expression) or ""
    return change.attribute in _PADS and given.endswith(_ENDS)


def makes_nothing_that_is_read(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether a tokenizer is used in sight, and no model, caller or row gets what it makes: it counts."""
    encodes = flow.once(encodes_of).get(load.node, [])
    if any(flow.uses(one) or flow.escapes(one) or flow.is_row(one) for one in encodes):
        return False
    return bool(encodes) or any(
        site.method in _COUNTS
        and isinstance(site.receiver, Tokenizer)
        and site.receiver.origin is load.node
        for site in flow.events(CallSite)
    )


def is_of_an_encoder(load: TokenizerLoad) -> bool:
    """Whether a tokenizer of a model that nobody names is an encoder's by the name that it is given."""
    line = load.place.line
    only = line.body[0] if line is not None and len(line.body) == 1 else None
    target = dotted(only.targets[0].target) if isinstance(only, cst.Assign) else None
    return _ENCODER.search((target or "").rsplit(".", 1)[-1].lower()) is not None


def is_global(load: TokenizerLoad) -> bool:
    """Whether a function puts a tokenizer into a global name, which others read."""
    line, function = load.place.line, load.place.function
    only = line.body[0] if line is not None and len(line.body) == 1 else None
    if function is None or not isinstance(only, cst.Assign):
        return False
    target = dotted(only.targets[0].target)
    return any(
        isinstance(node, cst.Global) and any(item.name.value == target for item in node.names)
        for node in nodes_in(function.body)
    )


def is_running_text(encode: Encode, flow: Flow) -> bool:
    """Whether a function gives a text's ids to its caller uncut and unpadded, as causal LMs read them."""
    shaped = any(
        encode.args.get(name) is not None for name in ("padding", "truncation", "max_length")
    )
    return not shaped and encode.args.get("return_tensors") is not None and flow.escapes(encode)


def encodes_of(flow: Flow) -> dict[cst.CSTNode, list[Encode]]:
    """The encodings of each tokenizer that is loaded here.

    Of those that branches load into one name each is followed alone; they share what is made with any.
    """
    found: dict[cst.CSTNode, list[Encode]] = {}
    for one in flow.events(Encode):
        if one.tokenizer.origin is not None:
            found.setdefault(one.tokenizer.origin, []).append(one)
    for others in flow.once(_by_name).values():
        for load in others if len(others) > 1 else ():
            twins = [one for one in others if one.place.block is not load.place.block]
            shared = [encode for twin in twins for encode in found.get(twin.node, ())]
            if shared and load.node not in found:
                found[load.node] = shared
    return found


def _by_name(flow: Flow) -> dict[object, list[TokenizerLoad]]:
    """The loads of a function by the name that each is assigned to."""
    found: dict[object, list[TokenizerLoad]] = {}
    for load in flow.events(TokenizerLoad):
        line = load.place.line
        only = line.body[0] if line is not None and len(line.body) == 1 else None
        if isinstance(only, cst.Assign) and only.value is load.node:
            target = dotted(only.targets[0].target)
            if target is not None:
                found.setdefault((load.place.function, target), []).append(load)
    return found
