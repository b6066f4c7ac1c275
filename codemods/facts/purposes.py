"""What a script does that decides how its loads are rewritten."""

from __future__ import annotations

import libcst as cst

from codemods.script.definitions import Classes
from codemods.script.model_uses import Calls, reaches
from codemods.script.script import Script
from lint_rules._flow.values.events import Encode, ModelLoad
from lint_rules._flow.values.syntax import dotted

# What is done to a model only to train it.
_PREPARES = ("get_peft_model", "prepare_model_for_kbit_training", "prepare_model_for_int8_training")
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
    may be another's reference, or be loaded to evaluate.
    """
    sets = script.names_end_with("Trainer", "TrainingArguments") or _sets_training(script)
    return not sets or len(script.once(_model_names)) > 1


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
