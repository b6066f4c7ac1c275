"""Puts the items to each model and writes what comes back; a run that was stopped goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from guard import CleanModelLoader
from guard.records import JsonlWriter, item_key
from stages.evaluate.config import EvaluateConfig
from stages.evaluate.subjects import Subject, using
from stages.reports.results import Result
from stages.suites.forms import render
from stages.suites.item import FormName, Suite, SuiteItem
from stages.suites.scorers import Answer, score

if TYPE_CHECKING:
    from guard import Completion, Loaded

_BATCHES = 4  # batches whose answers are written together
_log = logging.getLogger("cleanguard.evaluate")


def answer_all(
    config: EvaluateConfig,
    suite: Suite,
    plan: Sequence[tuple[Subject, tuple[FormName, ...]]],
    loaded: Loaded,
    out: JsonlWriter,
) -> None:
    """Write the results that are missing.

    Pieces of the work are the same in a run that goes on: a piece with one answer missing is done
    again whole, since in bfloat16 an answer may depend on its batch.

    Args:
        config: The settings.
        suite: The suite, with the items to run.
        plan: Each model with its prompt forms.
        loaded: The base.
        out: The results; what has its key in there is done.
    """
    for subject, forms in plan:
        work = [(form, item) for form in forms for item in suite.items]
        size = config.batch_size * _BATCHES
        pieces = [work[start : start + size] for start in range(0, len(work), size)]
        missing = [
            piece
            for piece in pieces
            if any(key not in out for key in _keys(config, suite, subject, piece))
        ]
        if not missing:
            _log.info("evaluate: %s is done already", subject.name)
            continue
        with using(loaded, subject) as model:
            for number, piece in enumerate(missing, 1):
                _answer(config, suite, subject, model, loaded, piece, out)
                _log.info("evaluate: %s, part %d of %d", subject.name, number, len(missing))


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
        strict=verdicts.strict,
        content=verdicts.content,
        stopped=verdicts.stopped,
        truncated=verdicts.truncated,
    )
