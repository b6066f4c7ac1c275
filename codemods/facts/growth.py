"""Whether tokens are added to a tokenizer, and whether the guard can go along with it.

A script that trains may give its tokenizer a token to pad with, or name its ends, and resize the model:
with `padding="files"` the loader leaves padding to it, and saving keeps what was added. All other
tokens make it another tokenizer than the model's, whose prompts the guard does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from codemods.facts.purposes import trains
from codemods.plan.sites import CannotRewrite
from codemods.script.definitions import Imported
from codemods.script.looking import Looking
from codemods.script.script import Script
from lint_rules._flow.values.syntax import dotted

ADDS = ("add_special_tokens", "add_tokens")
RESIZES = "resize_token_embeddings"
_GROWS = re.compile(r"\.(add_special_tokens|add_tokens|resize_token_embeddings)\(")
_ADDS_OTHERS = re.compile(r"\.add_tokens\(|additional_special_tokens")
_NAMED = frozenset({"pad_token", "eos_token", "bos_token", "unk_token"})
OTHERS = "tokens are added to the tokenizer: it would no longer be the model's"
_ENDS = (
    "another BOS is given to the tokenizer, and what the trainer generates would miss the model's"
)
# Settings with which a trainer generates in its evaluations.
_GENERATES = re.compile(rb"predict_with_generate|generate_during_eval")

_Function = cst.FunctionDef | None


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
    seen = script.look(_Seen)
    calls = [*_own(seen), *_borrowed(script, seen)]
    if not calls:
        return False
    if not trains(script) or script.has_attribute("generate(") or script.is_taken("pipeline"):
        return OTHERS
    keys: set[str] = set()
    for call in calls:
        if call.adds is None:
            continue
        found = _keys(seen, call.adds, call.function)
        if found is None or not found <= _NAMED:
            return OTHERS
        keys |= found
    if "bos_token" in keys and _GENERATES.search(script.utf8):
        return _ENDS
    return True


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that makes the vocabulary grow.

    Attributes:
        adds: What is given to be added; None where the model follows, or nothing is given.
        function: Where the call stands.
    """

    adds: cst.BaseExpression | None
    function: _Function


def _own(seen: _Seen) -> Iterator[_Call]:
    for node, function in seen.calls:
        name = _last(node)
        if not isinstance(node.func, cst.Attribute):
            continue
        if name == RESIZES:
            yield _Call(None, function)
        elif name in ADDS:
            given = _given(node, "special_tokens_dict", 0)
            # `add_tokens`, and what is given through `*`, is judged as what it may be.
            unknown = given is None or name == "add_tokens"
            yield _Call(node if unknown else given, function)


def borrowed_growers(script: Script) -> set[str]:
    """The local names of what is imported from files of the run and makes a vocabulary grow."""
    return {
        local
        for local, module, name in script.look(Imported).members
        if script.others.mentions(script.path, module, _GROWS, within=name)
    }


def _borrowed(script: Script, seen: _Seen) -> Iterator[_Call]:
    """Calls of functions of other files of the run that make a vocabulary grow."""
    growers = borrowed_growers(script)
    wild = {
        local
        for local, module, name in script.look(Imported).members
        if local in growers
        and script.others.mentions(script.path, module, _ADDS_OTHERS, within=name)
    }
    for node, function in seen.calls if growers else ():
        called = dotted(node.func) or ""
        if called.partition(".")[0] not in growers:
            continue
        given = _given(node, "special_tokens_dict", 0)
        unknown = given is None or called in wild or "." in called
        yield _Call(node if unknown else given, function)


def _keys(seen: _Seen, node: cst.BaseExpression, function: _Function) -> set[str] | None:
    """The keys of a dict that is written out, here or where the function is called; None if unseen."""
    if isinstance(node, cst.Dict):
        keys = [one.key if isinstance(one, cst.DictElement) else None for one in node.elements]
        texts = [_text(key) for key in keys]
        return None if None in texts else {text for text in texts if text is not None}
    if isinstance(node, cst.Call) and dotted(node.func) == "dict":
        named = [argument.keyword for argument in node.args]
        if any(one is None for one in named):
            return None
        return {one.value for one in named if one is not None}
    if isinstance(node, cst.Name):
        return _named_keys(seen, node.value, function)
    return None


