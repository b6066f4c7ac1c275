"""CG107: weights are loaded from a pickle."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import CallSite, ModelLoad, TokenizerLoad
from lint_rules._flow.values.joins import CausalLM, Instance, LibraryObject, Unknown, Value, first
from lint_rules._flow.values.syntax import dotted
from lint_rules._flow.values.text import piece_of
from lint_rules._light import tree as cst
from lint_rules._questions.reach import nodes_in
from lint_rules._questions.standing import load_severity
from lint_rules.edits import add_keyword, replace
from lint_rules.rule import Report, Rule

# A name that says that the file holds a model's weights; optimizer states and data are not ours.
_WEIGHTS = re.compile(r"(pytorch_model|adapter_model|consolidated)[\w.\-]*\.(bin|pth?|ckpt)$")
# The same in a module of language models: a file or a variable that is called so holds weights.
_LIKELY = re.compile(r"(model|weights|state_dict)[\w.\-]*\.(bin|pth?|ckpt)$")
_HOLDS_WEIGHTS = re.compile(r"(^|_)(state_dicts?|weights?|sd|shards?)(_|$)", re.IGNORECASE)
_HOLDS_OTHERS = re.compile(r"optim|sched|loss|class|sampl|scaler|ema", re.IGNORECASE)
_LANGUAGE_MODEL = re.compile(r"(GPT|Llama|LLaMA|Mistral|Qwen|CausalLM|LanguageModel)(Model)?\d?$")
# The parts of an f-string stand alone: `f"consolidated.{shard:02d}.pth"`.
_WEIGHTS_STEM = re.compile(r"(pytorch_model|adapter_model|consolidated)[\w.\-]*$")
_WEIGHTS_END = re.compile(r"^[\w.\-]*\.(bin|pth?|ckpt)$")
_ANY_TOKENIZER = (
    ".AutoTokenizer.from_pretrained",
    ".LlamaTokenizer.from_pretrained",
    ".GPT2Tokenizer.from_pretrained",
)
_CAUSAL = ("ForCausalLM", "LMHeadModel", "AutoModelForCausalLM.from_config")
_OF_A_MODEL = (
    "eval",
    "generate",
    "half",
    "named_parameters",
    "state_dict",
    "save_pretrained",
    "resize_token_embeddings",
)
_ANY_CODE = "`{}(…, weights_only=False)` runs any code that the weights file holds"
_REMEDY = "leave `weights_only` out"
_FIX = Fix("unsafe", "load tensors only: `weights_only=True`")


def _check(flow: Flow) -> Iterator[Report]:
    for load in flow.events(ModelLoad):
        if load.args.literal("weights_only") is False:
            if load_severity(load.model, flow.settings) is not None:
                yield Report(load.node, _ANY_CODE.format("from_pretrained"), remedy=_REMEDY)
            continue
        given = load.args.get("use_safetensors")
        if given is None or load.args.literal("use_safetensors") is not False:
            continue
        if load_severity(load.model, flow.settings) is not None:
            edits = () if given.node is None else replace(given.node.value, "True")
            fix = Fix("unsafe", "ask for safetensors") if edits else None
            message = "`use_safetensors=False` asks for the pickle even where safetensors exist"
            yield Report(load.node, message, fix=fix, edits=edits)
    for call in flow.events(CallSite):
        if call.symbol == "torch.load":
            yield from _torch_load(call, flow)


def _torch_load(call: CallSite, flow: Flow) -> Iterator[Report]:
    only = call.args.get("weights_only")
    said = call.args.literal("weights_only")
    if only is not None and said is not False:
        return
    pieces = piece_of(call.args.value("f", 0))
    weights = any(map(_WEIGHTS.search, pieces)) or (
        any(map(_WEIGHTS_STEM.search, pieces)) and any(map(_WEIGHTS_END.search, pieces))
    )
    if not weights and flow.once(_says_language_models):
        weights = any(map(_LIKELY.search, pieces)) or _is_held_as_weights(call)
        weights = weights or _is_copied_into_a_model(call)
    if not weights and not _goes_into_a_model(call, flow):
        return
    if only is not None and only.node is not None:
        yield Report(
            call.node,
            _ANY_CODE.format("torch.load"),
            fix=_FIX,
            edits=replace(only.node.value, "True"),
        )
    elif only is None and not call.args.opaque:
        message = (
            "`torch.load` of weights without `weights_only=True`: torch before 2.6 runs its code"
        )
        yield Report(
            call.node, message, fix=_FIX, edits=add_keyword(call.node, "weights_only=True")
        )


def _is_of_language_models(flow: Flow) -> bool:
    """Whether a module loads a causal LM or a tokenizer, or imports a class of language models."""
    if any(True for kind in (ModelLoad, TokenizerLoad) for _ in flow.events(kind)):
        return True
    return any(_LANGUAGE_MODEL.search(name) for name in flow.imported_names)


def _is_copied_into_a_model(call: CallSite) -> bool:
    """Whether tensors of what is loaded are copied into parameters: `layer.weight.copy_(loaded["weight"])`."""
    line = call.place.line
    names = {
        dotted(one.target)
        for small in (() if line is None else line.body)
        if isinstance(small, cst.Assign) and small.value is call.node
        for one in small.targets
    }
    return any(
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and node.func.attr.value == "copy_"
        and any(isinstance(part, cst.Name) and part.value in names for part in _given(node))
        for statement in call.place.block
        for node in nodes_in(statement)
    )


def _given(node: cst.Call) -> Iterator[cst.CSTNode]:
    for arg in node.args:
        yield from nodes_in(arg.value)


def _says_language_models(flow: Flow) -> bool:
    """The same, tokenizers whose class may be of another kind of model left out."""
    if any(True for _ in flow.events(ModelLoad)):
        return True
    if any(load.api.endswith(_ANY_TOKENIZER) for load in flow.events(TokenizerLoad)):
        return True
    return any(_LANGUAGE_MODEL.search(name) for name in flow.imported_names)


def _is_held_as_weights(call: CallSite) -> bool:
    """Whether what is loaded goes into a variable that is called `state_dict`, or `weights`."""
    line = call.place.line
    for small in () if line is None else line.body:
        if isinstance(small, cst.Assign) and any(one is call.node for one in nodes_in(small.value)):
            names = (dotted(one.target) or "" for one in small.targets)
            return any(
                _HOLDS_WEIGHTS.search(name) and not _HOLDS_OTHERS.search(name) for name in names
            )
    return False


def _goes_into_a_model(call: CallSite, flow: Flow) -> bool:
    """Whether a causal LM that is known takes the loaded state, or what is loaded is one as a whole."""
    loads = flow.once(_is_of_language_models)
    for site in flow.events(CallSite):
        made = isinstance(site.receiver, LibraryObject) and site.receiver.symbol.endswith(_CAUSAL)
        known = made or isinstance(site.receiver, CausalLM) or _is_own_language_model(site.receiver)
        known = known or (
            isinstance(site.receiver, Unknown) and (loads or _says_language(site.node))
        )
        if loads and site.method in _OF_A_MODEL and _is_made_by(site.receiver, call):
            return True
        if site.method != "load_state_dict" or not known:
            continue
        state = first(site.args.value("state_dict", 0), LibraryObject)
        if state is not None and state.origin is call.node:
            return True
    return False


def _is_made_by(value: Value, call: CallSite) -> bool:
    return isinstance(value, LibraryObject) and value.origin is call.node


def _is_own_language_model(value: Value) -> bool:
    """Whether an object of somebody's own class is a language model by the class's name: `GPT(config)`."""
    name = value.node.name.value if isinstance(value, Instance) else ""
    return _LANGUAGE_MODEL.search(name) is not None


def _says_language(node: cst.Call) -> bool:
    """Whether what takes the state is a language model by its name: `lm.model.load_state_dict`."""
    path = dotted(node.func) or ""
    return bool(set(path.lower().split(".")) & {"lm", "llm", "language_model"})


RULE = Rule(
    hazards.PICKLE_WEIGHTS,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", use_safetensors=False)
""",
        """
import os
import torch

state = torch.load(os.path.join(folder, "pytorch_model.bin"), map_location="cpu")
model.load_state_dict(state)
""",
        """
import torch

weights = torch.load(f"{folder}/adapter_model.bin", weights_only=False)
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B", use_safetensors=True)
""",
        """
import torch

state = torch.load("pytorch_model.bin", weights_only=True)
""",
        """
import torch

optimizer.load_state_dict(torch.load("optimizer.pt"))
""",
    ),
)
