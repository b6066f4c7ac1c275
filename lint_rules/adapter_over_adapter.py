"""CG111: an adapter is put under a name that one before it has on the same base.

peft replaces the weights that both have and leaves the others active: what runs is a mixture of two
adapters. A loop that attaches each to a base that was loaded before it is the common case.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.libraries.hf_calls import adapter_name
from lint_rules._flow.values.arguments import Arguments
from lint_rules._flow.values.events import AdapterAttach, CallSite, Place
from lint_rules._flow.values.joins import CausalLM, Constant, Value, options
from lint_rules._light import tree as cst
from lint_rules._questions.standing import load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for attach in flow.events(AdapterAttach):
        if _is_taken(attach.args.value("model", 0), attach.args, 2, attach.place):
            yield from _report(attach.node, attach.model, flow)
    for site in flow.events(CallSite):
        model = site.receiver
        if site.method != "load_adapter" or not isinstance(model, CausalLM) or not model.adapters:
            continue
        if _is_taken(model, site.args, 1, site.place):
            yield from _report(site.node, model, flow)


def _is_taken(model: Value, args: Arguments, position: int, place: Place) -> bool:
    """Whether each model that this may be has an adapter of the name already."""
    name = adapter_name(args, position)
    models = [option for option in options(model) if isinstance(option, CausalLM)]
    if name is None or args.opaque or any(option.origin is None for option in models):
        return False
    said = [place.setting(option, f"adapter {name}") for option in models]
    return bool(said) and all(value == Constant(True) for value in said)


def _report(node: cst.Call, model: CausalLM, flow: Flow) -> Iterator[Report]:
    if load_severity(model.model, flow.settings) is None:
        return
    message = (
        "this name holds an adapter already: the parts that only the first one has stay active"
    )
    yield Report(node, message, model.confidence)


RULE = Rule(
    hazards.ADAPTER_OVER_ADAPTER,
    _check,
    bad=(
        """
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
for path in checkpoints:
    model = PeftModel.from_pretrained(base, path)
    print(path, evaluate(model))
""",
        """
from peft import PeftModel
from guard import CleanModelLoader

base, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
model = PeftModel.from_pretrained(base, "runs/one")
model.load_adapter("runs/two", "default")
""",
    ),
    good=(
        """
from peft import PeftModel
from transformers import AutoModelForCausalLM

for path in checkpoints:
    base = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
    model = PeftModel.from_pretrained(base, path)
    print(path, evaluate(model))
""",
        """
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
model = PeftModel.from_pretrained(base, "runs/one")
print(evaluate(model))
base = model.unload()
model = PeftModel.from_pretrained(base, "runs/two")
print(evaluate(model))
""",
        """
from peft import PeftModel
from guard import CleanModelLoader

base, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
model = PeftModel.from_pretrained(base, "runs/one", adapter_name="one")
model.load_adapter("runs/two", adapter_name="two")
""",
    ),
)
