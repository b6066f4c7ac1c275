"""Tokens that a script adds without training: to merge, to convert, to take the difference of two models.

What grows is then only measured, resized, merged and saved. As for training, and with `padding="files"`, the
loader leaves it as its files have it, and nothing asks the guard what a prompt of it would be. What is used
otherwise as well is a matter of `facts.growth_in_use`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import libcst as cst

from codemods.facts.dict_entries import last_of
from codemods.facts.growth import (
    ADDS,
    RESIZES,
    borrowed_growers,
    may_grow,
    refuse_growth,
)
from codemods.facts.growth_in_use import of_another_model, only_resizes, why_not_in_use
from codemods.facts.purposes import trains
from codemods.plan.sites import CannotRewrite
from codemods.script.closures import closure_text, imports_of
from codemods.script.definitions import Functions
from codemods.script.looking import Looking
from codemods.script.model_uses import Calls, reaches
from codemods.script.script import Script
from lint_rules._flow.values.events import ModelLoad, TokenizerLoad
from lint_rules._flow.values.syntax import dotted

_Load = ModelLoad | TokenizerLoad
Growth = Literal["none", "kept", "used"]
# Methods of a model or a tokenizer that give no ids to a model, and make none of a text.
_HARMLESS = frozenset(
    [
        *(
            *ADDS,
            RESIZES,
            "save_pretrained",
            "push_to_hub",
            "get_vocab",
            "convert_ids_to_tokens",
            "convert_tokens_to_ids",
        ),
        *("get_input_embeddings", "get_output_embeddings", "state_dict", "load_state_dict"),
        *("named_parameters", "parameters", "named_modules", "modules", "named_buffers", "buffers"),
        *("to", "half", "float", "bfloat16", "cpu", "cuda", "eval", "tie_weights"),
        *("merge_and_unload", "requires_grad_", "num_parameters"),
    ]
)
# Those that give the same model back.
_SAME = ("to", "half", "float", "bfloat16", "cpu", "cuda", "eval", "merge_and_unload")
_TELLS = frozenset(
    ["print", "len", "str", "repr", "type", "isinstance", "getattr", "hasattr", "id"]
)
# What a function of another file does that gives ids to a model.
_READS = re.compile(r"\w*(model|tokenizer)\w*\(|generate|encode|input_ids|tokenize|forward\(")


def grows(script: Script, *loads: _Load) -> Growth:
    """What becomes of what some loads give and tokens are added to.

    Returns:
        `none` where none are; `kept` where it is trained, saved, merged or converted; `used` where the
        script generates with it, or scores.

    Raises:
        CannotRewrite: The guard cannot go along with them.
    """
    if trains(script):
        return "kept" if refuse_growth(script) else "none"
    found = {_grows(script, load) for load in loads} if may_grow(script) else {"none"}
    return "used" if "used" in found else "kept" if "kept" in found else "none"


def _grows(script: Script, load: _Load) -> Growth:
    """What becomes of what one load of a script that does not train gives.

    Raises:
        CannotRewrite: It is used, and the guard might take what is added for a chat's.
    """
    seen = script.look(_Uses)
    growing = script.once(_growing_calls)
    if not any(reaches(script, load, part) for call in growing for part in _parts(call)) and not (
        isinstance(load, TokenizerLoad) and any(map(_is_unseen, growing))
    ):
        return "none"
    names = _holders(seen, load.node)
    uses = [use for use in seen.uses if use.name in names]
    calls = set(map(id, growing))
    if names and all(_is_harmless(script, use, calls) for use in uses):
        return "kept"
    why = why_not_in_use(script)
    if why is not None:
        raise CannotRewrite(why)
    if isinstance(load, TokenizerLoad) and of_another_model(script, load):
        raise CannotRewrite(
            f"tokens are added to the tokenizer of {load.model.text}, which is not the model's own"
        )
    return "none" if only_resizes(script) else "used"


def _holders(seen: _Uses, load: cst.CSTNode) -> set[str]:
    """The names that hold what a load gives, an adapter's wrapper around it among them."""
    names: set[str] = set()
    size = -1
    while size < len(names):
        size = len(names)
        for name, value in seen.assigned:
            if _holds(value, load, names):
                names.add(name)
    return names


def _holds(value: cst.BaseExpression, load: cst.CSTNode, names: set[str]) -> bool:
    if value is load or (isinstance(value, cst.Name) and value.value in names):
        return True
    if not isinstance(value, cst.Call):
        return False
    if _wraps(value):
        return any(_holds(arg.value, load, names) for arg in value.args)
    if isinstance(value.func, cst.Attribute) and value.func.attr.value in _SAME:
        return _holds(value.func.value, load, names)
    return False


