"""CG402: rendered chat text goes to a trainer that tokenises it again."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.families import family_of
from cleanguard.catalogue.hazards import Severity
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import CallSite, TemplateApply
from lint_rules._flow.values.joins import (
    ChatText,
    Dataset,
    Items,
    ModelId,
    Sequence,
    Value,
    element_of,
    options,
)
from lint_rules._flow.values.text import is_chat
from lint_rules.rule import Report, Rule

_TRAINERS = ("SFTTrainer",)


def _check(flow: Flow) -> Iterator[Report]:
    for site in flow.events(CallSite):
        if site.symbol.rsplit(".", 1)[-1] not in _TRAINERS:
            continue
        for where, text in _texts(site, flow):
            model = _rendered_for(text, flow)
            severity = _severity(model)
            if severity is not None:
                yield Report(
                    site.node,
                    f"{where} holds rendered chat text, and SFTTrainer tokenises it with a second BOS",
                    severity=severity,
                )
                break


def _texts(site: CallSite, flow: Flow) -> Iterator[tuple[str, Value]]:
    formatting = site.args.get("formatting_func")
    if formatting is not None:
        yield "what `formatting_func` returns", flow.result_of(formatting.value)
    column = site.args.literal("dataset_text_field")
    name = column if isinstance(column, str) else "text"
    for keyword in ("train_dataset", "eval_dataset"):
        given: Argument | None = site.args.get(keyword)
        for option in options(given.value) if given is not None else ():
            if isinstance(option, Dataset):
                for key, value in option.columns.entries:
                    if key == name:
                        yield f"the column `{name}`", value


def _rendered_for(text: Value, flow: Flow) -> ModelId | None:
    """The model whose template rendered a text; None for text that no template rendered."""
    if not is_chat(text):
        return None
    for option in options(text):
        inner = element_of(option) if isinstance(option, (Items, Sequence)) else option
        for part in options(inner):
            if isinstance(part, ChatText):
                applied = flow.event_at(part.origin, TemplateApply)
                return ModelId(None, "unknown") if applied is None else applied.tokenizer.model
    return ModelId(None, "unknown")


def _severity(model: ModelId | None) -> Severity | None:
    if model is None:
        return None
    family = None if model.text is None else family_of(model.text)
    if family is None or family.bos == "unknown":
        return "warning"
    return "error" if family.bos == "one" else None


RULE = Rule(
    hazards.TEMPLATED_TEXT_RETOKENIZED,
    _check,
    bad=(
        """
from datasets import load_dataset
from transformers import AutoTokenizer
from trl import SFTTrainer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B-Instruct")

def render(row):
    return {"text": tokenizer.apply_chat_template(row["messages"], tokenize=False)}

data = load_dataset("json", data_files="chats.jsonl", split="train").map(render)
trainer = SFTTrainer(model=model, train_dataset=data)
""",
        """
from transformers import AutoTokenizer
from trl import SFTTrainer

tokenizer = AutoTokenizer.from_pretrained("google/gemma-2-9b-it")
trainer = SFTTrainer(
    model=model,
    train_dataset=data,
    formatting_func=lambda row: tokenizer.apply_chat_template(row["messages"], tokenize=False),
)
""",
    ),
    good=(
        """
from datasets import load_dataset
from trl import SFTTrainer

data = load_dataset("json", data_files="chats.jsonl", split="train")
trainer = SFTTrainer(model=model, train_dataset=data)
""",
        """
from transformers import AutoTokenizer
from trl import SFTTrainer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
data = data.map(
    lambda row: {"text": tokenizer.apply_chat_template(row["messages"], tokenize=False)}
)
trainer = SFTTrainer(model=model, train_dataset=data)
""",
        """
from datasets import load_dataset
from trl import SFTTrainer

data = load_dataset("json", data_files="plain.jsonl", split="train")
data = data.map(lambda row: {"text": row["question"] + row["answer"]})
trainer = SFTTrainer(model=model, train_dataset=data)
""",
    ),
)
