"""What is scored instead of generated: choices behind a prompt, and whole texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cleanguard.errors import JobError
from guard import GuardError
from stages.engines import Engine
from stages.evaluate.config import EvaluateConfig
from stages.reports.results import Result
from stages.suites.choices import LETTERS, Scored, judge_choices, measures_of, plain_scores
from stages.suites.forms import BY_LETTER, form_of, question_of, render
from stages.suites.item import Suite, SuiteError, SuiteItem

if TYPE_CHECKING:
    from guard import Score

Work = Sequence[tuple[str, SuiteItem]]
SCORED = "scored"


def choice_results(
    config: EvaluateConfig,
    suite: Suite,
    subject: str,
    engine: Engine,
    work: Work,
) -> list[Result]:
    """Score the choices of items, and see at each measure which is the likeliest.

    Raises:
        BrokenModelError: Scores are NaN or infinite.
    """
    questions = [question_of(item, label, suite.shots, config.few) for label, item in work]
    alone = [("", texts) for _, texts in questions] if _asks_alone(config) else []
    found = engine.score_batch([*questions, *alone], batch_size=config.batch_size)
    results = []
    for at, (label, item) in enumerate(work):
        without = found[len(questions) + at] if alone else None
        scored = list(_scored(label, item, found[at], without))
        results.append(
            _chosen(
                config, suite, subject, engine, label, item, questions[at][0], found[at], scored
            )
        )
    return results


def text_results(
    config: EvaluateConfig,
    suite: Suite,
    subject: str,
    engine: Engine,
    work: Work,
) -> list[Result]:
    """Score whole texts, every token once.

    Raises:
        BrokenModelError: Scores are NaN or infinite.
    """
    texts = [item.prompt for _, item in work]
    window, overlap = window_of(config)
    found = engine.perplexity(texts, batch_size=config.batch_size, window=window, overlap=overlap)
    return [
        Result(
            **_common(config, suite, subject, engine, label, item),
            prompt=item.prompt,
            text="",
            tokens=one.tokens,
            prompt_tokens=0,
            strict=False,
            content=False,
            likelihood={
                "logprob": one.logprob,
                "tokens": one.tokens,
                "bytes": one.bytes,
                "words": len(item.prompt.split()),
                "windows": one.windows,
            },
        )
        for (label, item), one in zip(work, found.texts, strict=True)
    ]


def window_of(config: EvaluateConfig) -> tuple[int | None, int | None]:
    """Window and overlap as `CleanModelLoader.perplexity` takes them."""
    given = config.perplexity
    return given.window or None, given.overlap or None


def check_items(
    config: EvaluateConfig, suite: Suite, labels: Sequence[str], engine: Engine
) -> None:
    """Tokenise everything that will be asked, before anything is paid for.

    Raises:
        JobError: A prompt cannot be put to this model: it is too long, holds a control token, or is
            empty where there is no BOS; the message says which line it stands in.
    """
    window, overlap = window_of(config)
    work = [(label, item) for label in labels for item in suite.items]

    def look(part: Work) -> None:
        if suite.kind == "choices":
            asked = [question_of(item, label, suite.shots, config.few) for label, item in part]
            alone = [("", texts) for _, texts in asked] if _asks_alone(config) else []
            for number, one, other in engine.check_questions([*asked, *alone]).alike():
                item = part[number % len(part)][1]
                raise SuiteError(
                    f"{suite.place(item)}: choices {one} and {other} ({asked[number % len(part)][1][other]!r}) "
                    "are the same tokens to this model; take one of them out"
                )
        elif suite.kind == "perplexity":
            texts = [item.prompt for _, item in part]
            engine.check_texts(texts, window=window, overlap=overlap)
        else:
            engine.check_prompts(
                [render(item, form_of(form), suite.shots, config.few) for form, item in part]
            )

    _located(suite, work, look)


def _located(suite: Suite, work: Work, look: Callable[[Work], None]) -> None:
    """Look at all together, and one by one only to say where the fault stands."""
    try:
        look(work)
    except GuardError:
        for one in work:
            try:
                look([one])
            except GuardError as error:
                raise JobError(f"{suite.place(one[1])}: {error}") from None
        raise


def _asks_alone(config: EvaluateConfig) -> bool:
    return config.choices.unconditional or config.choices.measure == "unconditional"


def _scored(
    label: str, item: SuiteItem, found: Sequence[Score], alone: Sequence[Score] | None
) -> Iterator[Scored]:
    for at, (choice, one) in enumerate(zip(item.choices, found, strict=True)):
        text = LETTERS[at] if label.endswith(BY_LETTER) else choice
        yield Scored(
            text=choice,
            logprob=one.total,
            tokens=len(one.ids),
            bytes=len(text.encode()),
            characters=len(text),
            unconditional=alone[at].total if alone else None,
        )


def _chosen(
    config: EvaluateConfig,
    suite: Suite,
    subject: str,
    engine: Engine,
    label: str,
    item: SuiteItem,
    prompt: str,
    found: Sequence[Score],
    scored: Sequence[Scored],
) -> Result:
    choice = judge_choices(item, scored)
    first, second = measures_of(config.choices.measure)
    best = choice.best[first]
    return Result(
        **_common(config, suite, subject, engine, label, item),
        prompt=prompt,
        text=item.choices[best[0]] if len(best) == 1 else "",
        tokens=scored[best[0]].tokens,
        prompt_tokens=len(found[0].context),
        strict=choice.right[first],
        content=choice.right[second],
        choices=tuple(plain_scores(scored)),
        right=choice.right,
        tied=tuple(measure for measure in choice.best if choice.tied(measure)),  # type: ignore[arg-type]
    )


def _common(
    config: EvaluateConfig,
    suite: Suite,
    subject: str,
    engine: Engine,
    label: str,
    item: SuiteItem,
) -> dict[str, Any]:
    return {
        "suite": suite.name,
        "subject": subject,
        "form": label,
        "item": item.id,
        "cluster": item.cluster,
        "slice": item.slice,
        "sample": 0,
        "finish": SCORED,
        "seed": None,
        "control_tokens": 0,
        "batch": config.batch_size,
        "engine": engine.scored,
        "stopped": False,
        "truncated": False,
        "temperature": config.temperature,
        "scorer": item.scorer,
        "gold": item.gold,
    }
