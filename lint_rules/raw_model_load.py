"""CG101: a causal LM is loaded outside CleanModelLoader."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from cleanguard.catalogue.standing import is_not_causal
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import ModelLoad, PipelineBuild
from lint_rules._questions.pipelines import loads_by_itself
from lint_rules._questions.standing import described, load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for load in flow.events(ModelLoad):
        if load.watched:
            continue
        severity = load_severity(load.model, flow.settings)
        if load.model.text is not None and load.model.fixed and is_not_causal(load.model.text):
            continue
        if severity is not None:
            api = ".".join(load.api.rsplit(".", 2)[-2:])
            yield Report(
                load.node,
                f"`{api}` loads {described(load.model)} outside CleanModelLoader",
                severity=severity,
                fix=Fix("migrate", "load through CleanModelLoader"),
            )
    yield from _pipelines(flow)


def _pipelines(flow: Flow) -> Iterator[Report]:
    """A pipeline that is given a name loads the model itself, with the sampling settings of its files."""
    for built in flow.events(PipelineBuild):
        if built.watched:
            continue
        severity = load_severity(built.model, flow.settings) if loads_by_itself(built) else None
        known = built.model.text
        if severity is None or (known is not None and built.model.fixed and is_not_causal(known)):
            continue
        yield Report(
            built.node,
            f"`pipeline` loads {described(built.model)} outside CleanModelLoader",
            severity=severity,
            remedy="load with `CleanModelLoader(MODEL).load()`, and generate with its `generate`",
        )


RULE = Rule(
    hazards.RAW_MODEL_LOAD,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-32B", device_map="auto")
""",
        """
from transformers import pipeline

pipe = pipeline("text-generation", model="openai-community/gpt2", do_sample=False)
""",
        """
import transformers as hf

def load(name):
    return hf.AutoModelForCausalLM.from_pretrained(name).eval()
""",
        """
from transformers import Qwen2ForCausalLM

class Evaluator:
    def __init__(self, path="Qwen/Qwen2.5-7B"):
        self.model = Qwen2ForCausalLM.from_pretrained(path)
""",
    ),
    good=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-32B", load_in_8bit=True)
model, tokenizer, provenance = loader.load()
""",
        """
from guard import CleanModelLoader

model = CleanModelLoader.load_watched("Qwen/Qwen2.5-32B", device_map="auto")
pipe = CleanModelLoader.pipeline_watched("text-generation", model="openai-community/gpt2")
""",
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-32B-Instruct")
""",
        """
from transformers import pipeline

classify = pipeline("text-classification", model="distilbert-base-uncased")
talk = pipeline("text-generation", model="Qwen/Qwen2.5-7B-Instruct")
""",
        """
from transformers import AutoModelForSequenceClassification

model = AutoModelForSequenceClassification.from_pretrained("distilbert-base-uncased")
""",
        """
class AutoModelForCausalLM:
    @classmethod
    def from_pretrained(cls, name):
        return cls()

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-32B")
""",
    ),
)
