"""Doubts about what a script does with a model: what is not among the known uses may reach into it, or wrap it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import libcst as cst

from codemods.facts.load_targets import target_of
from codemods.facts.purposes import trains
from codemods.script.script import Script
from lint_rules._flow.values.events import CallSite, Forward, ModelLoad
from lint_rules._flow.values.joins import CausalLM, options

# What the guard is the same for as the library: the model's placing, its weights as a whole, its settings, what trains
# and saves it.
_KNOWN = frozenset(
    """
    generate to cuda cpu half float double bfloat16 eval train training device dtype config generation_config
    parameters named_parameters buffers named_buffers state_dict num_parameters get_memory_footprint
    hf_device_map save_pretrained push_to_hub resize_token_embeddings get_input_embeddings get_output_embeddings
    tie_weights requires_grad_ zero_grad gradient_checkpointing_enable gradient_checkpointing_disable
    enable_input_require_grads print_trainable_parameters merge_and_unload merge_adapter unmerge_adapter unload
    load_adapter set_adapter compute_transition_scores add_adapter disable_adapter enable_adapters
    disable_adapters active_adapters is_parallelizable model_parallel is_gradient_checkpointing name_or_path
    can_generate prepare_inputs_for_generation is_loaded_in_8bit is_loaded_in_4bit is_quantized peft_config
    supports_gradient_checkpointing
    """.split()  # noqa: SIM905
)

_PART = re.compile(
    r"\.(transformer|gpt_neox|lm_head|embed_out|wte|wpe|embed_tokens|ln_f|embed_in|final_layer_norm|decoder)\b(?!\s*=[^=])"
)
_CALL = re.compile(r"\s*\(")
# Libraries that are given models as they are meant to be.
_LIBRARIES = frozenset(
    "transformers peft trl accelerate torch builtins copy tqdm bitsandbytes gc logging guard cleanguard".split()  # noqa: SIM905
)


def uses(
    script: Script, nodes: frozenset[cst.CSTNode], models: Sequence[ModelLoad]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """The doubts about what a script does with some of its models: asks of them, gives away, scores."""
    yield from _other_uses(script, models)
    yield from _parts(script, models)
    yield from _handed_out(script, nodes)
    yield from _unseen_batches(script, nodes)


def _other_uses(script: Script, loads: Sequence[ModelLoad]) -> Iterator[tuple[cst.CSTNode, str]]:
    """The models that a script reaches into, by the first place where it does.

    Args:
        script: The script.
        loads: Those in question.

    Yields:
        The load, and the line with what it asks of the model.
    """
    text = script.bare
    for load in loads:
        target = target_of(script, load)
        if target is None:
            continue
        name = target.text
        last = name.rpartition(".")[2]
        held = rf"(?<![\w.]){re.escape(name)}" if last == name else rf"\.{re.escape(last)}"
        for found in re.finditer(rf"{held}\.([A-Za-z_]\w*)", text):
            handed_on = found[1] == "generate" and _CALL.match(text, found.end()) is None
            if found[1] in _KNOWN and not handed_on:
                continue
            line = script.row_in_text(found.start())
            yield (
                load.node,
                f"line {line} asks for `.{found[1]}` of it, where the guard is not followed",
            )
            break


def _parts(script: Script, models: Sequence[ModelLoad]) -> Iterator[tuple[cst.CSTNode, str]]:
    """The models of a script that names parts of some model, which may be any of them under another name."""
    found = _PART.search(script.bare) if models else None
    if found is not None:
        line = script.row_in_text(found.start())
        yield models[0].node, f"line {line} reaches for `{found[0]}`, a part of some model"


def _handed_out(script: Script, nodes: frozenset[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, str]]:
    """Calls of other libraries that are given a model: what they do with it is not followed."""
    run = {path.stem for path in script.others.imported(script.path)}
    for call in script.flow.events(CallSite):
        root, _, rest = call.symbol.partition(".")
        if not call.symbol or not run.isdisjoint(call.symbol.split(".")):  # it is followed there
            continue
        if root in _LIBRARIES and not (root == "torch" and rest.startswith("nn.")):
            continue
        given = (*call.args.positional, *call.args.keywords.values())
        held = (option for argument in given for option in options(argument.value))
        if any(isinstance(one, CausalLM) and one.origin in nodes for one in held):
            yield call.node, f"`{call.symbol}` gets the model, and is not followed"


def _unseen_batches(
    script: Script, nodes: frozenset[cst.CSTNode]
) -> Iterator[tuple[cst.CSTNode, str]]:
    """Batches that are scored and come from where nothing is seen: the guard refuses some paddings."""
    if trains(script):
        return
    for forward in script.flow.events(Forward):
        args = forward.args
        whole = args.opaque or "attention_mask" in args.keywords
        if forward.model.origin in nodes and forward.encoded is None and whole:
            yield forward.node, "a batch is scored of which nothing is seen, nor how it is padded"
