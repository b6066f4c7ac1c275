"""What is done with a model outside of the script's own calls: other files get it, and ids may lack BOS."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Literal

import libcst as cst

from codemods.doubts.windows import is_whole
from codemods.facts.changed_elsewhere import hidden_calls
from codemods.facts.intact_ids import changes_ids
from codemods.facts.own_tokens import other_begin
from codemods.facts.purposes import trains
from codemods.facts.taken_over import called_text
from codemods.facts.unseen_ids import from_ids, may_have_bos, refuse_unseen
from codemods.plan.sites import CannotRewrite, Site
from codemods.script.closures import closure_text, imports_of
from codemods.script.definitions import Classes, Functions
from codemods.script.looking import Looking
from codemods.script.model_uses import Calls, holds, origins_of, reaches
from codemods.script.purity import assigned_name
from codemods.script.script import Script
from lint_rules._flow.values.events import Encode, Forward, Generate, ModelLoad
from lint_rules._flow.values.syntax import dotted

# What a module says in which prompts are made, or texts generated.
_IDS = re.compile(r"\.generate(_watched)?\(|input_ids|\.logits|\.encode\(")
# What a function says that gives ids to a model, and what one that may do more than score rows of one length.
_SCORES = re.compile(
    _IDS.pattern + r"|\w*(model|tokenizer|tok|lm)\(|\.loss\b|_ids\b|\bforward\(|__call__"
)
_MAKES = re.compile(
    r"generate|pipeline|chat|INST|<\||pad|bos|evaluator|Trainer|setattr|generation_config|token_id"
    r"|torch\.randint|randperm"  # ids that no tokenizer gave
)
# Functions of libraries that run a model on ids of their own making.
_MEASURES = re.compile(
    r"complexity|flops|macs|profile|simple_evaluate|onnx|^trace$|^summary$", re.I
)
_MADE_UP = re.compile(r"import_module\(|__import__\(")
_MODEL = re.compile(r"(self\.)?\w*(model|lm)\w*")
_TOKENIZER = re.compile(r"(self\.)?\w*tok(enizer)?\w*")
# What they do with a model and a tokenizer is known: they train with rows, save, place or count.
_LIBRARIES = (
    frozenset(
        "transformers trl peft torch accelerate datasets deepspeed bitsandbytes unsloth optimum guard stages".split()  # noqa: SIM905
    )
    | sys.stdlib_module_names
)
Does = Literal["scores", "unknown"]


def given_away(script: Script) -> list[tuple[cst.Call, str, Does]]:
    """Calls of what other files of the run define and where ids are made or generated from, with what they do."""
    taken = imports_of(script)
    risky: dict[str, Does] = {}
    for local, module, name in taken.found:
        does = _does(script, module, name)
        if does is not None:
            risky[local] = does
    unseen = {local for local, module, _ in taken.members if not _is_known(script, module)}
    for target, called in script.look(_Made).found if risky else ():
        made = risky.get(_root_of(called))
        if made is not None:  # its methods get the model
            risky.setdefault(target, made)
    members = {local for local, _, _ in taken.members}
    modules = {local for local, _, _ in taken.found} - members  # which member is called decides
    stored = _worst(does for local, does in risky.items() if _is_stored(script, local))
    ours = {local for local, _, _ in taken.found} | script.look(Functions).named.keys()
    ours |= {one.name.value for one in script.look(Classes).every}
    named = [(node, dotted(node.func) or "") for node in script.look(Calls, None).found]
    measured: Does = "unknown"
    known: list[tuple[cst.Call, str, Does | None]] = []
    for node, name in named:
        does = risky.get(_root_of(name))
        if _MEASURES.search(name.rpartition(".")[2]) or (
            does is None and name.partition(".")[0] in unseen and _gets_both(script, node)
        ):
            does = measured
        elif does == "unknown" and name.partition(".")[0] in modules:
            text = called_text(script, node)
            does = does if text is None else _judged(script, text)
        elif stored is not None and name not in ours and _is_unseen(script, node, name):
            does = stored  # it may come out of a table
        known.append((node, name, does))
    found = [(node, name, does) for node, name, does in known if does is not None]
    hidden = hidden_calls(script)
    return [*found, *((node, script.code(node.func), measured) for node in hidden)]


def _root_of(name: str) -> str:
    """What a dotted name begins with: a name, or an attribute of `self`."""
    parts = name.split(".")
    return ".".join(parts[: 2 if parts[0] in ("self", "cls") else 1])


def _worst(found: Iterable[Does]) -> Does | None:
    """What any of some functions may do."""
    return max(found, key=("scores", "unknown").index, default=None)


def _is_unseen(script: Script, call: cst.Call, name: str) -> bool:
    """Whether a call of a plain name that nothing defines is given what is called like a model."""
    if not name.isidentifier() or hasattr(builtins, name):
        return False
    return any(_MODEL.fullmatch(script.code(argument.value)) for argument in call.args)


def _is_stored(script: Script, name: str) -> bool:
    """Whether a function is put into a table, or given another name: read otherwise than to be called."""
    called = {script.span(call.func).start for call in script.look(Calls, None).found}
    return any(not use.stores and use.offset not in called for use in script.uses(name, None))


def _is_known(script: Script, module: str) -> bool:
    """Whether a module is a library that runs models with what it is given, or a file of the run."""
    top = module.partition(".")[0]
    return not top or top in _LIBRARIES or bool(script.others.modules(script.path, module))


def _gets_both(script: Script, call: cst.Call) -> bool:
    """Whether a call is given a tokenizer beside a model, so that it may make prompts of its own."""
    given = [script.code(argument.value) for argument in call.args]
    return len(given) > 1 and any(_TOKENIZER.fullmatch(text) for text in given)


def _does(script: Script, module: str, name: str) -> Does | None:
    """What a function of another file does with ids; None for nothing."""
    text = closure_text(script.others, script.path, module, name)
    if text is None:
        library = module.partition(".")[0] in _LIBRARIES
        if library and not script.others.modules(script.path, module):
            return None  # a file of the run may only be called like a part of it
        return "unknown" if any(map(_SCORES.search, _texts(script, module))) else None
    return _judged(script, text)


def _texts(script: Script, module: str) -> Iterator[str]:
    """The texts of the files that a module's name may mean, and of what a package takes its names from."""
    others = script.others
    for path in others.modules(script.path, module):
        if path != script.path.absolute():
            yield others.text(path)
        yield from map(others.text, others.imported(path) if path.stem == "__init__" else ())


