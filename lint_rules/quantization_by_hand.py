"""CG104: a quantization config is put together by hand."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import kind_of_call
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import CallSite, ModelLoad, QuantConfigBuild
from lint_rules._flow.values.joins import Mapping, QuantConfig, first
from lint_rules._light import tree as cst
from lint_rules._questions.standing import load_severity
from lint_rules.rule import Report, Rule

_FIX = Fix("migrate", "say it to CleanModelLoader")
_BITS = ("load_in_8bit", "load_in_4bit")
_SETTINGS = (*_BITS, "quant_method", "bnb_4bit_quant_type", "bits")


def _check(flow: Flow) -> Iterator[Report]:
    loads = list(flow.events(ModelLoad))
    for build in flow.events(QuantConfigBuild):
        users = [
            load for load in loads if load.quantization and load.quantization.origin is build.node
        ]
        if not users and flow.once(_of_other_models).get(build.node):
            continue
        if users and all(load_severity(load.model, flow.settings) is None for load in users):
            continue
        yield Report(build.node, _message(build.args), severity="warning", fix=_FIX)
    for load in loads:
        if load.api.startswith("unsloth."):
            continue  # its loader has these keywords
        if load_severity(load.model, flow.settings) is None:
            continue
        said = first(load.args.value("quantization_config"), Mapping)
        if said is not None and any(
            isinstance(key, str) and key in _SETTINGS for key, _ in said.entries
        ):
            message = (
                "quantization config by hand: a dict, whose unknown keys are dropped without a word"
            )
            yield Report(load.node, message, severity="warning", fix=_FIX)
        given = [name for name in _BITS if name in load.args.keywords]
        if given:
            message = f"`{given[0]}` is no keyword of from_pretrained any more: transformers 5 raises a TypeError"
            off = all(load.args.literal(name) is False for name in given)
            remedy = f"leave `{given[0]}=False` out" if off else None
            yield Report(load.node, message, severity="warning", fix=_FIX, remedy=remedy)


def _of_other_models(flow: Flow) -> dict[cst.CSTNode, bool]:
    """The configs that are given to the load of a model of another kind, by their call."""
    found: dict[cst.CSTNode, bool] = {}
    for site in flow.events(CallSite):
        given = first(site.args.value("quantization_config"), QuantConfig)
        if given is not None and given.origin is not None and kind_of_call(site.symbol) is None:
            found[given.origin] = site.symbol.startswith("transformers.")
    return found


def _message(args: Arguments) -> str:
    invented = [name for name in args.keywords if name.startswith("bnb_8bit_")]
    if invented:
        verb = "does" if len(invented) == 1 else "do"
        names = ", ".join(f"`{name}`" for name in invented)
        return f"quantization config by hand; {names} {verb} not exist and changes nothing".replace(
            "do not exist and changes", "do not exist and change"
        )
    flags = [args.literal(name) for name in _BITS]
    if True not in flags and not args.spread and not args.positional:
        given = [name for name in _BITS if name in args.keywords]
        if all(args.literal(name) in (False, None) for name in given):
            return "quantization config by hand; with neither flag set transformers loads 4-bit weights"
        said = " and ".join(f"`{name}`" for name in given)
        return (
            f"quantization config by hand; where {said} is false transformers loads 4-bit weights"
        )
    if args.literal("load_in_4bit") is True and "bnb_4bit_quant_type" not in args.keywords:
        return "quantization config by hand; 4-bit without `bnb_4bit_quant_type` is fp4, not nf4"
    return "quantization config by hand: unknown keywords are dropped without a word"


RULE = Rule(
    hazards.QUANTIZATION_BY_HAND,
    _check,
    bad=(
        """
import torch
from transformers import BitsAndBytesConfig

config = BitsAndBytesConfig(load_in_8bit=True, bnb_8bit_compute_dtype=torch.bfloat16)
""",
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-32B", load_in_8bit=True)
""",
        """
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

config = BitsAndBytesConfig(load_in_8bit=False)
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-32B", quantization_config=config)
""",
    ),
    good=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-32B", load_in_4bit=True)
""",
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-32B", load_in_8bit=False)
""",
        """
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B-Instruct", quantization_config=config)
""",
    ),
)
