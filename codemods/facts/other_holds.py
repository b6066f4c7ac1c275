"""What else a script does with what it loads that a guarded model or tokenizer would not go along with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import libcst as cst

from codemods.facts.purposes import trains
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.events import AdapterAttach, Encode, ModelLoad
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.hand_made_text import chat_reach


def other_holds(
    script: Script, nodes: frozenset[cst.CSTNode], touches: Callable[[cst.CSTNode], bool]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Text of a chat that is tokenised to train on it; models that are pickled.

    Args:
        script: The script.
        nodes: The loads.
        touches: Whether an expression may name one of their models.
    """
    chat = script.flow.once(chat_reach)
    for encode in script.flow.events(Encode) if trains(script) else ():
        text = encode.args.get("text", 0)
        ours = encode.tokenizer.origin in nodes and text is not None
        if ours and text and text.expression is not None and chat.touches(text.expression):
            yield encode.node, "a chat format may be in what it tokenises, which the guard refuses"
    names = script.once(_models)
    for call in script.look(Calls, "save").found:
        if dotted(call.func) != "torch.save" or not call.args:
            continue
        held = [part for part in _held(call.args[0].value) if script.code(part) in names]
        if any(touches(part) for part in held):
            yield call, "it pickles the model, and its guard with it: save `state_dict()`"


def _models(script: Script) -> frozenset[str]:
    """What models are assigned to, as written; names of what is made of them are not among it."""
    found: set[str] = set()
    loads: list[ModelLoad | AdapterAttach] = [*script.flow.events(ModelLoad)]
    loads += script.flow.events(AdapterAttach)
    for load in loads:
        for line in [load.place.line] if load.place.line is not None else []:
            for part in line.body:
                targets = part.targets if isinstance(part, cst.Assign) else ()
                found |= {script.code(one.target) for one in targets}
    return frozenset(found)


def _held(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The objects that an expression holds as they are."""
    if isinstance(node, (cst.Name, cst.Attribute)):
        yield node
    elif isinstance(node, (cst.Dict, cst.List, cst.Tuple)):
        for element in node.elements:
            yield from _held(element.value)
