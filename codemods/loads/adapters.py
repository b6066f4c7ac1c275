"""`PeftModel.from_pretrained(model, path)` becomes `CleanModelLoader.attach_adapter(model, path)`.

No hazard marks the call itself; it is rewritten with the load below it, so that the adapter's digest
and lineage are recorded and the guard stays on. What peft did to the base is kept and pointed out.
"""

from __future__ import annotations

import re

import libcst as cst

from codemods.facts.loader_keywords import written
from codemods.facts.purposes import names_pickled_adapter, stays_evaluating, trains
from codemods.facts.receiver import loader_at
from codemods.loads.adapter_aliases import base_is_seen
from codemods.plan.edits import Edit
from codemods.plan.sites import CannotRewrite, Note, Site
from codemods.script.script import Script
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import AdapterAttach
from lint_rules._flow.values.joins import Constant, options
from lint_rules._questions.standing import load_severity

# Keywords that peft hands to the hub, which takes no notice of them.
_IGNORED = ("torch_dtype", "dtype")
_PLACING = ("device_map", "torch_device", "max_memory", "offload_folder", "low_cpu_mem_usage")
_PLACED = Note(
    "dropped",
    "where the adapter is to lie: it lies where the layers do that it changes",
    "where nothing of the base is offloaded",
)
_IN_PLACE = Note(
    "fault",
    "peft puts the adapter into the base itself, so what still uses the base gets the adapter's answers; "
    "`in_place=True` keeps it so, and without it the base stays a base",
)
_OF_HUB = Note(
    "changed",
    "an adapter of the hub is loaded by its commit, which is recorded; pickled weights are refused",
    "where its repository holds adapter_model.safetensors",
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
# How folders of results begin, unlike names of people and companies.
_FOLDERS = (
    *("adapter", "artifact", "checkpoint", "ckpt", "data", "experiment", "exp", "finetun", "log"),
    *(
        "lora",
        "model",
        "out",
        "result",
        "run",
        "save",
        "sft",
        "dpo",
        "trained",
        "training",
        "weights",
    ),
)
_PICKLED = Note(
    "changed",
    "an adapter that is pickled (`adapter_model.bin`), lacks a tensor or has one too many, is refused",
    "where it is safetensors",
)
_TAKEN = Note(
    "carried",
    "`allow_pickle=True`: the script names a pickled adapter; its weights are read without code of theirs",
)
_PROMPTS = re.compile(
    r"Prefix\w*|Prompt(Tuning|Encoder|Learning)|prefix|p_?tuning|soft_?prompt", re.I
)
_LORA = re.compile("lora", re.I)
_ON_PATH = re.compile(r"sys\.path\.(append|insert)\([^\n]*\bpeft\b")
_PROMPT = Note(
    "changed",
    "a learned prompt (prefix or prompt tuning) stands once before each text; PEFT 0.21 with transformers 5.24 loses "
    "or repeats it while it generates",
    "where the adapter is LoRA or another that changes layers",
)
_SUMMARY = "attach the adapter through CleanModelLoader"


def rewrite(script: Script, unmigrated: frozenset[cst.CSTNode]) -> list[Site]:
    """The sites of adapters put on models that the migration loads."""
    sites: list[Site] = []
    for attach in script.flow.events(AdapterAttach):
        if load_severity(attach.model.model, script.flow.settings) is None:
            continue
        try:
            if script.once(_has_own_peft):
                raise CannotRewrite(
                    "the script runs with a peft of its own, whose adapters may be others"
                )
            in_place = base_is_seen(script, attach)
            edits = _edits(script, attach, unmigrated, in_place=in_place)
            notes = (_IN_PLACE,) if in_place else ()
            if any(name in _PLACING for name in attach.args.keywords):
                notes = (*notes, _PLACED)
            path = attach.args.get("model_id", 1)
            hub = path is not None and _may_lie_on_the_hub(path)
            pickled = script.once(names_pickled_adapter)
            notes = (*notes, _TAKEN if pickled else _OF_HUB if hub else _PICKLED)
            text = script.source.text
            if _PROMPTS.search(text) or not _LORA.search(text):
                notes = (*notes, _PROMPT)
            sites.append(Site("CG101", attach.node, _SUMMARY, edits, notes))
        except CannotRewrite as reason:
            sites.append(Site("CG101", attach.node, _SUMMARY, reason=str(reason)))
    return sites


def _has_own_peft(script: Script) -> bool:
    """Whether a copy of peft is put on the path, or the script lies in one."""
    if _ON_PATH.search(script.source.text):
        return True
    here = script.path.absolute().parents
    return any(
        (above.parent if above.name == "src" else above) in here
        for above in script.others.packages("peft")
    )


def _may_lie_on_the_hub(path: Argument) -> bool:
    """Whether an adapter is named by a hub id: a text of two parts is a folder if its first part says so."""
    for option in options(path.value):
        text = option.value if isinstance(option, Constant) else None
        if isinstance(text, str) and _HUB_ID.fullmatch(text):
            if text.partition("/")[0].lower().startswith(_FOLDERS):
                continue
            return True
    return False


def _edits(
    script: Script, attach: AdapterAttach, unmigrated: frozenset[cst.CSTNode], *, in_place: bool
) -> tuple[Edit, ...]:
    if attach.model.origin is None or attach.model.origin in unmigrated:
        raise CannotRewrite("the model under the adapter stays as it is")
    model, path = attach.args.get("model", 0), attach.args.get("model_id", 1)
    if model is None or path is None or attach.args.spread or len(attach.args.positional) > 2:
        raise CannotRewrite("the call takes arguments that this tool does not take apart")
    arguments = [written(script, model), written(script, path)]
    for name, argument in attach.args.keywords.items():
        if name in ("model", "model_id", *_IGNORED, *_PLACING):
            continue
        if name not in ("is_trainable", "adapter_name", "revision"):
            raise CannotRewrite(f"the keyword `{name}` has no place in attach_adapter")
        if name == "is_trainable" and trains(script) and stays_evaluating(script):
            raise CannotRewrite(
                "`is_trainable` puts all of the model into training mode, not the adapter alone"
            )
        keyword = "name" if name == "adapter_name" else name
        arguments.append(f"{keyword}={written(script, argument)}")
    if in_place:
        arguments.append("in_place=True")
    if script.once(names_pickled_adapter):
        arguments.append("allow_pickle=True")
    head = f"{loader_at(script, attach, unmigrated)}.attach_adapter"
    function, span = script.span(attach.node.func), script.span(attach.node)
    if model.expression is attach.model.origin:  # the load in it is rewritten as well
        end = script.span(model.expression).end
        rest = "".join(f", {argument}" for argument in arguments[1:])
        opening = Edit(function.start, script.span(model.expression).start, f"{head}(")
        return opening, Edit(end, span.end, f"{rest})")
    call = script.call(head, arguments, *script.place_of(attach.node))
    return (Edit(span.start, span.end, call),)
