"""What a script does that decides how its loads are rewritten."""

from __future__ import annotations

import re

import libcst as cst

from codemods.plan.sites import CannotRewrite
from codemods.script.definitions import Classes, Functions
from codemods.script.model_uses import Calls, reaches
from codemods.script.script import Script
from lint_rules._flow.values.events import AdapterAttach, Encode, Forward, ModelLoad
from lint_rules._flow.values.syntax import dotted

# What is done to a model only to train it.
_PREPARES = ("get_peft_model", "prepare_model_for_kbit_training", "prepare_model_for_int8_training")
_PICKLES = re.compile(r"(pytorch_model|adapter_model)[^\n\"']*\.bin")
_PICKLED_ADAPTER = re.compile(r"adapter_model[^\n\"']*\.bin")
_SAVES = re.compile(r"torch\.save\(")
_WRITES = re.compile(r"torch\.save\(|\brename\(|\breplace\([^\n]*\.bin|shutil\.(move|copy)")
_ONLY_ASKS = ("evaluate(", "predict(", "prediction_step(")


def trains(script: Script) -> bool:
    """Whether the script trains what it loads: by a trainer of any kind, or in a loop of its own.

    A trainer that is only asked to evaluate trains nothing, nor do gradients without a step, and
    `Accelerator()` alone only places.
    """
    steps = script.has_attribute("backward(") and script.has_attribute("step(")
    if steps or script.names_end_with(*_PREPARES) or script.once(_defines_trainer):
        return True
    trainer = script.names_end_with("Trainer", "TrainingArguments")
    asks = any(map(script.has_attribute, _ONLY_ASKS))
    return trainer and (script.has_attribute("train(") or not asks)


def stays_evaluating(script: Script) -> bool:
    """Whether a model of a script that trains may be used in evaluation mode, as `from_pretrained` gives it.

    A trainer, or a loop that says `train()`, sets the mode of the one model that a script loads; of several, one
    may be another's reference, or be loaded to evaluate. A pass of the script's own may come before the trainer's.
    """
    trainer = script.names_end_with("Trainer", "TrainingArguments")
    passes = trainer and next(script.flow.events(Forward), None) is not None
    sets = trainer or _sets_training(script)
    return not sets or passes or len(script.once(_model_names)) > 1


def _defines_trainer(script: Script) -> bool:
    return any(
        (dotted(base.value) or "").endswith("Trainer")
        for one in script.look(Classes).every
        for base in one.bases
    )


def _sets_training(script: Script) -> bool:
    """Whether `train()`, or `train(True)`, is called on what a model may be."""
    return any(
        reaches(script, load, call.func)
        for call in script.look(Calls, "train").found
        if all(isinstance(one.value, cst.Name) and one.value.value == "True" for one in call.args)
        for load in script.flow.events(ModelLoad)
    )


def _model_names(script: Script) -> frozenset[object]:
    """What the script calls the models that it loads: branches that give one name its model load one."""
    found = set()
    for load in script.flow.events(ModelLoad):
        line = None if load.place.line is None else load.place.line.body[0]
        targets = [script.code(one.target) for one in getattr(line, "targets", ())]
        name = targets[0] if targets else f"line {script.line_of(load.node)}"
        found.add((load.place.function, name))
    return frozenset(found)


def uses_max_length(script: Script) -> bool:
    """Whether `model_max_length` of a tokenizer decides more than whether a prompt is cut."""
    return (
        trains(script)
        or script.has_attribute("model_max_length")
        or any("truncation" in encode.args.keywords for encode in script.flow.events(Encode))
    )


def saves(script: Script) -> bool:
    """Whether the script saves a model or a tokenizer, or sends one to the hub."""
    return any(map(script.has_attribute, ("save_pretrained(", "push_to_hub(")))


def generates(script: Script) -> bool:
    """Whether something in a script is made to generate, watched or not."""
    return script.has_attribute("generate(") or script.has_attribute("generate_watched(")


def refuse_made_pickles(script: Script, load: cst.CSTNode) -> None:
    """Raise if pickled weights are written or renamed in the file before a load, which may be what it loads.

    Raises:
        CannotRewrite: The loader refuses pickles.
    """
    before = script.utf8[: script.span(load).start].decode()
    named = _PICKLES.search(before)
    if named is None or not _WRITES.search(before) or trains(script):
        return
    if script.once(names_pickled_adapter) and not _SAVES.search(before):
        return  # what is renamed is the adapter's, which `attach_adapter` is told to take
    if _writes_apart(script, load):
        return
    line = before.count("\n", 0, named.start()) + 1
    raise CannotRewrite(
        f"line {line} names pickled weights that the script makes, and the loader refuses them: save safetensors"
    )


def _writes_apart(script: Script, load: cst.CSTNode) -> bool:
    """Whether what names and writes pickles are functions that the load's own neither is nor calls."""
    functions = script.look(Functions).every

    def around(offset: int) -> list[cst.FunctionDef]:
        spans = [(one, script.span(one)) for one in functions]
        return [one for one, span in spans if span.start <= offset < span.end]

    text = script.source.text
    writes = [len(text[: found.start()].encode()) for found in _WRITES.finditer(text)]
    homes = [around(at) for at in writes]
    own = around(script.span(load).start)
    if not own or not all(homes):
        return False
    called = {own[-1].name.value}
    while True:
        inside = [one for one in functions if one.name.value in called]
        more = {
            name
            for one in inside
            for name in script.names_in(script.span(one))
            if name in script.look(Functions).named
        }
        if more <= called:
            break
        called |= more
    return not any(home.name.value in called for around_ in homes for home in around_)


def names_pickled_adapter(script: Script) -> bool:
    """Whether a script that attaches an adapter names the file of a pickled one."""
    attached = next(script.flow.events(AdapterAttach), None)
    return attached is not None and _PICKLED_ADAPTER.search(script.source.text) is not None
