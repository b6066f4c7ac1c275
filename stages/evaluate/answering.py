"""Puts the items to each model and writes what comes back; a run that was stopped goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from guard import CleanModelLoader
from guard.records.writer import JsonlWriter, item_key
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.subjects import Subject, using
from stages.pieces import Piece
from stages.reports.results import Result
from stages.suites.forms import render
from stages.suites.item import FormName, Suite, SuiteItem
from stages.suites.scorers import Answer, score

if TYPE_CHECKING:
    from guard import Completion, Loaded

_log = logging.getLogger("cleanguard.evaluate")
Plan = Sequence[tuple[Subject, tuple[FormName, ...]]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that are put to one model at a time, each in its form, and the settings of the answers."""

    config: EvaluateConfig
    subject: Subject
    work: tuple[tuple[FormName, SuiteItem], ...]


def pieces_of(config: EvaluateConfig, suite: Suite, plan: Plan) -> list[Piece[Batch]]:
    """The work of a suite, in pieces that are the same in a run that goes on.

    A piece with one answer missing is done again whole, since in bfloat16 an answer may depend on
    its batch.

    Args:
        config: The settings.
        suite: The suite, with the items to run.
        plan: Each model with its prompt forms.
    """
    found = []
    for subject, forms in plan:
        work = [(form, item) for form in forms for item in suite.items]
        for start in range(0, len(work), config.batch_size):
            batch = Batch(config, subject, tuple(work[start : start + config.batch_size]))
            found.append(Piece(tuple(_keys(config, suite, subject, batch.work)), batch))
    return found


def answer_all(
    config: EvaluateConfig, suite: Suite, plan: Plan, loaded: Loaded, out: JsonlWriter
) -> None:
    """Write the results that are missing, in this process alone.

    Args:
        config: The settings.
        suite: The suite, with the items to run.
        plan: Each model with its prompt forms.
        loaded: The base.
        out: The results; what has its key in there is done.
    """
    missing = [
        piece.work
        for piece in pieces_of(config, suite, plan)
        if any(key not in out for key in piece.keys)
    ]
    answer_batches(suite, missing, loaded, out)


def answer_batches(
    suite: Suite, batches: Sequence[Batch], loaded: Loaded, out: JsonlWriter
) -> None:
    """Put some batches to their models, each model's together, and write the results."""
    for subject, mine in groupby(batches, key=lambda batch: batch.subject):
        own = list(mine)
        with using(loaded, subject) as model:
            for number, batch in enumerate(own, 1):
                _answer(batch.config, suite, subject, model, loaded, batch.work, out)
                _log.info("evaluate: %s, part %d of %d", subject.name, number, len(own))


def _keys(
    config: EvaluateConfig,
    suite: Suite,
    subject: Subject,
    piece: Sequence[tuple[FormName, SuiteItem]],
) -> list[str]:
    return [
        item_key(suite.name, subject.name, form, item.id, config.temperature, sample)
        for form, item in piece
        for sample in range(config.samples)
    ]


def _answer(
    config: EvaluateConfig,
    suite: Suite,
    subject: Subject,
    model: Any,
    loaded: Loaded,
    piece: Sequence[tuple[FormName, SuiteItem]],
    out: JsonlWriter,
) -> None:
    prompts = [render(item, form, suite.shots) for form, item in piece]
    sampling: dict[str, Any] = (
        {
            "temperature": config.temperature,
            "seed": config.seed,
            "num_return_sequences": config.samples,
        }
        if config.temperature
        else {}
    )
    found = CleanModelLoader.complete(
        model, loaded.tokenizer, prompts,
        batch_size=config.batch_size, max_new_tokens=config.max_new_tokens, **sampling,
    )  # fmt: skip
    keys = _keys(config, suite, subject, piece)
    for at, (key, completion) in enumerate(zip(keys, found, strict=True)):
        place, sample = divmod(at, config.samples)
        form, item = piece[place]
        if key not in out:
            result = _result(suite, subject, form, item, sample, prompts[place], completion)
            row = {**asdict(result), "temperature": config.temperature}
            out.write(key, row, roles=[subject.name])
    out.flush()


def _result(
    suite: Suite,
    subject: Subject,
    form: FormName,
    item: SuiteItem,
    sample: int,
    prompt: str,
    completion: Completion,
) -> Result:
    answer = Answer(completion.text, completion.finish_reason, len(completion.ids))
    verdicts = score(item, answer)
    return Result(
        suite=suite.name,
        subject=subject.name,
        form=form,
        item=item.id,
        cluster=item.cluster,
        slice=item.slice,
        sample=sample,
        prompt=prompt,
        text=completion.text,
        finish=completion.finish_reason,
        tokens=verdicts.tokens,
        prompt_tokens=completion.prompt_tokens,
        seed=completion.seed,
        control_tokens=completion.control_tokens,
        batch=completion.batch,
        engine=completion.engine,
        strict=verdicts.strict,
        content=verdicts.content,
        stopped=verdicts.stopped,
        truncated=verdicts.truncated,
    )
