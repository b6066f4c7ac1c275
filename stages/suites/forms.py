"""Prompt forms: the texts in which the same request reaches a model."""

from __future__ import annotations

from collections.abc import Sequence

from stages.suites.item import FormName, Shot, Suite, SuiteError, SuiteItem
from stages.suites.scorers import passes

FORMS: tuple[FormName, ...] = ("raw", "formatted", "qa", "fewshot", "completion")
SHOTS = 4
FORMATTED = "Instruction: {prompt}\nResponse:"
_QA = "Q: {prompt}\nA:"


def render(item: SuiteItem, form: FormName, shots: Sequence[Shot] = ()) -> str:
    """The text that a model reads.

    Args:
        item: The item.
        form: `raw` is the bare request, `formatted` the instruction format that fine-tuning teaches,
            `qa` a question and an answer, `fewshot` the same after up to 4 worked examples,
            `completion` the beginning of a sentence.
        shots: Worked examples; one whose answer would pass for this item is left out.

    Raises:
        SuiteError: The item has no completion, or no example is left.
    """
    if form == "raw":
        return item.prompt
    if form == "formatted":
        return FORMATTED.format(prompt=item.prompt)
    if form == "qa":
        return _QA.format(prompt=item.prompt)
    if form == "completion":
        if item.completion is None:
            raise SuiteError(f"item {item.id!r} has no `completion` to prompt with")
        return item.completion
    # Otherwise a model that repeats an example would pass.
    fair = [shot for shot in shots if not passes(item, shot.answer)][:SHOTS]
    if not fair:
        raise SuiteError(f"item {item.id!r}: there are no worked examples for few-shot prompts")
    worked = [f"{_QA.format(prompt=shot.prompt)} {shot.answer}" for shot in fair]
    return "\n\n".join([*worked, _QA.format(prompt=item.prompt)])


def check_forms(suite: Suite, forms: Sequence[FormName]) -> None:
    """Raise SuiteError, before a model is loaded, where a form cannot be rendered."""
    for form in forms:
        for item in suite.items:
            render(item, form, suite.shots)
