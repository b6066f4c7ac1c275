"""The `judge` scorer: a model reads an answer, and the likelier of two verdicts counts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cleanguard.errors import JobError
from stages.suites.item import SuiteItem

TEMPLATE = (
    "Question: {prompt}\n"
    "Right answer: {gold}\n"
    "Given answer: {answer}\n"
    "Does the given answer say the same as the right one? Yes or no?\n"
    "Verdict:"
)
_NAMES = ("prompt", "gold", "answer")
_FIELD = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge made of an answer.

    Attributes:
        yes, no: The log-probabilities of the two verdicts behind the question.
    """

    yes: float
    no: float

    @property
    def right(self) -> bool:
        """The answer counts only if the good verdict is the likelier one; a tie does not."""
        return self.yes > self.no

    @property
    def tied(self) -> bool:
        """Both are as likely."""
        return self.yes == self.no


def question_of(template: str, item: SuiteItem, answer: str) -> str:
    """The text behind which the judge's verdict stands; an answer is put in as it is, never read."""
    values = {"prompt": item.prompt, "gold": " / ".join(item.gold), "answer": answer.strip()}
    return _FIELD.sub(lambda found: values.get(found[1], found[0]), template)


def check_template(template: str) -> None:
    """Raise JobError for a template that does not show the answer, or names what there is not."""
    names = _FIELD.findall(template)
    unknown = [name for name in names if name not in _NAMES]
    if unknown:
        raise JobError(
            f"judge.template: it names {{{unknown[0]}}}; there are {{prompt}}, {{gold}} and {{answer}}"
        )
    if "answer" not in names:
        raise JobError("judge.template: it never shows the {answer} that is judged")
