"""CG402: rendered chat text goes to a trainer that tokenises it again."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.hazards import Severity
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import Argument
from lint_rules._flow.values.events import CallSite, TemplateApply
from lint_rules._flow.values.joins import (
    ChatText,
    Constant,
    Dataset,
    Items,
    LibraryObject,
    Mapping,
    ModelId,
    Sequence,
    Tokenizer,
    Value,
    element_of,
    first,
    options,
)
from lint_rules._flow.values.text import BOS_TEXTS, is_chat
from lint_rules._questions.beginnings import beginning
from lint_rules.rule import Report, Rule

_TRAINERS = ("SFTTrainer",)
_SOME = Tokenizer(None)


def _check(flow: Flow) -> Iterator[Report]:
    for site in flow.events(CallSite):
        if site.symbol.rsplit(".", 1)[-1] not in _TRAINERS or _adds_nothing(site, flow):
            continue
        for where, text in _texts(site, flow):
            severity = _severity(_rendered_for(text, flow))
            if severity is not None:
                yield Report(
                    site.node,
                    f"{where} holds rendered chat text, and SFTTrainer tokenises it with a second BOS",
                    severity=severity,
                )
                break


def _adds_nothing(site: CallSite, flow: Flow) -> bool:
    """Whether the trainer is told to add no special tokens: `dataset_kwargs`, its own or its config's."""
    given = [site.args.value("dataset_kwargs")]
    config = first(site.args.value("args"), LibraryObject)
    built = None if config is None else flow.event_at(config.origin, CallSite)
    if built is not None:
        given.append(built.args.value("dataset_kwargs"))
    for value in given:
        options_ = first(value, Mapping)
        if options_ is not None and options_.get("add_special_tokens") == Constant(False):
            return True
    return False


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


def _rendered_for(text: Value, flow: Flow) -> Tokenizer | None:
    """The tokenizer that rendered a text; None for text that no template rendered, or one without BOS."""
    if not is_chat(text):
        return None
    for option in options(text):
        inner = element_of(option) if isinstance(option, (Items, Sequence)) else option
        for part in options(inner):
            if isinstance(part, ChatText):
                applied = flow.event_at(part.origin, TemplateApply)
                if applied is None:
                    return _SOME
                own = _own_template(applied)
                if own is None:
                    return applied.tokenizer
                return None if own == "no" else Tokenizer(None, ModelId(None, "unknown"))
    return _SOME


def _own_template(applied: TemplateApply) -> str | None:
    """Whether the template that the script itself gives writes BOS; None if it gives none."""
    given = applied.args.get("chat_template")
    own = (
        given.value
        if given is not None
        else applied.place.setting(applied.tokenizer, "chat_template")
    )
    if own is None or own == Constant(None):
        return None
    text = first(own, Constant)
    if text is None or not isinstance(text.value, str):
        return "unknown"
    return (
        "yes" if "bos_token" in text.value or any(bos in text.value for bos in BOS_TEXTS) else "no"
    )


def _severity(tokenizer: Tokenizer | None) -> Severity | None:
    if tokenizer is None:
        return None
    known = beginning(tokenizer.model)
    if "no" in (known.tokenizer, known.template):
        return None
    both = known.tokenizer == known.template == "yes"
    return "error" if both and known.is_sure else "warning"


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
