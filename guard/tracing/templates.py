"""Chat templates that are set on tokenizers: taken away by hand, or put on a base model."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from cleanguard.catalogue import hazards
from guard.observing.events import Change
from guard.tracing.facts import Fact, places
from guard.tracing.subjects import Subjects

_USELESS = (
    "calling a tokenizer never applies a template, so this changes no token id, and what is saved from "
    "here on has lost it"
)
_DEAD = "`default_chat_template` left transformers in 4.44: this makes a dead attribute"


class Templates:
    """Judges the changes of templates."""

    def __init__(self, subjects: Subjects) -> None:
        self.subjects = subjects
        # Told at the end: what was taken away may only have made room for another.
        self._cleared: dict[tuple[int, str, str], Change] = {}

    def of_change(self, change: Change) -> Iterator[Fact]:
        """A template that came, or that went."""
        if self.subjects.severity_of_tokenizer(change.subject) is None:
            return
        function = (change.subject, change.attribute, change.site.filename + change.site.function)
        if change.after is None:
            self._cleared[function] = change
            return
        before = self._cleared.pop(function, None)
        is_restored = before is not None and before.before == change.after
        if (
            change.attribute == "chat_template"
            and change.after != change.before
            and not is_restored
        ):
            name = self.subjects.called(change.subject)
            yield Fact(
                hazards.CHAT_FORMAT_ON_BASE,
                "warning",
                change.site,
                f"the tokenizer of {name} got a chat template: what is trained or asked with it is a chat",
                places(change),
                _evidence(change),
            )

    def closing(self) -> Iterator[Fact]:
        """The templates that were taken away and stayed away."""
        for change in self._cleared.values():
            name = self.subjects.called(change.subject)
            said = _DEAD if change.attribute == "default_chat_template" else _USELESS
            yield Fact(
                hazards.TEMPLATE_DISABLED_BY_HAND,
                hazards.TEMPLATE_DISABLED_BY_HAND.severity,
                change.site,
                f"the template of {name} was set to None: {said}",
                places(change),
                _evidence(change),
            )


def _evidence(change: Change) -> MappingProxyType[str, str | None]:
    return MappingProxyType(
        {"attribute": change.attribute, "before": change.before, "after": change.after}
    )
