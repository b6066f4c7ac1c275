"""Prompt forms: the texts in which the same request reaches a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

from stages.suites.choices import LETTERS, joined, lettered, refuse_letters
from stages.suites.item import FormName, Shot, Suite, SuiteError, SuiteItem
from stages.suites.shots import FewShot, shots_for

FORMS: tuple[FormName, ...] = get_args(FormName)
BY_LETTER = "-letters"
FORMATTED = "Instruction: {prompt}\nResponse:"
_QA = "Q: {prompt}\nA:"
_LETTERED_END = "Answer:"
_USUAL = FewShot()


def render(
    item: SuiteItem, form: FormName, shots: Sequence[Shot] = (), few: FewShot = _USUAL
) -> str:
    """The text that a model reads.

    Args:
        item: The item.
        form: `raw` is the bare request, `formatted` the instruction format that fine-tuning teaches,
            `qa` a question and an answer, `fewshot` the same after worked examples, `completion` the
            beginning of a sentence.
        shots: Worked examples.
        few: Which of them are shown.

    Raises:
        SuiteError: The item has no completion, or no example is left.
    """
    if form == "completion":
        return _completion(item)
    asked = [(shot.prompt, shot.answer) for shot in _shown(item, form, shots, few)]
    return _worked(asked, item.prompt, _FORMATS[few.around if form == "fewshot" else form])


def question_of(
    item: SuiteItem, label: str, shots: Sequence[Shot] = (), few: FewShot = _USUAL
) -> tuple[str, tuple[str, ...]]:
    """What a model is asked of an item of `choices`: a prompt, and a continuation for each choice.

    Args:
        item: The item.
        label: A form, or one with `-letters` behind it: then the choices stand in the prompt, and
            their letters are the continuations.
        shots, few: As in `render`.

    Raises:
        SuiteError: As `render`; or more choices than letters.
    """
    form = form_of(label)
    if not label.endswith(BY_LETTER):
        prompt = render(item, form, shots, few)
        return prompt, tuple(joined(item, prompt, choice) for choice in item.choices)
    refuse_letters(item)
    fair = [shot for shot in _shown(item, form, shots, few) if shot.answer in shot.choices]
    asked = [
        (lettered(shot.prompt, shot.choices), LETTERS[shot.choices.index(shot.answer)])
        for shot in fair
    ]
    if form == "fewshot" and not asked:
        raise SuiteError("its worked examples have no `choices`, so none can be shown by letter")
    prompt = _completion(item) if form == "completion" else item.prompt
    formatted = "formatted" in (form, few.around if form == "fewshot" else form)
    around = _FORMATS["formatted"] if formatted else _answer_below
    whole = _worked(asked, lettered(prompt, item.choices), around)
    return whole, tuple(f" {letter}" for letter in LETTERS[: len(item.choices)])


def form_of(label: str) -> FormName:
    """The form of a label such as `qa-letters`."""
    return label.removesuffix(BY_LETTER)  # type: ignore[return-value]  # made of one


def check_forms(suite: Suite, labels: Sequence[str], few: FewShot = _USUAL) -> None:
    """Raise SuiteError, before a model is loaded, where a form cannot be rendered."""
    for label in labels:
        for item in suite.items:
            try:
                if item.kind == "choices":
                    question_of(item, label, suite.shots, few)
                else:
                    render(item, form_of(label), suite.shots, few)
            except SuiteError as error:
                raise SuiteError(f"{suite.place(item)}: {error}") from None


def _shown(item: SuiteItem, form: FormName, shots: Sequence[Shot], few: FewShot) -> Sequence[Shot]:
    if form != "fewshot":
        return ()
    fair = shots_for(item, shots, few)
    if not fair:
        raise SuiteError(
            "there are no worked examples for few-shot prompts"
            + (" that do not give its answer away" if shots else "")
            + '; give lines with "shot": true'
        )
    return fair


def _worked(
    asked: Sequence[tuple[str, str]],
    prompt: str,
    around: Callable[[str], str],
) -> str:
    worked = [f"{around(request)} {answer.strip()}" for request, answer in asked]
    return "\n\n".join([*worked, around(prompt)])


def _completion(item: SuiteItem) -> str:
    if item.completion is None:
        raise SuiteError("it has no `completion` to prompt with")
    return item.completion


def _answer_below(text: str) -> str:
    return f"{text}\n{_LETTERED_END}"


_FORMATS: dict[FormName, Callable[[str], str]] = {
    "raw": str,
    "formatted": lambda text: FORMATTED.format(prompt=text),
    "qa": lambda text: _QA.format(prompt=text),
}
