"""CG304: sampling without a seed.

Only where the model is loaded in sight: a library's function samples, but its caller seeds.
CleanModelLoader draws a seed and records it, so a call of it is never reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import UNSET, Arguments
from lint_rules._flow.values.events import CallSite
from lint_rules._flow.values.joins import Constant, LibraryObject, first, options
from lint_rules._questions.engines import ENGINE
from lint_rules._questions.generation import config_of, text_generations
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    if any("seed" in name.lower() for name in flow.called_names):
        return
    for found in text_generations(flow):
        call = found.call
        in_sight = call.model.origin is not None and call.place.function is None
        loaded = call.model.origin is not None and call.model.confidence == "followed"
        samples = _samples(call.args) or _samples(config_of(call, flow))
        if not (in_sight or loaded) or not samples or "generator" in call.args.keywords:
            continue
        yield Report(
            call.node,
            "tokens are sampled and nothing seeds them: the same run gives other texts",
            call.model.confidence,
        )
    for site in flow.events(CallSite):
        unseeded = "seed" not in site.args.keywords and not site.args.opaque
        if site.symbol != "vllm.SamplingParams" or not unseeded or site.args.spread:
            continue
        if _warm(site.args) and _is_used_in_sight(site, flow):
            message = "`SamplingParams` samples and has no `seed`: the same run gives other texts"
            yield Report(site.node, message)


def _samples(args: Arguments) -> bool:
    """Whether sampling is asked for whatever the run decides."""
    given = list(options(args.value("do_sample")))
    return all(isinstance(option, Constant) and option.value is True for option in given)


def _warm(args: Arguments) -> bool:
    given = args.literal("temperature")
    if given is UNSET:
        return args.get("temperature") is None and not args.opaque  # vLLM's default is 1.0
    return isinstance(given, (int, float)) and given > 0


def _is_used_in_sight(params: CallSite, flow: Flow) -> bool:
    """Whether an engine that is built here, without a seed, generates with these parameters."""
    for site in flow.events(CallSite):
        engine = first(site.receiver, LibraryObject)
        built = None if engine is None else flow.event_at(engine.origin, CallSite)
        if built is None or built.symbol != ENGINE or "seed" in built.args.keywords:
            continue
        given = (*site.args.positional, *site.args.keywords.values())
        objects = (first(argument.value, LibraryObject) for argument in given)
        if any(found is not None and found.origin is params.node for found in objects):
            return True
    return False


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
