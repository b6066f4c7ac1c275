"""CG403: a tokenizer is saved after its template was removed."""

from __future__ import annotations

from collections.abc import Iterator

from cleanguard.catalogue import hazards
from cleanguard.catalogue.findings import Fix
from lint_rules._flow.analysis import Flow
from lint_rules._flow.values.events import AttributeSet, CallSite
from lint_rules._flow.values.joins import Tokenizer
from lint_rules._light import tree as cst
from lint_rules._questions.resets import clears_template, is_reset
from lint_rules.edits import Edit, replace
from lint_rules.rule import Report, Rule

_SAVES = ("save_pretrained", "push_to_hub")


def _check(flow: Flow) -> Iterator[Report]:
    stripped = [
        event
        for event in flow.events(AttributeSet)
        if event.attribute == "chat_template"
        and clears_template(event)
        and isinstance(event.target, Tokenizer)
        and not is_reset(event, flow)
    ]
    for site in flow.events(CallSite):
        tokenizer = site.receiver
        if site.method not in _SAVES or not isinstance(tokenizer, Tokenizer):
            continue
        cause = next((event for event in stripped if event.target == tokenizer), None)
        if cause is not None:
            edits = _undo(cause)
            yield Report(
                site.node,
                f"`{site.method}` after the template was taken away: the saved tokenizer has lost its template",
                tokenizer.confidence,
                fix=Fix("unsafe", "leave the template alone") if edits else None,
                edits=edits,
            )


def _undo(event: AttributeSet) -> tuple[Edit, ...]:
    """The assignment becomes `pass` where it is a statement of its own."""
    line = event.place.line
    if line is None or len(line.body) != 1 or not isinstance(event.node, cst.Assign):
        return ()
    return replace(event.node, "pass")


RULE = Rule(
    hazards.TEMPLATE_STRIPPED_SAVE,
    _check,
    bad=(
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.chat_template = None
tokenizer.save_pretrained("out")
""",
        """
from transformers import AutoTokenizer

class Trainer:
    def prepare(self, path):
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.tokenizer.chat_template = None

    def finish(self):
        self.tokenizer.push_to_hub("mine/model")
""",
    ),
    good=(
        """
from guard import CleanModelLoader

model, tokenizer, provenance = CleanModelLoader("Qwen/Qwen2.5-7B").load()
tokenizer.save_pretrained("out")
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.save_pretrained("out")
""",
        """
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-7B")
tokenizer.chat_template = None
tokenizer.chat_template = open("mine.jinja").read()
tokenizer.save_pretrained("out")
""",
    ),
)
