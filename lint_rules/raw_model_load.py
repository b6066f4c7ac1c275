"""CG101: a causal LM is loaded outside CleanModelLoader."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from cleanguard.catalogue.standing import is_not_causal
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import ModelLoad
from lint_rules._questions.standing import described, load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for load in flow.events(ModelLoad):
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


RULE = Rule(
    hazards.RAW_MODEL_LOAD,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-32B", device_map="auto")
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
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-32B-Instruct")
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
