"""CG404: a chat format is installed on a base model."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import AttributeSet, CallSite, ModelLoad, TokenizerLoad
from lint_rules._flow.values.joins import CausalLM, Method, ModelId, Tokenizer, first
from lint_rules._questions.standing import load_severity
from lint_rules._questions.training import FORMATTERS
from lint_rules.rule import Report, Rule

_LIBRARIES = ("trl", "unsloth")


def _check(flow: Flow) -> Iterator[Report]:
    yield from _taken_from_another(flow)
    for site in flow.events(CallSite):
        root, _, _ = site.symbol.partition(".")
        name = site.symbol.rsplit(".", 1)[-1]
        if root not in _LIBRARIES:
            continue
        if name in FORMATTERS:
            model = _model_of(site)
            if model is None or load_severity(model, flow.settings) is None:
                continue
            effect = "the result is a chat model, with another eos"
            yield Report(site.node, f"`{name}` installs a chat format: {effect}")
        elif _gives_a_template(site) and not _only_chat(flow):
            message = "`chat_template_path` puts a chat template on the tokenizer that is trained"
            yield Report(site.node, message)


def _taken_from_another(flow: Flow) -> Iterator[Report]:
    """`tokenizer.chat_template = other.chat_template`."""
    for event in flow.events(AttributeSet):
        target, taken = event.target, first(event.value, Method)
        if event.attribute != "chat_template" or not isinstance(target, Tokenizer):
            continue
        if taken is None or taken.name != "chat_template" or target.model.standing != "base":
            continue
        other = taken.receiver
        if isinstance(other, Tokenizer) and other.model != target.model:
            message = "the template of another tokenizer is put on a base model's: it makes chats of prompts"
            yield Report(event.node, message, target.confidence)


def _gives_a_template(site: CallSite) -> bool:
    given = site.args.get("chat_template_path")
    return given is not None and site.args.literal("chat_template_path") is not None


def _model_of(site: CallSite) -> ModelId | None:
    given = [argument.value for argument in (*site.args.positional, *site.args.keywords.values())]
    for value in given:
        known = first(value, CausalLM) or first(value, Tokenizer)
        if known is not None:
            return known.model
    return ModelId(None, "unknown") if given else None


def _only_chat(flow: Flow) -> bool:
    """Whether every model that is loaded here is known to be a chat model already."""
    loads: list[ModelLoad | TokenizerLoad] = [*flow.events(ModelLoad), *flow.events(TokenizerLoad)]
    return bool(loads) and all(load_severity(load.model, flow.settings) is None for load in loads)


RULE = Rule(
    hazards.CHAT_FORMAT_ON_BASE,
    _check,
    bad=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import clone_chat_template

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
model, tokenizer, added = clone_chat_template(model, tokenizer, "Qwen/Qwen3-0.6B")
""",
        """
from trl import SFTConfig

config = SFTConfig(output_dir="out", chat_template_path="HuggingFaceTB/SmolLM3-3B")
""",
        """
from unsloth import FastLanguageModel
from unsloth.chat_templates import get_chat_template

model, tokenizer = FastLanguageModel.from_pretrained("unsloth/llama-3-8b")
tokenizer = get_chat_template(tokenizer, chat_template="llama-3")
""",
    ),
    good=(
        """
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import clone_chat_template

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
model, tokenizer, added = clone_chat_template(model, tokenizer, "Qwen/Qwen3-0.6B")
""",
        """
from trl import SFTConfig

config = SFTConfig(output_dir="out")
""",
        """
from vllm.entrypoints.chat_utils import get_chat_template

template = get_chat_template(path)
""",
    ),
)
