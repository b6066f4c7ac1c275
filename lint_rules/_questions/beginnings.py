"""Whether a prompt gets a BOS: what the model's files say, and what the script says to the tokenizer."""

from __future__ import annotations

import re

from cleanguard.catalogue.begin_tokens import UNKNOWN_BEGINNING, Beginning, beginning_of
from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.standing import last_part
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import Encode, ModelLoad, Place, TemplateApply, TokenizerLoad
from lint_rules._flow.values.joins import Constant, ModelId, Tokenizer, Value, options
from lint_rules._flow.values.text import BOS, BOS_TEXTS, leads_with
from lint_rules._questions.hand_made_text import names_bos, names_chat
from lint_rules._questions.reach import nodes_in

# By the `padding_side` in tokenizer_config.json, or by the default of the tokenizer's class.
_PADS_LEFT = re.compile(r"^(chat)?glm|^phi-?[34]|^codegemma|^internlm|^falcon3|^baichuan")


def beginning(model: ModelId) -> Beginning:
    """What the files of a model say about its first token."""
    return UNKNOWN_BEGINNING if model.text is None else beginning_of(model.text)


def bos_is_off(tokenizer: Tokenizer, place: Place, flow: Flow) -> bool:
    """Whether the script tells a tokenizer to add no BOS, at load or before this place."""
    said = place.setting(tokenizer, "add_bos_token")
    if said is None:
        load = flow.event_at(tokenizer.origin, TokenizerLoad)
        said = None if load is None else load.args.value("add_bos_token")
    return said is not None and Constant(False) in options(said)


def is_off_for_others(load: TokenizerLoad, flow: Flow) -> bool:
    """Whether a tokenizer that adds no BOS is handed on beside a causal LM, to code that tokenises.

    Not where BOS or a chat format is written in sight: then nobody needs the tokenizer's.
    """
    if load.args.literal("add_bos_token") is not False or not flow.is_passed(load.node):
        return False
    if beginning(load.model).tokenizer == "no" or not any(True for _ in flow.events(ModelLoad)):
        return False
    if any(one.tokenizer.origin is load.node and flow.uses(one) for one in flow.events(Encode)):
        return False  # told there
    if any(True for _ in flow.events(TemplateApply)) or any(
        map(leads_with_bos, flow.events(Encode))
    ):
        return False
    return not any(names_bos(node) or names_chat(node) for node in nodes_in(flow.module))


def leads_with_bos(encode: Encode) -> bool:
    """Whether a text begins with BOS: the tokenizer's own, or one written out."""
    return leads_with(encode.text, BOS_TEXTS)


def writes_its_bos(text: Value, model: ModelId) -> bool:
    """Whether a text begins with the BOS of this model, where that is known; another's is plain text."""
    known = beginning(model).bos
    return leads_with(text, BOS_TEXTS if known is None else (BOS, known))


def pads_left(model: ModelId) -> bool:
    """Whether a family's tokenizers pad on the left unless they are told otherwise."""
    family = None if model.text is None else family_of(model.text)
    if family is not None and family.name in ("gemma", "bloom", "mistral"):
        return True
    return model.text is not None and _PADS_LEFT.search(last_part(model.text)) is not None
