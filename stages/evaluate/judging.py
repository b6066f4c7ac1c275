"""The judge of an evaluation: the bare base, or a model of its own, asked for the likelier verdict."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cleanguard.errors import JobError
from guard import CleanModelLoader
from stages.evaluate.config import EvaluateConfig
from stages.models import loader_of
from stages.suites.item import Suite, SuiteItem
from stages.suites.judge import TEMPLATE, Verdict, check_template, question_of

if TYPE_CHECKING:
    from guard import Loaded

JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks a model about answers.

    Attributes:
        config: The settings.
        template: The question.
        base: The base under evaluation.
        own: A model of its own; None where the base judges.
    """

    config: EvaluateConfig
    template: str
    base: Loaded
    own: Loaded | None

    def verdicts(
        self, answering: Any, answers: Sequence[tuple[SuiteItem, str]]
    ) -> list[Verdict | None]:
        """A verdict on each answer; None for items that another scorer judges.

        Args:
            answering: The model that answered; the base judges with its adapters off, since an
                adapter would find its own habits likely.
            answers: Items with the text of an answer.
        """
        places = [at for at, (item, _) in enumerate(answers) if item.scorer == JUDGE]
        found: list[Verdict | None] = [None] * len(answers)
        if not places:
            return found
        pair = (self.config.judge.yes, self.config.judge.no)
        questions = [(question_of(self.template, *answers[at]), pair) for at in places]
        model, tokenizer, _ = self.own or self.base
        with _bare(answering) if self.own is None else nullcontext():
            scores = CleanModelLoader.score_batch(
                answering if self.own is None else model, tokenizer, questions,
                # Models under test write what they like; to the judge it is text.
                batch_size=self.config.batch_size, special_tokens="text",
            )  # fmt: skip
        for at, (yes, no) in zip(places, scores, strict=True):
            found[at] = Verdict(yes.total, no.total)
        return found


def judge_for(config: EvaluateConfig, suite: Suite, base: Loaded) -> Judge | None:
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
        own = loader_of(replace(config.model, id=config.judge.model, revision=None)).load()
    return Judge(config, template, base, own)


def template_of(config: EvaluateConfig) -> str:
    """The judge's question; raises JobError as `judge_for`."""
    path = config.judge.template
    if path is None:
        return TEMPLATE
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError:
        raise JobError(f"{path}: not UTF-8; save it as UTF-8") from None
    check_template(text)
    return text.rstrip("\n")


def _bare(model: Any) -> AbstractContextManager[Any]:
    if hasattr(model, "peft_config"):
        return model.disable_adapter()  # type: ignore[no-any-return]  # PEFT's own
    return nullcontext()
