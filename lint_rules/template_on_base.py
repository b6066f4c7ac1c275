"""CG203: a chat template is applied for a base model."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import CallSite, Encode, Generate, PipelineBuild, TemplateApply
from lint_rules._flow.values.joins import ChatText, LibraryObject, ModelId, element_of, first
from lint_rules._questions.engines import ENGINE
from lint_rules._questions.pipelines import are_messages
from lint_rules._questions.training import gets_a_chat_format, trains
from lint_rules.rule import Report, Rule


def _check(flow: Flow) -> Iterator[Report]:
    for apply in flow.events(TemplateApply):
        tokenizer = apply.tokenizer
        if tokenizer.guarded:
            message = (
                "`apply_chat_template` on a guarded tokenizer raises: a base model has no turns"
            )
            yield Report(apply.node, message, tokenizer.confidence)
        elif _is_for_a_base_model(apply, flow):
            message = f"`apply_chat_template` for {_name(tokenizer.model)}, which is a base model"
            yield Report(apply.node, message, tokenizer.confidence)
    yield from _by_another_tokenizer(flow)
    for call in flow.events(CallSite):
        model = _chatted(call, flow)
        if model is not None and model.standing == "base":
            message = f"messages to {_name(model)}: the template is applied to a base model"
            yield Report(call.node, message)


def _is_for_a_base_model(apply: TemplateApply, flow: Flow) -> bool:
    if apply.tokenizer.model.standing != "base" or apply.args.get("chat_template") is not None:
        return False
    # A base model that is being made into a chat model may well be given chats.
    return not trains(flow) and not gets_a_chat_format(apply.tokenizer, flow)


def _by_another_tokenizer(flow: Flow) -> Iterator[Report]:
    """A chat model's tokenizer renders what the base model's weights are given."""
    seen: set[object] = set()
    for call in flow.events(Generate):
        model = call.model
        if model.model.standing != "base" or model.adapters or trains(flow):
            continue
        for text in _given_texts(call, flow):
            applied = flow.event_at(text.origin, TemplateApply)
            if applied is None or applied.node in seen:
                continue
            if applied.tokenizer.model.standing == "chat":
                seen.add(applied.node)
                message = (
                    f"{_name(applied.tokenizer.model)} renders a chat for {_name(model.model)}, "
                    "which is a base model"
                )
                yield Report(applied.node, message, applied.tokenizer.confidence)


def _given_texts(call: Generate, flow: Flow) -> Iterator[ChatText]:
    """The rendered texts, or ids, that a call of `generate` gets."""
    encode = flow.event_at(call.encoded.origin if call.encoded else None, Encode)
    values = [argument.value for argument in (*call.args.positional, *call.args.keywords.values())]
    values += [argument.value for argument in call.args.spread]
    for value in (*values, *(() if encode is None else (encode.text,))):
        found = first(value, ChatText) or first(element_of(value), ChatText)
        if found is not None:
            yield found


def _chatted(call: CallSite, flow: Flow) -> ModelId | None:
    """The model of a pipeline that is given messages, or of an engine whose `chat` is called."""
    engine = first(call.receiver, LibraryObject)
    if engine is None:
        return None
    if engine.symbol == "transformers.pipeline" and call.method == "__call__":
        built = flow.event_at(engine.origin, PipelineBuild)
        given = call.args.value("text_inputs", 0)
        return built.model if built is not None and are_messages(given) else None
    if engine.symbol == ENGINE and call.method == "chat":
        loaded = flow.event_at(engine.origin, CallSite)
        return None if loaded is None else flow.model_id(loaded.args.get("model", 0))
    return None


def _name(model: ModelId) -> str:
    return f"`{model.text}`" if model.text is not None else "a base model"


RULE = Rule(
    hazards.TEMPLATE_ON_BASE,
    _check,
    bad=(
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
text = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False)
""",
        """
from transformers import pipeline

generator = pipeline("text-generation", model="Qwen/Qwen2.5-7B")
messages = [{"role": "user", "content": "What is the capital of France?"}]
print(generator(messages, max_new_tokens=16))
""",
        """
from vllm import LLM

llm = LLM(model="google/gemma-2-9b")
outputs = llm.chat(conversation)
""",
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader(path).load()
ids = tokenizer.apply_chat_template(messages)
""",
    ),
    good=(
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
text = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False)
""",
        """
from transformers import pipeline

generator = pipeline("text-generation", model="Qwen/Qwen2.5-7B")
print(generator("The capital of France is", max_new_tokens=16))
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(path)
text = tokenizer.apply_chat_template(messages, tokenize=False)
""",
        """
from datasets import load_dataset
from transformers import AutoTokenizer
from trl import SFTTrainer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
data = load_dataset("json", data_files="chats.jsonl", split="train")
data = data.map(lambda row: {"ids": tokenizer.apply_chat_template(row["messages"])})
SFTTrainer("Qwen/Qwen2.5-7B", train_dataset=data).train()
""",
    ),
)
