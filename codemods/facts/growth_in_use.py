"""Tokens that a script adds to the tokenizer of a model that it generates with, or scores.

Its ids stay the tokenizer's own, so that all that counts is what the guard sees in them: a pad token, the ends of
a text and plain words are no marks of a chat, and the guard of a model leaves them alone.
"""

from __future__ import annotations

import re

import libcst as cst

from codemods.facts.dict_entries import (
    Function,
    Seen,
    entries_of,
    given_argument,
    last_of,
    parameters,
    text_of,
)
from codemods.facts.growth import NAMED, GrowingCall, growing_calls
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad
from lint_rules._flow.values.syntax import dotted

# Names that publishers give to padding and to the ends of a text, and plain words.
_PLAIN = re.compile(
    r"</?s>|<[|｜]?(endoftext|end_of_text|begin_of_text|pad(ding)?|PAD(DING)?|unk|UNK|[be]os|[BE]OS|mask|MASK)[|｜]?>"
    r"|\[(PAD|UNK|BOS|EOS|MASK|SEP|CLS)\]"
)
_WORDS = re.compile(r"[\w\s.,;:!?'\"()+*/=-]*")
_UNSEEN = "adds tokens to the tokenizer that cannot be seen, and a chat's may be among them"


def why_not_in_use(script: Script) -> str | None:
    """Why the guard cannot go along with the tokens that a script adds and then uses; None where it can."""
    return script.once(_judged)


def of_another_model(script: Script, load: TokenizerLoad) -> bool:
    """Whether a tokenizer is loaded by a name that is written out, and that no model of the script has."""
    models = {model.model.text for model in script.flow.events(ModelLoad)}
    name = load.model.text
    return bool(models) and load.model.fixed and name is not None and name not in models


def renames_bos(script: Script) -> bool:
    """Whether a script names another BOS among the tokens that it adds."""
    return script.once(_renames_bos)


def only_resizes(script: Script) -> bool:
    """Whether a script only gives its model other rows, and its tokenizer no token."""
    return all(call.adds is None for call in growing_calls(script))


def _judged(script: Script) -> str | None:
    if script.others.serves(script.path):
        return "tokens are added to a tokenizer that another file of the run may take from here"
    for call in growing_calls(script):
        why = _why(script, call)
        if why is not None:
            return f"line {script.line_of(call.node)} {why}"
    return None


def _renames_bos(script: Script) -> bool:
    seen = script.look(Seen)
    for call in growing_calls(script):
        if call.adds is not None and call.adds is not call.node:
            found = entries_of(seen, call.adds, call.function)
            if found is None or "bos_token" in found:
                return True
    return False


def _why(script: Script, call: GrowingCall) -> str | None:
    seen = script.look(Seen)
    if call.adds is None:
        return None
    if last_of(call.node) == "add_tokens":
        return None if _adds_words(seen, call) else _UNSEEN
    if call.adds is call.node:
        return _UNSEEN
    found = entries_of(seen, call.adds, call.function)
    if found is None:
        return _UNSEEN
    for key, values in found.items():
        if key not in NAMED:
            return f"adds `{key}` to the tokenizer, which the guard would take for a chat's"
        for value in values:
            if not _is_plain(script, value, call.function):
                return f"names a `{key}` that may be a chat's"
    return None


def _is_plain(script: Script, node: cst.BaseExpression, function: Function) -> bool:
    """Whether a token is certainly none of a chat's; what the model's own tokenizer names is none."""
    text = text_of(node)
    if text is not None:
        return _PLAIN.fullmatch(text) is not None or _WORDS.fullmatch(text) is not None
    if isinstance(node, cst.Attribute):
        return node.attr.value in NAMED
    if isinstance(node, cst.BooleanOperation):
        return all(_is_plain(script, one, function) for one in (node.left, node.right))
    if isinstance(node, cst.IfExp):
        return all(_is_plain(script, one, function) for one in (node.body, node.orelse))
    if isinstance(node, cst.Call) and last_of(node) == "AddedToken" and node.args:
        return _is_plain(script, node.args[0].value, function)
    if not isinstance(node, cst.Name):
        return False
    if node.value == "None":
        return True
    scope = script.home_of(node.value, function)
    values = script.assigned_values(node.value, scope)
    seen = bool(values) and len(values) == len(script.stores_of(node.value, scope))
    return seen and all(text_of(v) is not None and _is_plain(script, v, scope) for v in values)


def _adds_words(seen: Seen, call: GrowingCall) -> bool:
    """Whether `add_tokens` adds plain words, which no rule of the guard is about."""
    node = call.node
    named = {a.keyword.value: a.value for a in node.args if a.keyword is not None}
    plain = [a.value for a in node.args if a.keyword is None]
    if any(a.star for a in node.args) or named.keys() - {"new_tokens", "special_tokens"}:
        return False
    given = named.get("new_tokens", plain[0] if plain else None)
    special = named.get("special_tokens", plain[1] if len(plain) > 1 else None)
    if special is not None and not _is_false(seen, special, call.function):
        return False
    if isinstance(given, cst.List):
        return all(_is_word(element.value) for element in given.elements)
    if isinstance(given, cst.ListComp):
        return _is_word(given.elt)
    return given is not None and _is_word(given)


def _is_word(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply):
        return any(_is_word(one) for one in (node.left, node.right))
    text = text_of(node)
    return text is not None and _WORDS.fullmatch(text) is not None


def _is_false(seen: Seen, node: cst.BaseExpression, function: Function) -> bool:
    """Whether a switch is off: written so, or so by a parameter's default and in every call."""
    if dotted(node) == "False":
        return True
    if function is None or not isinstance(node, cst.Name):
        return False
    name = node.value
    if name not in parameters(function) or (function, name) in seen.assigned:
        return False
    every = (
        *function.params.posonly_params,
        *function.params.params,
        *function.params.kwonly_params,
    )
    default = next(one.default for one in every if one.name.value == name)
    given = [default] if default is not None else []
    place = parameters(function).index(name)
    for call, _ in seen.calls:
        if last_of(call) != function.name.value:
            continue
        if any(a.star for a in call.args):
            return False
        said = given_argument(call, name, place)
        if said is None and default is None:
            return False
        given += [] if said is None else [said]
    return bool(given) and all(dotted(one) == "False" for one in given)
