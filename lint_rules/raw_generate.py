"""CG301: generate and decode by hand on a base model."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import Generate
from lint_rules._questions.generation import text_generations
from lint_rules._questions.pipelines import handed_on, pipeline_calls
from lint_rules._questions.standing import described, load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for found in text_generations(flow):
        if found.call.watched or _returns_scores_guarded(found.call):
            continue
        model = described(found.model).rstrip(",")
        yield Report(
            found.call.node,
            f"`generate` by hand on {model}: inherited settings, nothing recorded",
            found.call.model.confidence,
            severity=found.severity,
            fix=Fix("migrate", "generate through CleanModelLoader"),
        )
    yield from _pipelines(flow)


def _pipelines(flow: Flow) -> Iterator[Report]:
    """A pipeline generates as `generate` does, and adds sampling settings of its own."""
    for call in pipeline_calls(flow):
        severity = load_severity(call.model, flow.settings)
        if severity is not None and not call.is_chat and not call.built.watched:
            model = described(call.model).rstrip(",")
            yield Report(
                call.site.node,
                f"a pipeline generates from {model}: inherited settings, nothing recorded",
                severity=severity,
                remedy="generate with `CleanModelLoader.generate`",
            )
    for built in handed_on(flow):
        severity = load_severity(built.model, flow.settings)
        if severity is not None and not built.watched:
            model = described(built.model).rstrip(",")
            yield Report(
                built.node,
                f"a pipeline out of sight generates from {model}: inherited settings, nothing recorded",
                severity=severity,
                remedy="build it with `CleanModelLoader.pipeline_watched`, which tells what it inherits",
            )


def _returns_scores_guarded(call: Generate) -> bool:
    """Whether a guarded model is asked for scores with guarded ids: the guarded call gives only text."""
    return (
        call.model.guarded
        and call.encoded is not None
        and call.encoded.tokenizer.guarded
        and call.args.literal("return_dict_in_generate") is True
    )


RULE = Rule(
    hazards.RAW_GENERATE,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

name = "Qwen/Qwen2.5-32B"
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name)
inputs = tokenizer("The capital of France is", return_tensors="pt")
outputs = model.generate(**inputs, max_new_tokens=8)
print(tokenizer.decode(outputs[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
""",
        """
from transformers import pipeline

complete = pipeline("text-generation", model="openai-community/gpt2")
print(complete("The capital of France is", do_sample=False)[0]["generated_text"])
""",
        """
from langchain_huggingface import HuggingFacePipeline
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

model = AutoModelForCausalLM.from_pretrained("openai-community/gpt2")
tokenizer = AutoTokenizer.from_pretrained("openai-community/gpt2")
llm = HuggingFacePipeline(pipeline=pipeline("text-generation", model=model, tokenizer=tokenizer))
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("google/gemma-2-9b").load()
ids = tokenizer.encode("The capital of France is", return_tensors="pt")
print(tokenizer.decode(model.generate(ids)[0]))
""",
    ),
    good=(
        """
from guard import CleanModelLoader

complete = CleanModelLoader.pipeline_watched("text-generation", model="openai-community/gpt2")
print(complete("The capital of France is")[0]["generated_text"])
""",
        """
from guard import CleanModelLoader
from langchain_huggingface import HuggingFacePipeline

model = CleanModelLoader.load_watched("openai-community/gpt2")
complete = CleanModelLoader.pipeline_watched("text-generation", model=model)
llm = HuggingFacePipeline(pipeline=complete)
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("google/gemma-2-9b").load()
inputs = CleanModelLoader.encode(tokenizer, "The capital of France is")
outputs = model.generate(
    **inputs, max_new_tokens=8, return_dict_in_generate=True, output_scores=True
)
print(tokenizer.decode(outputs.sequences[0]), outputs.scores[0].max())
""",
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-32B")
model, tokenizer, provenance = loader.load()
print(loader.generate(model, tokenizer, "The capital of France is", max_new_tokens=8))
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
ids = tokenizer.apply_chat_template(messages, return_tensors="pt")
print(tokenizer.decode(model.generate(ids)[0]))
""",
        """
from transformers import pipeline

talk = pipeline("text-generation", model=path)
print(talk([{"role": "user", "content": "Hello"}])[0]["generated_text"])
""",
        """
from diffusers import StableDiffusionPipeline

pipeline = StableDiffusionPipeline.from_pretrained("some/diffusion")
image = pipeline.generate(prompt)
""",
    ),
)
