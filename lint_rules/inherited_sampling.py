"""CG303: generation settings come from generation_config.json, or contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import UNSET, Arguments
from lint_rules._flow.values.events import AttributeSet
from lint_rules._flow.values.joins import CausalLM
from lint_rules._questions.generation import TextGeneration, config_of, text_generations
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
_DECIDES = ("do_sample", "generation_config", "num_beams", "penalty_alpha", "custom_generate")


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
        elif _undecided(found, flow):
            yield Report(found.call.node, _message(args), found.call.model.confidence)


def _contradicting(args: Arguments) -> tuple[str, ...]:
    if args.literal("do_sample") is not False:
        return ()
    given = ((name, args.literal(name)) for name in _NEUTRAL)
    return tuple(
        name for name, value in given if value is not UNSET and value not in _NEUTRAL[name]
    )


def _undecided(found: TextGeneration, flow: Flow) -> bool:
    """Whether nothing in the call says if tokens are sampled, so that the model's file decides."""
    args = found.call.args
    only_batch = all(argument.value == found.call.encoded for argument in args.spread)
    if any(name in args.keywords for name in _DECIDES) or not only_batch:
        return False
    return not any(
        isinstance(event.target, CausalLM) and event.attribute.startswith("generation_config")
        for event in flow.events(AttributeSet)
    )


def _message(args: Arguments) -> str:
    if "temperature" in args.keywords or "top_p" in args.keywords:
        given = "temperature" if "temperature" in args.keywords else "top_p"
        return f"`{given}` without `do_sample`: generation_config.json decides whether it is used"
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
