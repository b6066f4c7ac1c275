"""CG103: chat_template or default_chat_template is set to None by hand."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.arguments import UNSET
from lint_rules._flow.values.events import AttributeSet, TokenizerLoad
from lint_rules._flow.values.joins import Constant, Tokenizer, Value
from lint_rules._questions.resets import clears_template, is_reset
from lint_rules._questions.standing import load_severity
from lint_rules.rule import Report, Rule

_FIX = Fix("migrate", "drop the lines that disable the template")


def _check(flow: Flow) -> Iterator[Report]:
    for event in flow.events(AttributeSet):
        if not isinstance(event.target, Tokenizer) or not clears_template(event):
            continue
        if load_severity(event.target.model, flow.settings) is None or is_reset(event, flow):
            continue
        message = _message(event.attribute, event.value)
        yield Report(event.node, message, event.target.confidence, fix=_FIX)
    for load in flow.events(TokenizerLoad):
        given = load.args.literal("chat_template")
        if (
            given is not UNSET
            and given is None
            and load_severity(load.model, flow.settings) is not None
        ):
            yield Report(load.node, _message("chat_template", Constant(None)), fix=_FIX)


def _message(attribute: str, value: Value) -> str:
    if attribute == "default_chat_template":
        return "`default_chat_template` left transformers in 4.44: this makes a dead attribute"
    if value != Constant(None):
        return "an empty `chat_template` changes no token id, and renders every conversation as nothing"
    return (
        "`chat_template = None` changes no token id: calling a tokenizer never applies a template"
    )


RULE = Rule(
    hazards.TEMPLATE_DISABLED_BY_HAND,
    _check,
    bad=(
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-32B")
tokenizer.chat_template = None
if hasattr(tokenizer, "default_chat_template"):
    tokenizer.default_chat_template = None
""",
        """
from transformers import AutoTokenizer

class Evaluator:
    def load(self, path):
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        setattr(self.tokenizer, "chat_template", None)
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("google/gemma-2-9b", chat_template=None)
""",
    ),
    good=(
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-32B")
tokenizer.chat_template = None
tokenizer.chat_template = open("mine.jinja").read()
""",
        """
from unittest.mock import MagicMock

mock = MagicMock()
mock.chat_template = None
""",
        """
class Settings:
    chat_template = None

settings = Settings()
settings.chat_template = None
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B-Instruct")
tokenizer.chat_template = None
""",
    ),
)
