"""CG303: generation settings come from generation_config.json, or contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import DEFAULT_PARAMETERS
from lint_rules._flow.values.arguments import UNSET, Arguments
from lint_rules._flow.values.events import CallSite, Generate
from lint_rules._flow.values.joins import Constant, Encoded, LibraryObject, Value, first, options
from lint_rules._questions.engines import engine_calls
from lint_rules._questions.generation import (
    TextGeneration,
    built_config,
    config_of,
    text_generations,
)
from lint_rules._questions.pipelines import pipeline_calls
from lint_rules._questions.standing import load_severity
from lint_rules.edits import drop_keywords
from lint_rules.rule import Report, Rule

# Values that mean "off" in transformers: saying them beside `do_sample=False` is no contradiction.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "temperature": (None, 0, 0.0, 1, 1.0),
    "top_p": (None, 1, 1.0),
    "top_k": (None, 0, 1, 50),
    "min_p": (None, 0, 0.0),
    "typical_p": (None, 1, 1.0),
}
_DECIDES = ("do_sample", "num_beams", "penalty_alpha", "custom_generate")


def _check(flow: Flow) -> Iterator[Report]:
    for found in text_generations(flow):
        args = found.call.args
        if found.call.model.guarded:
            continue  # the guard has replaced generation_config
        contradicting = _contradicting(args)
        in_config = _contradicting(config_of(found.call, flow))
        if contradicting or in_config:
            names = ", ".join(f"`{name}`" for name in contradicting or in_config)
            edits = drop_keywords(found.call.node, args, contradicting) if contradicting else ()
            yield Report(
                found.call.node,
                f"{names} beside `do_sample=False` changes nothing: greedy decoding ignores it",
                found.call.model.confidence,
                fix=Fix("unsafe", "drop what is ignored") if edits else None,
                edits=edits,
            )
        elif not found.call.watched and _undecided(found, flow):  # it is told when it runs
            yield Report(
                found.call.node,
                _message(args, config_of(found.call, flow)),
                found.call.model.confidence,
            )
    yield from _pipelines(flow)
    yield from _engines(flow)


def _contradicting(args: Arguments) -> tuple[str, ...]:
    if not _is_fixed(args, "do_sample") or not _is_off(args):
        return ()
    given = ((name, args.literal(name)) for name in _NEUTRAL if _is_fixed(args, name))
    return tuple(
        name for name, value in given if value is not UNSET and value not in _NEUTRAL[name]
    )


def _is_off(args: Arguments) -> bool:
    """Whether every way says `do_sample=False`."""
    given = options(args.value("do_sample"))
    return all(isinstance(option, Constant) and option.value is False for option in given)


def _is_fixed(args: Arguments, name: str) -> bool:
    """Whether a keyword is always this literal: a parameter's default is one of many values."""
    return all(
        isinstance(option, Constant) and option.fixed for option in options(args.value(name))
    )


def _undecided(found: TextGeneration, flow: Flow) -> bool:
    """Whether nothing says if tokens are sampled, so that the model's file decides."""
    call = found.call
    args = call.args
    only_batch = all(_is_batch(argument.value) for argument in args.spread)
    if _says_how(args) or _is_greedy(args) or not only_batch:
        return False
    if "generation_config" in args.keywords:
        # What it leaves open is taken from the model's own config.
        given = first(args.value("generation_config"), LibraryObject)
        built = built_config(given, flow)
        return built is not None and given is not None and not _decides(built, given, call)
    return not any(
        call.place.setting(call.model, attribute) is not None
        for attribute in ("generation_config", "generation_config.do_sample")
    )


def _is_batch(value: Value) -> bool:
    """Whether a `**` dict is what a tokenizer gave, whichever of several it was."""
    return all(isinstance(option, Encoded) for option in options(value))


def _decides(built: CallSite, config: LibraryObject, call: Generate) -> bool:
    """Whether a config that is built in sight says if tokens are sampled."""
    args = built.args
    if args.opaque or _says_how(args) or _is_greedy(args):
        return True
    if call.place.setting(config, "do_sample") is not None:
        return True
    return call.place.setting(call.model, "generation_config.do_sample") is not None


def _says_how(args: Arguments) -> bool:
    """Whether a keyword decides how tokens are chosen; one beam may be sampled or not."""
    given = (name for name in _DECIDES if name in args.keywords)
    return any(name != "num_beams" or args.literal(name) != 1 for name in given)


def _is_greedy(args: Arguments) -> bool:
    """Whether one candidate is left, sampled or not."""
    return args.literal("top_k") == 1


def _pipelines(flow: Flow) -> Iterator[Report]:
    """Pipelines sample unless they are told not to: transformers' own default for them."""
    for call in pipeline_calls(flow):
        severity = load_severity(call.model, flow.settings)
        if severity is None or call.is_chat or call.gives(*_DECIDES, "generation_config"):
            continue
        if call.built.watched:  # it is told when it runs
            continue
        message = (
            "nothing says `do_sample`: a pipeline samples by itself, as generation_config.json says"
        )
        yield Report(call.site.node, message, severity="warning")


def _engines(flow: Flow) -> Iterator[Report]:
    """vLLM takes the sampling settings of generation_config.json where it is given none."""
    for call in engine_calls(flow):
        severity = load_severity(call.model, flow.settings)
        from_file = call.built.get("generation_config") is None and not call.built.opaque
        if severity is None or not from_file or call.site.args.opaque:
            continue
        given = call.site.args.get("sampling_params", 1)
        if given is None or given.value == Constant(None) or _are_defaults(given.value):
            message = (
                "no sampling parameters: vLLM takes those of the model's generation_config.json"
            )
            yield Report(call.site.node, message, severity="warning")


def _are_defaults(value: Value) -> bool:
    found = first(value, LibraryObject)
    return found is not None and found.symbol == DEFAULT_PARAMETERS


def _message(args: Arguments, config: Arguments) -> str:
    for given in (args, config):
        for name in ("temperature", "top_p"):
            if name in given.keywords:
                return f"`{name}` without `do_sample`: generation_config.json decides whether it is used"
    return "nothing says `do_sample`: generation_config.json decides whether tokens are sampled"


RULE = Rule(
    hazards.INHERITED_SAMPLING,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")
inputs = tokenizer("The capital of France is", return_tensors="pt")
outputs = model.generate(**inputs, max_new_tokens=8)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
inputs = tokenizer("The capital of France is", return_tensors="pt")
outputs = model.generate(**inputs, max_new_tokens=8, do_sample=False, temperature=0.7)
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
inputs = tokenizer("The capital of France is", return_tensors="pt")
outputs = model.generate(**inputs, do_sample=True, temperature=0.7, max_new_tokens=8)
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
inputs = tokenizer("The capital of France is", return_tensors="pt")
outputs = model.generate(**inputs, do_sample=False, temperature=None, top_p=None)
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("google/gemma-2-9b").load()
text = CleanModelLoader.generate(model, tokenizer, "The capital is", max_new_tokens=8)
""",
    ),
)
