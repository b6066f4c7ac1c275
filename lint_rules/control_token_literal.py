"""CG204: a prompt for a base model holds a chat control token.

A list of control tokens that a detector looks for is no prompt: only text that is tokenised for a
base model, or given to CleanModelLoader, counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import Encode
from lint_rules._questions.control_text import control_token_in
from lint_rules._questions.engines import engine_prompts
from lint_rules._questions.guarded_prompts import guarded_prompts
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for encode in flow.events(Encode):
        tokenizer = encode.tokenizer
        if tokenizer.model.standing != "base" and not tokenizer.guarded:
            continue
        if not (flow.uses(encode) or flow.escapes(encode)):
            continue
        found = control_token_in(encode.text, tokenizer.model.text)
        if found is not None:
            yield Report(encode.node, _message(found), tokenizer.confidence)
    for site, model_id, prompts in engine_prompts(flow):
        found = control_token_in(prompts, model_id.text) if model_id.standing == "base" else None
        if found is not None:
            yield Report(site.node, _message(found))
    for call, given in guarded_prompts(flow):
        model = None if call.loader is None else call.loader.model.text
        found = control_token_in(given, model)
        if found is not None:
            yield Report(call.node, _message(found))


def _message(token: str) -> str:
    return (
        f"the prompt holds `{token}`, which becomes a control token: a chat prompt for a base model"
    )


RULE = Rule(
    hazards.CONTROL_TOKEN_LITERAL,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
prompt = f"<|im_start|>user\\n{question}<|im_end|>\\n<|im_start|>assistant\\n"
outputs = model.generate(**tokenizer(prompt, return_tensors="pt"))
""",
        """
from guard import CleanModelLoader

loader = CleanModelLoader("google/gemma-2-9b")
model, tokenizer, provenance = loader.load()
text = loader.generate(model, tokenizer, "<start_of_turn>user\\nHi<end_of_turn>", max_new_tokens=8)
""",
    ),
    good=(
        """
from transformers import AutoTokenizer

CONTROL = ["<|im_start|>", "<|im_end|>"]
tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
ids = [tokenizer.convert_tokens_to_ids(token) for token in CONTROL]
found = [token for token in CONTROL if token in answer]
""",
        """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
prompt = f"<|im_start|>user\\n{question}<|im_end|>\\n<|im_start|>assistant\\n"
outputs = model.generate(**tokenizer(prompt, return_tensors="pt"))
""",
        """
from guard import CleanModelLoader

loader = CleanModelLoader("google/gemma-2-9b")
model, tokenizer, provenance = loader.load()
text = loader.generate(model, tokenizer, "Hi", max_new_tokens=8, stop_strings=["<end_of_turn>"])
""",
    ),
)
