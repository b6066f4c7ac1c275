"""Puts the items to each model and writes what comes back; a run that was stopped goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from guard.records.writer import JsonlWriter, item_key
from stages.engines import Engine
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.judging import JUDGE, Judge
from stages.evaluate.scoring import choice_results, text_results
from stages.evaluate.subjects import Subject, answering_as
from stages.processes.pieces import Piece
from stages.reports.results import Result, record_of
from stages.suites.forms import form_of, render
from stages.suites.item import Suite, SuiteError, SuiteItem
from stages.suites.judge import Verdict
from stages.suites.scorers import Answer, score

if TYPE_CHECKING:
    from guard import Completion

_log = logging.getLogger("cleanguard.evaluate")
Plan = Sequence[tuple[Subject, tuple[str, ...]]]
# Scored rows are short and sorted by length: more of them together waste less on padding.
_SCORED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that are put to one model at a time, each in its form, and the settings of the answers."""

    config: EvaluateConfig
    subject: Subject
    work: tuple[tuple[str, SuiteItem], ...]


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
    size = config.batch_size * (1 if suite.kind == "answers" else _SCORED_AT_ONCE)
    for subject, forms in plan:
        work = [(form, item) for form in forms for item in suite.items]
        for start in range(0, len(work), size):
            batch = Batch(config, subject, tuple(work[start : start + size]))
            found.append(Piece(tuple(_keys(config, suite, subject, batch.work)), batch))
    return found


def answer_all(
    config: EvaluateConfig, suite: Suite, plan: Plan, engine: Engine, out: JsonlWriter
) -> None:
    """Write the results that are missing, in this process alone.

    Args:
        config: The settings.
        suite: The suite, with the items to run.
        plan: Each model with its prompt forms.
        engine: Holds the base.
        out: The results; what has its key in there is done.
    """
    missing = [
        piece.work
        for piece in pieces_of(config, suite, plan)
        if any(key not in out for key in piece.keys)
    ]
    answer_batches(suite, missing, engine, out)


def answer_batches(
    suite: Suite,
    batches: Sequence[Batch],
    engine: Engine,
    out: JsonlWriter,
    judge: Judge | None = None,
) -> None:
    """Put some batches to their models, each model's together, and write the results.

    Args:
        suite: The suite.
        batches: The work.
        engine: Holds the base.
        out: The results.
        judge: Judges the items whose scorer is `judge`; None if there are none.
    """
    for subject, mine in groupby(batches, key=lambda batch: batch.subject):
        own = list(mine)
        with answering_as(engine, subject) as answering:
            for number, batch in enumerate(own, 1):
                _answer(batch, suite, answering, judge, out)
                _log.info("evaluate: %s, part %d of %d", subject.name, number, len(own))


def _keys(
    config: EvaluateConfig,
    suite: Suite,
    subject: Subject,
    piece: Sequence[tuple[str, SuiteItem]],
) -> list[str]:
    return [
        item_key(suite.name, subject.name, form, item.id, config.temperature, sample)
        for form, item in piece
        for sample in range(config.samples)
    ]


def _answer(
    batch: Batch, suite: Suite, engine: Engine, judge: Judge | None, out: JsonlWriter
) -> None:
    config, name = batch.config, batch.subject.name
    if suite.kind == "choices":
        results = choice_results(config, suite, name, engine, batch.work)
    elif suite.kind == "perplexity":
        results = text_results(config, suite, name, engine, batch.work)
    else:
        results = _generated(config, suite, name, engine, batch.work, judge)
    keys = _keys(config, suite, batch.subject, batch.work)
    for key, result in zip(keys, results, strict=True):
        if key not in out:
            roles = [name, JUDGE] if result.judged and judge and judge.own else [name]
            out.write(key, record_of(result), roles=roles)
    out.flush()


def _generated(
    config: EvaluateConfig,
    suite: Suite,
    subject: str,
    engine: Engine,
    piece: Sequence[tuple[str, SuiteItem]],
    judge: Judge | None,
) -> list[Result]:
    prompts = [render(item, form_of(form), suite.shots, config.few) for form, item in piece]
    sampling: dict[str, Any] = (
        {
            "temperature": config.temperature,
            "seed": config.seed,
            "num_return_sequences": config.samples,
        }
        if config.temperature
        else {}
    )
    found = engine.complete(
        prompts, batch_size=config.batch_size, max_new_tokens=config.max_new_tokens, **sampling
    )
    asked = [piece[at // config.samples] for at in range(len(found))]
    judged: list[Verdict | None] = [None] * len(found)
    if judge is not None:
        judged = judge.verdicts(
            engine, [(item, one.text) for (_, item), one in zip(asked, found, strict=True)]
        )
    results = []
    for at, (completion, verdict) in enumerate(zip(found, judged, strict=True)):
        place, sample = divmod(at, config.samples)
        form, item = asked[at]
        results.append(
            _result(config, suite, subject, form, item, sample, prompts[place], completion, verdict)
        )
    return results


def _result(
    config: EvaluateConfig,
    suite: Suite,
    subject: str,
    form: str,
    item: SuiteItem,
    sample: int,
    prompt: str,
    completion: Completion,
    judged: Verdict | None,
) -> Result:
    answer = Answer(completion.text, completion.finish_reason, len(completion.ids))
    try:
        verdicts = score(item, answer, judged)
    except SuiteError as error:
        raise SuiteError(f"{suite.place(item)}: {error}") from None
    if verdicts.unjudged is not None:
        _log.warning("evaluate: %s: %s; counted as wrong", suite.place(item), verdicts.unjudged)
    return Result(
        suite=suite.name,
        subject=subject,
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
        temperature=config.temperature,
        scorer=item.scorer,
        gold=item.gold,
        count=item.count,
        pattern=item.pattern,
        data=item.data,
        judged=None if judged is None else {"yes": judged.yes, "no": judged.no},
        unjudged=verdicts.unjudged,
    )