def _named_keys(seen: _Seen, name: str, function: _Function) -> set[str] | None:
    if function is not None and name in (places := _parameters(function)):
        return _callers_keys(seen, function, name, places.index(name))
    if seen.handled(name, function):
        return None
    values = seen.assigned.get((function, name), [])
    keys: set[str] = set()
    for value in values:
        found = None if isinstance(value, cst.Name) else _keys(seen, value, function)
        if found is None:
            return None
        keys |= found
    for key in seen.put.get((function, name), []):
        text = _text(key)
        if text is None:
            return None
        keys.add(text)
    return keys if values else None


def _callers_keys(seen: _Seen, function: cst.FunctionDef, name: str, place: int) -> set[str] | None:
    """The keys of what every call in the file gives a helper's parameter."""
    keys: set[str] = set()
    if (function, name) in seen.assigned or (function, name) in seen.put:
        return None
    for node, around in seen.calls:
        called = dotted(node.func) or ""
        if called.rpartition(".")[2] != function.name.value:
            continue
        given = _given(node, name, place)
        found = None if given is None or around is function else _keys(seen, given, around)
        if found is None:
            return None
        keys |= found
    return keys


class _Seen(Looking):
    """Calls, imports and what names are assigned and filled with, by the function that they stand in."""

    def __init__(self) -> None:
        self.calls: list[tuple[cst.Call, _Function]] = []
        self.assigned: dict[tuple[_Function, str], list[cst.BaseExpression]] = {}
        self.put: dict[tuple[_Function, str], list[cst.BaseExpression]] = {}
        self.evaluates = False
        self._mentions: dict[tuple[_Function, str], int] = {}
        self._explained: dict[tuple[_Function, str], int] = {}
        self._inside: list[cst.FunctionDef] = []

    def handled(self, name: str, function: _Function) -> bool:
        """Whether something else is done with a name than assigning, filling, and giving it to a call."""
        key = (function, name)
        return self._mentions.get(key, 0) != self._explained.get(key, 0)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._inside.append(node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:  # noqa: ARG002
        self._inside.pop()

    def visit_Name(self, node: cst.Name) -> None:
        self._count(self._mentions, node.value)

    def visit_Arg(self, node: cst.Arg) -> None:
        if isinstance(node.value, cst.Name) and not node.star:
            self._count(self._explained, node.value.value)
        keyword = None if node.keyword is None else node.keyword.value
        if keyword is not None:  # it is no use of that name
            self._count(self._explained, keyword)
        nothing = isinstance(node.value, cst.Name) and node.value.value == "None"
        if keyword == "eval_dataset" and not nothing:
            self.evaluates = True

    def visit_Call(self, node: cst.Call) -> None:
        self.calls.append((node, self._function()))
        self.evaluates |= _last(node) == "evaluate"

    def visit_Assign(self, node: cst.Assign) -> None:
        for one in node.targets:
            self._bound(one.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None:
            self._bound(node.target, node.value)

    def _bound(self, target: cst.BaseExpression, value: cst.BaseExpression) -> None:
        if isinstance(target, cst.Name):
            self.assigned.setdefault((self._function(), target.value), []).append(value)
            self._count(self._explained, target.value)
        elif isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name):
            index = target.slice[0].slice if len(target.slice) == 1 else None
            if isinstance(index, cst.Index):
                key = (self._function(), target.value.value)
                self.put.setdefault(key, []).append(index.value)
                self._count(self._explained, target.value.value)

    def _count(self, counts: dict[tuple[_Function, str], int], name: str) -> None:
        key = (self._function(), name)
        counts[key] = counts.get(key, 0) + 1

    def _function(self) -> _Function:
        return self._inside[-1] if self._inside else None


def _given(node: cst.Call, keyword: str, place: int) -> cst.BaseExpression | None:
    """An argument by its name or its place; None where it is not there, or a `*` may hold it."""
    if any(argument.star for argument in node.args):
        return None
    plain = [argument.value for argument in node.args if argument.keyword is None]
    named = [a.value for a in node.args if a.keyword is not None and a.keyword.value == keyword]
    return next(iter([*named, *plain[place : place + 1]]), None)


def _parameters(function: cst.FunctionDef) -> list[str]:
    params = function.params
    return [
        one.name.value for one in (*params.posonly_params, *params.params, *params.kwonly_params)
    ]


def _text(node: cst.BaseExpression | None) -> str | None:
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None


def _last(node: cst.Call) -> str:
    return (dotted(node.func) or "").rpartition(".")[2]
