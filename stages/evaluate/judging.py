"""The judge of an evaluation: the bare base, or a model of its own, asked for the likelier verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cleanguard.editing.read import regular
from cleanguard.errors import JobError
from guard import GuardError
from stages.engines import Engine, engine_for
from stages.evaluate.config import EvaluateConfig
from stages.suites.item import Suite, SuiteItem
from stages.suites.judge import TEMPLATE, Verdict, check_template, question_of

JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks a model about answers.

    Attributes:
        config: The settings.
        template: The question.
        own: A model of its own; None where the base judges.
    """

    config: EvaluateConfig
    template: str
    own: Engine | None

    def check(self, answering: Engine) -> None:
        """Look at what the user wrote, before anything is asked; what models write is not looked at.

        Args:
            answering: As in `verdicts`.

        Raises:
            JobError: The template or a verdict holds a control token, or both verdicts are the same tokens.
        """
        pair = (self.config.judge.yes, self.config.judge.no)
        try:
            asked = (self.own or answering).check_questions([(self.template, pair)])
        except GuardError as error:
            raise JobError(f"judge.template, judge.yes, judge.no: {error}") from error
        if any(True for _ in asked.alike()):
            raise JobError("judge.yes and judge.no: they are the same tokens to the judge")

    def verdicts(
        self, answering: Engine, answers: Sequence[tuple[SuiteItem, str]]
    ) -> list[Verdict | None]:
        """A verdict on each answer; None for items that another scorer judges.

        Args:
            answering: What answered; the base judges with its adapters off, since an
                adapter would find its own habits likely.
            answers: Items with the text of an answer.
        """
        places = [at for at, (item, _) in enumerate(answers) if item.scorer == JUDGE]
        found: list[Verdict | None] = [None] * len(answers)
        if not places:
            return found
        pair = (self.config.judge.yes, self.config.judge.no)
        questions = [(question_of(self.template, *answers[at]), pair) for at in places]
        judge = self.own or answering
        with judge.bare():
            # Models under test write what they like; to the judge it is text.
            scores = judge.score_batch(
                questions, batch_size=self.config.batch_size, special_tokens="text"
            )
        for at, (yes, no) in zip(places, scores, strict=True):
            found[at] = Verdict(yes.total, no.total)
        return found


def judge_for(config: EvaluateConfig, suite: Suite) -> Judge | None:
    """The judge that a suite needs; None if none of its items does.

    Raises:
        JobError: The template cannot be read, or does not show the answer.
        GuardError: The judge's model cannot be loaded.
    """
    if not any(item.scorer == JUDGE for item in suite.items):
        return None
    template = template_of(config)
    own = None
    if config.judge.model:
        model = replace(config.model, id=config.judge.model, revision=None)
        own = engine_for("transformers", model, config.vllm)
    return Judge(config, template, own)


def template_of(config: EvaluateConfig) -> str:
    """The judge's question; raises JobError as `judge_for`."""
    path = config.judge.template
    if path is None:
        return TEMPLATE
    try:
        text = regular(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError:
        raise JobError(f"{path}: not UTF-8; save it as UTF-8") from None
    check_template(text)
    return text.rstrip("\n")
