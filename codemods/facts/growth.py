"""Whether tokens are added to a tokenizer, and whether the guard can go along with it.

A script may give its tokenizer a token to pad with, or name its ends, and resize the model: with
`padding="files"` the loader leaves padding to it, and saving keeps what was added. All other tokens
make it another tokenizer than the model's, whose prompts the guard does not know. A script that
generates or scores may add words as well: its prompts stay the tokenizer's own (`facts.own_tokens`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from codemods.facts.dict_entries import (
    Function,
    Seen,
    entries_of,
    given_argument,
    last_of,
)
from codemods.facts.purposes import generates, trains
from codemods.plan.sites import CannotRewrite
from codemods.script.closures import imports_of
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted
from lint_rules._light.positions import Span

ADDS = ("add_special_tokens", "add_tokens")
RESIZES = "resize_token_embeddings"
_GROWS = re.compile(r"\.(add_special_tokens|add_tokens|resize_token_embeddings)\(")
_ADDS_OTHERS = re.compile(r"\.add_tokens\(|additional_special_tokens")
NAMED = frozenset({"pad_token", "eos_token", "bos_token", "unk_token"})
OTHERS = "tokens are added to the tokenizer: it would no longer be the model's"
_ENDS = (
    "another BOS is given to the tokenizer, and what the trainer generates would miss the model's"
)
# Settings with which a trainer generates in its evaluations.
_GENERATES = re.compile(rb"predict_with_generate|generate_during_eval")


def refuse_growth(script: Script) -> bool:
    """Whether the script gives the tokenizer tokens of its own that the guard can go along with.

    Raises:
        CannotRewrite: It adds others, or does not train.
    """
    answer = script.once(_judged)
    if isinstance(answer, str):
        raise CannotRewrite(answer)
    return answer


def may_grow(script: Script) -> bool:
    """Whether the script gives the tokenizer tokens, of whatever kind."""
    return script.once(_judged) is not False


def _judged(script: Script) -> bool | str:
    seen = script.look(Seen)
    calls = growing_calls(script)
    if not calls:
        return False
    if not trains(script) or generates(script) or script.is_taken("pipeline"):
        return OTHERS
    keys: set[str] = set()
    for call in calls:
        if call.adds is None:
            continue
        found = entries_of(seen, call.adds, call.function)
        if found is None or not found.keys() <= NAMED:
            return OTHERS
        keys |= found.keys()
    if "bos_token" in keys and _GENERATES.search(script.utf8):
        return _ENDS
    return True


def growing_calls(script: Script) -> list[GrowingCall]:
    """The calls of a script that make a vocabulary grow, themselves or in a function of another file."""
    seen = script.look(Seen)
    return [*_own(seen), *_borrowed(script, seen)]


@dataclass(frozen=True, slots=True)
class GrowingCall:
    """A call that makes the vocabulary grow.

    Attributes:
        node: The call.
        adds: What is given to be added, the call itself where that is not seen; None where the model follows.
        function: Where the call stands.
    """

    node: cst.Call
    adds: cst.BaseExpression | None
    function: Function


def _own(seen: Seen) -> Iterator[GrowingCall]:
    for node, function in seen.calls:
        name = last_of(node)
        if not isinstance(node.func, cst.Attribute):
            continue
        if name == RESIZES:
            yield GrowingCall(node, None, function)
        elif name in ADDS:
            given = given_argument(node, "special_tokens_dict", 0)
            # `add_tokens`, and what is given through `*`, is judged as what it may be.
            unknown = given is None or name == "add_tokens"
            yield GrowingCall(node, node if unknown else given, function)


def borrowed_growers(script: Script) -> set[str]:
    """The local names of what is imported from files of the run and makes a vocabulary grow."""
    return {
        local
        for local, module, name in imports_of(script).members
        if script.others.mentions(script.path, module, _GROWS, within=name)
    }


def _borrowed(script: Script, seen: Seen) -> Iterator[GrowingCall]:
    """Calls of functions of other files of the run that make a vocabulary grow."""
    growers = borrowed_growers(script)
    wild = {
        local
        for local, module, name in imports_of(script).members
        if local in growers
        and script.others.mentions(script.path, module, _ADDS_OTHERS, within=name)
    }
    for node, function in seen.calls if growers else ():
        called = dotted(node.func) or ""
        if called.partition(".")[0] not in growers:
            continue
        given = given_argument(node, "special_tokens_dict", 0)
        unknown = given is None or called in wild or "." in called
        yield GrowingCall(node, node if unknown else given, function)


def without_growth(script: Script) -> str:
    """The script as it is, but for the tokens that it names when it adds them, and constants for these alone."""
    spans: list[Span] = []
    names: set[str] = set()
    seen = script.look(Seen)
    for call in growing_calls(script):
        if call.adds is None or call.adds is call.node:
            continue
        spans.append(script.span(call.node))
        found = entries_of(seen, call.adds, call.function) or {}
        values = [value for part in found.values() for value in part]
        names |= {value.value for value in values if isinstance(value, cst.Name)}
    for (function, name), values in seen.assigned.items():
        reads = [use for use in script.uses(name, None) if not use.stores]
        plain = all(isinstance(value, cst.SimpleString) for value in values)
        if function is not None or not plain or script.others.takes(script.path, name):
            continue
        if (name in names or not reads) and all(
            any(s.start <= use.offset < s.end for s in spans) for use in reads
        ):
            spans += [script.span(value) for value in values]
    text = script.utf8
    for span in sorted(spans, key=lambda one: one.start, reverse=True):
        text = text[: span.start] + text[span.end :]
    return text.decode()
