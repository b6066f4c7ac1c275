"""CG201: add_special_tokens=False on a raw prompt that reaches a base model.

The keyword itself is no hazard: of 62 real uses 52 were right (rendered chat text, stop strings,
single tokens, counting, labels). So the rule asks where the encoding goes, and what was encoded.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard import hazards
from cleanguard.families import family_of
from cleanguard.findings import Fix
from lint_rules._confidence import weakest
from lint_rules._flow.analysis import Flow
from lint_rules._flow.events import Encode
from lint_rules._flow.hf_calls import is_rendered
from lint_rules._flow.text import BOS_TEXTS, leads_with
from lint_rules._standing import load_severity
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for encode in flow.events(Encode):
        if encode.args.literal("add_special_tokens") is not False or is_rendered(encode):
            continue
        if leads_with(encode.text, BOS_TEXTS):
            continue  # BOS is written out
        uses = flow.uses(encode)
        if not uses:
            continue
        model = encode.tokenizer.model if encode.tokenizer.model.text else uses[0].model.model
        severity = load_severity(model, flow.settings)
        if severity is None:
            continue
        yield Report(
            encode.node,
            _message(model.text),
            weakest(encode.tokenizer.confidence, *(use.model.confidence for use in uses)),
            severity=severity,
            fix=Fix("migrate", "tokenise with CleanModelLoader"),
        )


def _message(model_id: str | None) -> str:
    family = None if model_id is None else family_of(model_id)
    if family is not None and family.bos == "one":
        return f"`add_special_tokens=False` drops the BOS that {model_id} needs from a prompt"
    if family is not None and family.bos == "none":
        return f"`add_special_tokens=False` on a prompt: no effect on {model_id}, drops BOS on other families"
    return "`add_special_tokens=False` on a prompt drops BOS where the family needs one"


RULE = Rule(
    hazards.STRAY_NO_SPECIAL_TOKENS,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")
inputs = tokenizer("The capital of France is", add_special_tokens=False, return_tensors="pt")
outputs = model.generate(**inputs.to(model.device), max_new_tokens=8)
""",
        """
import torch

def score(model, tokenizer, prompt):
    ids = tokenizer.encode(prompt, add_special_tokens=False, return_tensors="pt")
    with torch.no_grad():
        return model(input_ids=ids).logits
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.1-8B")
stop_ids = tokenizer.encode("###", add_special_tokens=False)
count = len(tokenizer("How long is this?", add_special_tokens=False)["input_ids"])
outputs = model.generate(**tokenizer("Hello", return_tensors="pt"), eos_token_id=stop_ids[-1])
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path)
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
inputs = tokenizer(text, add_special_tokens=False, return_tensors="pt")
outputs = model.generate(**inputs)
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("google/gemma-2-9b").load()
inputs = CleanModelLoader.encode(tokenizer, "The capital of France is")
logits = model(**inputs).logits
""",
    ),
)