def _judged(script: Script, text: str) -> Does | None:
    if _MADE_UP.search(text):
        return "unknown"  # it may call anything
    if not _SCORES.search(text):
        return None
    pads = b"pad" in script.utf8  # what it is given may be padded, and goes without its mask
    return "unknown" if pads or _MAKES.search(text) else "scores"


def scored_without_bos(script: Script, sites: Sequence[Site]) -> frozenset[cst.CSTNode]:
    """The loads of the script whose models score rows that may not begin with BOS."""
    if trains(script):
        return frozenset()  # what trains may begin anywhere
    done = {site.node for site in sites if site.automatic}
    models = [load for load in script.flow.events(ModelLoad) if load.node in done]
    found = loads_without_bos(script, sites)
    scoring = [node for node, _, does in script.once(given_away) if does == "scores"]
    found |= {
        load.node
        for load in models
        for node in scoring
        if any(reaches(script, load, arg.value) for arg in node.args)
    }
    own = other_begin(script) and _takes_ids(script, models, sites)
    return frozenset(
        load.node for load in models if load.node in found or (own and may_have_bos(load.model))
    )


def loads_without_bos(script: Script, sites: Sequence[Site]) -> frozenset[cst.CSTNode]:
    """The loads, other files' too, whose models this script gives rows that may not begin with BOS.

    They are scored, or generated from as ids.

    Args:
        script: The script.
        sites: What the plan does so far.
    """
    done = {site.node for site in sites if site.automatic and site.code == "CG201"}
    generated = from_ids(sites)
    calls: list[Forward | Generate] = [*script.flow.events(Forward)]
    calls += [call for call in script.flow.events(Generate) if call.node in generated]
    short = [call for call in calls if not call.model.guarded and may_lack_bos(script, call, done)]
    seen = frozenset(origin for call in short for origin in origins_of(script, call))
    # A model may come to the call by another name, such as what a function of another file gives back.
    named = frozenset(
        load.node
        for load in (script.flow.events(ModelLoad) if short else ())
        if load.node not in seen
        and may_have_bos(load.model)
        and any(holds(script, load, call.node.func) for call in short)
    )
    return seen | named | script.once(_applied)


