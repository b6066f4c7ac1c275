"""What else a script does with what it loads that a guarded model or tokenizer would not go along with."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from pathlib import Path

import libcst as cst

from codemods.facts.growth_aside import grows
from codemods.facts.load_targets import target_of
from codemods.facts.purposes import trains
from codemods.plan.sites import CannotRewrite
from codemods.script.elsewhere import Elsewhere
from codemods.script.foreign import foreign_loads
from codemods.script.model_uses import Calls
from codemods.script.script import Script
from lint_rules._flow.values.events import (
    AdapterAttach,
    AttributeSet,
    Encode,
    Forward,
    Generate,
    LoaderCall,
    ModelLoad,
    TokenizerLoad,
)
from lint_rules._flow.values.joins import Constant, Tokenizer
from lint_rules._flow.values.syntax import dotted
from lint_rules._questions.hand_made_text import chat_reach, writes_chat

_WORD = re.compile(r"\w+")
_IMPORTS = re.compile(
    r"^\s*from\s+([.\w]+)\s+import\s+(\([^)]*\)|[^\n]*)|^\s*import\s+([^\n;\"']+)", re.MULTILINE
)
# Rows of a training often come through a package and a helper.
_STEPS = 5
_PICKLERS = ("pickle.dump", "dill.dump", "joblib.dump", "cloudpickle.dump")
_ENDS = ("eos_token", "eos_token_id")


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
    generates = next(script.flow.events(Generate), None) is not None
    name = script.once(chat_elsewhere) if generates and not trains(script) else None
    where = script.look(Calls, None).found[:1] if name is not None and nodes else ()
    for call in where:
        yield call, f"{name} writes a chat format, which the guard refuses in what is read"
    handed_on = trains(script) or script.others.serves(script.path)
    for event in script.flow.events(AttributeSet):
        ours = isinstance(event.target, Tokenizer) and event.target.origin in nodes
        if ours and event.attribute in _ENDS and _lacks_pad(script, event):
            yield (
                event.node,
                "it sets the end where the pad token is missing, and the loader brings one",
            )
        said = not (isinstance(event.value, Constant) and event.value.value is None)
        if ours and event.attribute == "chat_template" and said and handed_on:
            yield event.node, "it sets a chat template, which the guard does not render"
    for call in script.look(Calls, "dump").found:
        pickles = dotted(call.func) in _PICKLERS and bool(call.args)
        value = call.args[0].value if pickles else None
        name = "" if value is None else (dotted(value) or "").rpartition(".")[2]
        if name and name in _tokenizers(script, nodes):
            yield call, "it pickles what may be the tokenizer, and its guard with it"
    names = script.once(_models)
    for call in script.look(Calls, "save").found:
        if dotted(call.func) != "torch.save" or not call.args:
            continue
        held = [part for part in _held(call.args[0].value) if script.code(part) in names]
        if any(touches(part) for part in held):
            yield call, "it pickles the model, and its guard with it: save `state_dict()`"


def _tokenizers(script: Script, nodes: frozenset[cst.CSTNode]) -> set[str]:
    """The last names of what tokenizers are assigned to."""
    loads = [load for load in script.flow.events(TokenizerLoad) if load.node in nodes]
    targets = [target_of(script, load) for load in loads]
    return {one.text.rpartition(".")[2] for one in targets if one is not None}


def _lacks_pad(script: Script, event: AttributeSet) -> bool:
    """Whether a line runs where a tokenizer has no pad token, and the loader leaves none away."""
    tests = [script.code(one.test) for one in event.place.parents if isinstance(one, cst.If)]
    if not any("pad_token" in test and ("None" in test or "not " in test) for test in tests):
        return False
    load = script.flow.event_at(getattr(event.target, "origin", None), TokenizerLoad)
    if load is None:
        return True
    with suppress(CannotRewrite):
        return grows(script, load) == "none"
    return False


def chat_elsewhere(script: Script) -> str | None:
    """The name of a file that a script imports and that writes a chat format; None where none does."""
    others, steps = script.others, _STEPS if trains(script) else 1
    seen, now = {script.path}, [script.path]
    for _ in range(steps):
        now = [one for path in now for one in _imported(others, path) if one not in seen]
        for path in now:
            if writes_chat(others.text(path)) and others.once(path, _writes_chat):
                return path.name
        seen.update(now)
    return None


def _imported(others: Elsewhere, path: Path) -> list[Path]:
    return [one for name in _modules(others.text(path)) for one in others.modules(path, name)]


def _modules(text: str) -> list[str]:
    """What a text imports, by the dotted names that modules may have."""
    found: list[str] = []
    for start, names, plain in _IMPORTS.findall(text):
        words = _WORD.findall(names)
        joint = "" if start.endswith(".") else "."
        found += [start, *(f"{start}{joint}{word}" for word in words)] if start else []
        found += re.findall(r"[\w.]+", plain)
    return list(dict.fromkeys(found))


def _writes_chat(tree: ast.Module) -> bool:
    """Whether a module has a text of a chat format; what it says of itself is none."""
    told = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    return any(
        isinstance(node, ast.Constant)
        and id(node) not in told
        and isinstance(node.value, str)
        and writes_chat(node.value)
        for node in ast.walk(tree)
    )


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


def without_model(
    script: Script, tokenizers: Iterable[cst.CSTNode], done: Set[cst.CSTNode]
) -> dict[cst.CSTNode, str]:
    """Tokenizers of a script that trains, generates or scores with a model that is none of the loader's.

    Ids would be the same, but not the pad token, nor what is saved with the model.

    Args:
        script: The script.
        tokenizers: Those that would be rewritten.
        done: All loads that would be.
    """
    flow = script.flow
    uses = trains(script) or any(
        next(flow.events(kind), None) is not None for kind in (Generate, Forward)
    )
    if not uses and not script.has_attribute("generate("):
        return {}
    if any(load.node in done for load in flow.events(ModelLoad)):
        return {}
    if next(flow.events(LoaderCall), None) is not None:
        return {}
    stays = script.others.left
    if any(key is not None and key not in stays for key in foreign_loads(script).values()):
        return {}
    why = "the model that it is used with is none of the loader's"
    return dict.fromkeys(tokenizers, why)