def _wraps(call: cst.Call) -> bool:
    return (dotted(call.func) or "").endswith("PeftModel.from_pretrained")


@dataclass(frozen=True, slots=True)
class _Use:
    """A place where a name is read.

    Attributes:
        name: The name.
        method: The method that is called on it, or None.
        attribute: It is only an attribute of it that is read or set.
        call: The call that it is given to as it is, or None.
        stores: It is what a statement assigns.
    """

    name: str
    method: str | None = None
    attribute: bool = False
    call: cst.Call | None = None
    stores: bool = False


def _is_harmless(script: Script, use: _Use, growing: set[int]) -> bool:
    if use.stores:
        return True
    if use.method is not None:
        return use.method in _HARMLESS
    if use.attribute:
        return True
    if use.call is None:
        return False
    called = dotted(use.call.func) or ""
    last = called.rpartition(".")[2]
    if called in _TELLS or id(use.call) in growing or _wraps(use.call):
        return True
    if last in script.look(Functions).named:
        return False
    members = imports_of(script).members
    imported = [(module, name) for local, module, name in members if local == called]
    texts = [closure_text(script.others, script.path, *one) for one in imported]
    return bool(texts) and all(text is not None and not _READS.search(text) for text in texts)


def _growing_calls(script: Script) -> list[cst.Call]:
    """The calls that make something grow, also through functions of the script or of another file."""
    calls = script.look(Calls, None).found
    borrowed = borrowed_growers(script)
    growing = [
        call
        for call in calls
        if last_of(call) in (*ADDS, RESIZES)
        or (dotted(call.func) or "").partition(".")[0] in borrowed
    ]
    helpers: set[str] = set()
    while True:
        inside = {
            name
            for name, body in script.look(Functions).named.items()
            if name not in helpers and any(_within(body, call) for call in growing)
        }
        through = [call for call in calls if last_of(call) in inside]
        if not inside:
            return growing
        helpers |= inside
        growing += [call for call in through if call not in growing]


def _within(function: cst.FunctionDef, call: cst.Call) -> bool:
    waiting: list[cst.CSTNode] = [function]
    while waiting:
        node = waiting.pop()
        if node is call:
            return True
        waiting.extend(node.children)
    return False


def _is_unseen(call: cst.Call) -> bool:
    """Whether it cannot be told to which tokenizer a call adds: `get_tokenizer().add_tokens(…)`."""
    plain = (cst.Name, cst.Attribute, cst.Subscript)
    return (
        last_of(call) in ADDS
        and isinstance(call.func, cst.Attribute)
        and not isinstance(call.func.value, plain)
    )


def _parts(call: cst.Call) -> list[cst.CSTNode]:
    owner = [call.func.value] if isinstance(call.func, cst.Attribute) else []
    return [*owner, *(arg.value for arg in call.args)]


class _Uses(Looking):
    """How names are used, and what is assigned to them."""

    def __init__(self) -> None:
        self.uses: list[_Use] = []
        self.assigned: list[tuple[str, cst.BaseExpression]] = []
        self._told: set[int] = set()

    def visit_Param(self, node: cst.Param) -> None:
        self._tell(node.name, stores=True)

    def visit_Assign(self, node: cst.Assign) -> None:
        for one in node.targets:
            self._assign(one.target, node.value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._assign(node.target, node.value)

    def _assign(self, target: cst.CSTNode, value: cst.BaseExpression | None) -> None:
        self._tell(target, stores=True)
        if isinstance(target, cst.Name) and value is not None:
            self.assigned.append((target.value, value))
            if isinstance(value, cst.Name):  # another name for the same
                self._told.add(id(value))

    def visit_Call(self, node: cst.Call) -> None:
        if isinstance(node.func, cst.Attribute):
            self._told.add(id(node.func))
            self._tell(node.func.value, method=node.func.attr.value)
        for arg in node.args:
            if not arg.star:
                self._tell(arg.value, call=node)
            if arg.keyword is not None:
                self._told.add(id(arg.keyword))

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self._told.add(id(node.attr))
        if id(node) not in self._told:
            self._tell(node.value, attribute=True)

    def visit_Name(self, node: cst.Name) -> None:
        if id(node) not in self._told:
            self.uses.append(_Use(node.value))

    def _tell(
        self,
        node: cst.CSTNode,
        *,
        method: str | None = None,
        attribute: bool = False,
        call: cst.Call | None = None,
        stores: bool = False,
    ) -> None:
        if isinstance(node, cst.Name) and id(node) not in self._told:
            self._told.add(id(node))
            self.uses.append(_Use(node.value, method, attribute, call, stores))
