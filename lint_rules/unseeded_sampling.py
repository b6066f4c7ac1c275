"""CG304: sampling without a seed.

Only where the model is loaded in sight: a library's function samples, but its caller seeds.
CleanModelLoader draws a seed and records it, so a call of it is never reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import CallSite, Place
from lint_rules._flow.values.joins import (
    Constant,
    LibraryObject,
    Unknown,
    element_of,
    first,
    options,
)
from lint_rules._flow.values.settings_state import SEED
from lint_rules._questions.engines import PARAMETERS, engine_calls
from lint_rules._questions.generation import config_of, text_generations
from lint_rules._questions.pipelines import pipeline_calls
from lint_rules._questions.standing import load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for found in text_generations(flow):
        call = found.call
        in_sight = call.place.function is None  # nobody calls it who could seed before
        loaded = call.model.origin is not None and call.model.confidence == "followed"
        samples = _samples(call.args) or _samples(config_of(call, flow))
        if not (in_sight or loaded) or not samples or "generator" in call.args.keywords:
            continue
        if call.model.guarded or is_seeded(call.place, flow):
            continue
        yield Report(
            call.node,
            "tokens are sampled and nothing seeds them: the same run gives other texts",
            call.model.confidence,
        )
    for piped in pipeline_calls(flow):
        severity = load_severity(piped.model, flow.settings)
        if severity is None or piped.is_chat or piped.literal("do_sample") is not True:
            continue
        if not is_seeded(piped.site.place, flow):
            message = (
                "the pipeline samples tokens and nothing seeds them: the same run gives other texts"
            )
            yield Report(piped.site.node, message, severity="warning")
    yield from _engines(flow)


def _engines(flow: Flow) -> Iterator[Report]:
    reported: set[object] = set()
    known = (*engine_calls(flow), *engine_calls(flow, "chat"))
    sites = [call.site for call in known if "seed" not in call.built.keywords]
    # An engine that a function is given: it may have a seed, but the parameters go before it.
    sites += [site for site in flow.events(CallSite) if _is_of_an_engine(site)]
    for used in sites:
        for argument in (*used.args.positional, *used.args.keywords.values()):
            params = first(argument.value, LibraryObject) or first(
                element_of(argument.value), LibraryObject
            )
            if params is None or params.symbol != PARAMETERS or params.origin in reported:
                continue
            site = flow.event_at(params.origin, CallSite)
            if site is not None and _is_warm(site, params, used):
                reported.add(params.origin)
                message = (
                    "`SamplingParams` samples and has no `seed`: the same run gives other texts"
                )
                yield Report(site.node, message)


def _is_of_an_engine(site: CallSite) -> bool:
    return site.method == "generate" and isinstance(site.receiver, Unknown)


def is_seeded(place: Place, flow: Flow) -> bool:
    """Whether torch's generator is seeded before this place."""
    seeded = place.state.get(SEED)
    if seeded is not None:
        return seeded == Constant(True)
    if place.owner is not None and flow.inherits(place.owner, "Trainer"):
        return True  # its `__init__` seeds
    # Nobody is seen to call this function: whoever does may come from where it is seeded.
    return not flow.is_called(place.function) and flow.seeds_somewhere


def _samples(args: Arguments) -> bool:
    """Whether sampling is asked for whatever the run decides, or by a call that overrides a default."""
    given = list(options(args.value("do_sample")))
    if Constant(True) in given:
        given = [option for option in given if option != Constant(False, fixed=False)]
    return all(isinstance(option, Constant) and option.value is True for option in given)


def _is_warm(site: CallSite, params: LibraryObject, used: CallSite) -> bool:
    """Whether parameters sample without a seed of their own, as they are when the engine gets them."""
    args = site.args
    if args.literal("max_tokens") == 1 and "prompt_logprobs" in args.keywords:
        return False  # asked for what the prompt is worth, not for a text
    if args.opaque or args.spread or used.place.setting(params, "seed") is not None:
        return False
    if "seed" in args.keywords and args.literal("seed") is not None:
        return False
    later = used.place.setting(params, "temperature")
    if later is not None:
        return _is_hot(first(later, Constant))
    if args.get("temperature") is None:
        return True  # vLLM's default is 1.0
    return _is_hot(first(args.value("temperature"), Constant))


def _is_hot(given: Constant | None) -> bool:
    value = None if given is None else given.value
    return isinstance(value, (int, float)) and value > 0


RULE = Rule(
    hazards.UNSEEDED_SAMPLING,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
inputs = tokenizer("The capital of France is", return_tensors="pt")
outputs = model.generate(**inputs, do_sample=True, temperature=0.7, max_new_tokens=8)
""",
        """
from vllm import LLM, SamplingParams

llm = LLM(model="Qwen/Qwen2.5-7B")
outputs = llm.generate(prompts, SamplingParams(temperature=0.8, max_tokens=64))
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

set_seed(0)
tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
inputs = tokenizer("The capital of France is", return_tensors="pt")
outputs = model.generate(**inputs, do_sample=True, temperature=0.7, max_new_tokens=8)
""",
        """
from vllm import LLM, SamplingParams

llm = LLM(model="Qwen/Qwen2.5-7B")
outputs = llm.generate(prompts, SamplingParams(temperature=0.0, max_tokens=64))
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
text = CleanModelLoader.generate(model, tokenizer, "Hi", temperature=0.7, max_new_tokens=8)
""",
    ),
)
