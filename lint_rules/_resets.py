"""Whether a template was only cleared to make room for another one."""

from __future__ import annotations

from lint_rules._flow.analysis import Flow
from lint_rules._flow.events import AttributeSet
from lint_rules._flow.values import Constant


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
            and other.value != Constant(None)
        ):
            return True
    return False
