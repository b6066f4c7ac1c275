"""CG108: a chat-tuned checkpoint is used as a base model."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import AttributeSet, LoaderBuild, LoaderCall
from lint_rules._flow.values.joins import Constant, Tokenizer
from lint_rules._questions.resets import clears_template, is_reset
from lint_rules.rule import Report, Rule

_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|im_start|>")


def _check(flow: Flow) -> Iterator[Report]:
    for build in flow.events(LoaderBuild):
        allowed = build.args.get("allow_chat_model") is not None or build.args.opaque
        if build.model.standing == "chat" and build.model.text and not allowed:
            yield Report(
                build.node,
                f"CleanModelLoader refuses `{build.model.text}`: the name is a chat model's",
            )
    for event in flow.events(AttributeSet):
        message = _treated_as_base(event, flow)
        if message is not None and isinstance(event.target, Tokenizer):
            yield Report(event.node, message, event.target.confidence)


def _treated_as_base(event: AttributeSet, flow: Flow) -> str | None:
    tokenizer = event.target
    if not isinstance(tokenizer, Tokenizer):
        return None
    model = tokenizer.model
    named_chat = model.standing == "chat" and model.text is not None and not tokenizer.guarded
    if named_chat and clears_template(event) and not is_reset(event, flow):
        return f"without its template `{model.text}` is still a chat model, not a base model"
    token = event.value.value if isinstance(event.value, Constant) else None
    ends_turns = event.attribute in ("eos_token", "bos_token") and token in _TURN_ENDS
    if ends_turns and model.standing == "base" and not _trains(flow):
        return f"`{token!s}` is a chat turn's token: a base model never learnt it"
    return None


def _trains(flow: Flow) -> bool:
    """A base model that is being made into a chat model may well get its tokens."""
    trained = {"train", "SFTTrainer", "DPOTrainer", "Trainer", "resize_token_embeddings"}
    return bool(trained & flow.called_names) and not any(flow.events(LoaderCall))


RULE = Rule(
    hazards.CHAT_MODEL_AS_BASE,
    _check,
    bad=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B-Instruct")
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B-Instruct")
tokenizer.chat_template = None
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.eos_token = "<|im_end|>"
""",
    ),
    good=(
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B")
""",
        """
from guard import CleanModelLoader

loader = CleanModelLoader("Qwen/Qwen2.5-7B-Instruct", allow_chat_model=True)
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.1-8B-Instruct")
tokenizer.chat_template = None
tokenizer.chat_template = open("mine.jinja").read()
""",
    ),
)
