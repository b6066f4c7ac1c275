"""Models that another file of the run gets: its own plan looks after what it generates with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import libcst as cst

from codemods.facts.growth import borrowed_growers
from codemods.script.closures import ambiguous, closure_at
from codemods.script.script import Script
from lint_rules._flow.values.events import OwnCall
from lint_rules._flow.values.joins import (
    CausalLM,
    Constant,
    Decoded,
    Encoded,
    Formatted,
    Generated,
    Tokenizer,
    options,
)
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.reach import nodes_in

_GENERATES = re.compile(r"\.generate(_watched)?\(")
# What a function says that may do more with a model than generate from text and ids, or score them.
_HOLDS = re.compile(
    r"[Pp]ipeline|(?i:chat|conv_template|get_conv)|\[/?INST\]|<</?SYS>>|<\||of_turn"
    r"|evaluator\.|Trainer|setattr|generation_config|simple_evaluate|onnx|pickle|__dict__"
    r"|add_(special_)?tokens|resize_token_embeddings"
)
# What holds no model.
_BESIDE = (Tokenizer, Constant, Formatted, Encoded, Generated, Decoded)


def taken_over(
    script: Script,
    call: cst.Call,
    touches: Callable[[cst.CSTNode], bool],
    origins: frozenset[cst.CSTNode],
) -> frozenset[str]:
    """The files whose plans look after a model that a call gives away; none where nobody does.

    Args:
        script: The script.
        call: The call of what another file defines.
        touches: Whether an expression may name the model.
        origins: The loads that the model may come from.
    """
    event = script.flow.event_at(call, OwnCall)
    if event is None or b"generation_config" in script.utf8 or borrowed_growers(script):
        return frozenset()
    if ambiguous(script, dotted(call.func) or ""):
        return frozenset()
    parts = _parts(script, event) if _is_plain(event, touches, origins) else None
    if parts is None or any(_HOLDS.search(text) for _, text in parts):
        return frozenset()
    return frozenset(str(path.resolve()) for path, text in parts if _GENERATES.search(text))


def called_text(script: Script, call: cst.Call) -> str | None:
    """The text of what a call of another file's function runs; None where that cannot be followed."""
    event = script.flow.event_at(call, OwnCall)
    parts = None if event is None else _parts(script, event)
    return None if parts is None else "\n".join(text for _, text in parts)


def _parts(script: Script, event: OwnCall) -> list[tuple[Path, str]] | None:
    """What a call of another file's function runs: the texts, with their files."""
    home = script.flow.home_of(event.function)
    if home is None or home[0] == script.path.resolve():
        return None
    name = _top_of(home[1], event.function)
    if name is None:
        return None
    return script.kept(("parts", *home, name), lambda: closure_at(script.others, home[0], name))


def _is_plain(
    event: OwnCall, touches: Callable[[cst.CSTNode], bool], origins: frozenset[cst.CSTNode]
) -> bool:
    """Whether each argument that may hold the model is the model itself."""
    if event.args.opaque:
        return False
    given = (*event.args.positional, *event.args.keywords.values())
    for argument in given:
        if argument.expression is None or not touches(argument.expression):
            continue
        for option in options(argument.value):
            mine = isinstance(option, CausalLM) and option.origin in origins
            if not (mine or isinstance(option, _BESIDE)):
                return False
    return True


def _top_of(module: cst.CSTNode, function: cst.CSTNode) -> str | None:
    """The name of the function or class at the top of a module that a function stands in."""
    assert isinstance(module, cst.Module)
    for statement in module.body:
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)) and any(
            node is function for node in nodes_in(statement)
        ):
            return statement.name.value
    return None
