"""Whether a template was cleared, and whether only to make room for another one."""

from __future__ import annotations

from lint_rules._flow.analysis import Flow
from lint_rules._flow.state.library_names import TEMPLATE_ATTRIBUTES
from lint_rules._flow.values.events import AttributeSet
from lint_rules._flow.values.joins import Constant, Value


def says_nothing(value: Value) -> bool:
    """Whether a template is none, or empty, which renders every conversation as nothing."""
    return isinstance(value, Constant) and value.value in (None, "")


def clears_template(event: AttributeSet) -> bool:
    """Whether an assignment takes an object's template away."""
    return event.attribute in TEMPLATE_ATTRIBUTES and says_nothing(event.value)


def is_reset(event: AttributeSet, flow: Flow) -> bool:
    """Whether the same tokenizer gets a template of its own afterwards: None was only a reset."""
    seen = False
    for other in flow.events(AttributeSet):
        seen = seen or other is event
        if (
            seen
            and other.target == event.target
            and other.attribute == event.attribute
            and other.place.function is event.place.function
            and not says_nothing(other.value)
        ):
            return True
    return False