class _Made(Looking):
    """Names that are assigned what a call gives, with the call's name."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def visit_Assign(self, node: cst.Assign) -> None:
        called = dotted(node.value.func) if isinstance(node.value, cst.Call) else None
        for one in node.targets:
            name = dotted(one.target)
            if name is not None and called is not None:
                self.found.append((_root_of(name), called))


def may_lack_bos(script: Script, call: Forward | Generate, done: Set[cst.CSTNode]) -> bool:
    """Whether rows of ids may come without the BOS that the family has; those that are encoded anew have it."""
    if not _needs_bos(script, call):
        return False
    encode = _encode_of(script, call)
    if encode is None or (encode.tokenizer.model.text and not may_have_bos(encode.tokenizer.model)):
        return True
    given = [argument.expression for argument in call.args.spread]
    hidden = isinstance(call, Generate) and not all(
        isinstance(one, (cst.Name, cst.Call)) for one in given
    )
    changed = hidden or not is_whole(script, call) or changes_ids(script, call)
    if changed or encode.method == "convert_tokens_to_ids":
        return True
    return any(
        "add_special_tokens" in one.args.keywords
        and one.args.written("add_special_tokens") is not True
        and one.node not in done
        for one in _of_one_name(script, encode)
    )


def _of_one_name(script: Script, encode: Encode) -> list[Encode]:
    """A tokenizer call, and others of its function whose ids get the same name."""
    line, function = encode.place.line, encode.place.function
    name = None if line is None else assigned_name(line)
    if name is None:
        return [encode]
    return [
        one
        for one in script.flow.events(Encode)
        if one.place.function is function
        and one.place.line is not None
        and assigned_name(one.place.line) == name
    ]


# What calls a model that it is given, on rows that are not seen here.
_APPLIES = frozenset(
    [
        "map",
        "imap",
        "functional_call",
        "Sequential",
        "ModuleList",
        "ModuleDict",
        "checkpoint",
        "vmap",
    ]
)


def _applied(script: Script) -> frozenset[cst.CSTNode]:
    """The loads whose models are given to what calls them on rows, such as `map`."""
    calls = [
        call
        for call in script.look(Calls, None).found
        if (dotted(call.func) or "").rpartition(".")[2] in _APPLIES
    ]
    return frozenset(
        load.node
        for load in (script.flow.events(ModelLoad) if calls and not trains(script) else ())
        if may_have_bos(load.model)
        and any(holds(script, load, arg.value) for call in calls for arg in call.args)
    )


def unseen_doubt(script: Script, forward: Forward) -> str | None:
    """Why ids that come from where they cannot be seen may be what the guard refuses."""
    if trains(script) or _encode_of(script, forward) is not None:
        return None
    try:
        refuse_unseen(script, forward)
    except CannotRewrite as reason:
        return str(reason)
    return None


def _encode_of(script: Script, call: Forward | Generate) -> Encode | None:
    return script.flow.event_at(call.encoded.origin if call.encoded else None, Encode)


def _needs_bos(script: Script, call: Forward | Generate) -> bool:
    return not trains(script) and may_have_bos(call.model.model)


def _takes_ids(script: Script, models: Sequence[ModelLoad], sites: Sequence[Site]) -> bool:
    """Whether a model is given ids that the guard did not make."""
    nodes = {load.node for load in models}
    return bool(from_ids(sites)) or any(
        forward.model.origin in nodes and not forward.model.guarded
        for forward in script.flow.events(Forward)
    )
