"""Whether a module trains, and whether a tokenizer is given a chat format on purpose."""

from __future__ import annotations

from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import TEMPLATE_ATTRIBUTES
from lint_rules._flow.values.events import AttributeSet, CallSite
from lint_rules._flow.values.joins import Constant, LibraryObject, Tokenizer

FORMATTERS = ("clone_chat_template", "setup_chat_format", "get_chat_template")


def trains(flow: Flow) -> bool:
    """Whether a trainer is built."""
    return flow.once(_trains)


def _trains(flow: Flow) -> bool:
    return any(map(is_trainer, flow.events(CallSite)))


def is_trainer(call: CallSite) -> bool:
    """Whether a call builds a trainer of transformers or TRL, by its name."""
    return call.symbol.rsplit(".", 1)[-1].endswith("Trainer")


def gets_a_chat_format(tokenizer: Tokenizer, flow: Flow) -> bool:
    """Whether a template is set on the tokenizer, or a chat format installed, in this module."""
    if any(call.symbol.rsplit(".", 1)[-1] in FORMATTERS for call in flow.events(CallSite)):
        return True
    return any(
        event.attribute in TEMPLATE_ATTRIBUTES
        and event.value != Constant(None)
        and isinstance(event.target, Tokenizer)
        and event.target.model == tokenizer.model
        for event in flow.events(AttributeSet)
    )


def is_object_of(value: object, *names: str) -> bool:
    """Whether a value is an object of a library class, by the last part of its name."""
    return isinstance(value, LibraryObject) and value.symbol.rsplit(".", 1)[-1] in names
