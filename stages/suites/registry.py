"""The suites by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cleanguard.catalogue.hazards import TOO_FEW_ITEMS
from cleanguard.catalogue.selection import did_you_mean
from cleanguard.report.counting import counted
from stages.suites import world
from stages.suites.item import Shot, Suite, SuiteError
from stages.suites.lm_eval_samples import PREFIX, suite_lines
from stages.suites.user import read_suite

SUITES: tuple[tuple[str, Callable[[], Suite]], ...] = (
    ("instruct", world.instruct),
    ("heldout", world.heldout),
    ("comprehensive", world.comprehensive),
    ("readiness", world.readiness),
    ("completion", world.completion),
    ("qa", world.qa),
    ("formats", world.formats),
    ("sentinels", world.sentinels),
)


def find_suite(name: str) -> Suite:
    """A suite by its name, a user's own by the path of its JSONL file, or `lm-eval:` and a file of samples.

    Raises:
        SuiteError: There is no such suite, or the file cannot be used.
    """
    known = dict(SUITES)
    if name in known:
        return known[name]()
    if name.startswith(PREFIX):
        path = Path(name.removeprefix(PREFIX)).expanduser()
        suite = read_suite(path, suite_lines(path))
        # Prompts are whole already, few-shot examples included, and lm_eval cuts an answer where it ends.
        written = all(item.scorer == "exact" for item in suite.items)
        return replace(
            suite,
            forms=("raw",),
            endpoint="content" if written else suite.endpoint,
            about=f"What lm_eval logged in {path.name}.",
        )
    if name.endswith((".jsonl", ".json")) or Path(name).exists():
        return read_suite(Path(name))
    raise SuiteError(
        f"there is no suite {name!r} ({', '.join(known)}, or a .jsonl file, or lm-eval:SAMPLES.jsonl)"
        f"{did_you_mean(name, known)}"
    )


def with_examples(suite: Suite, labels: Sequence[str]) -> Suite:
    """The suite with worked examples for few-shot forms.

    A user's file without lines that are worked examples lends its items to each other; none is shown
    to an item of its own cluster.
    """
    lacks = suite.path is not None and not suite.shots and suite.kind != "perplexity"
    if not lacks or not any("fewshot" in label for label in labels):
        return suite
    shots = (Shot(item.prompt, item.gold[0], item.cluster, item.choices) for item in suite.items)
    return replace(suite, shots=tuple(shots))


def limited(suite: Suite, limit: int) -> Suite:
    """Evenly spaced items, so that every slice keeps its share; all of them for 0."""
    if not limit or limit >= len(suite.items):
        return suite
    step = len(suite.items) / limit
    return replace(suite, items=tuple(suite.items[int(at * step)] for at in range(limit)))


def too_few(suite: Suite, items: int, minimum: int) -> str | None:
    """A sentence with CG502 if that many items of the suite are fewer than the minimum."""
    if items >= minimum:
        return None
    return (
        f"{TOO_FEW_ITEMS.code} {TOO_FEW_ITEMS.name}: {suite.name} runs {counted(items, 'item')}, fewer than "
        f"{minimum}; {TOO_FEW_ITEMS.remedy}"
    )


def answers_only(suite: Suite, stage: str) -> Suite:
    """The suite, if models answer its items in words.

    Raises:
        SuiteError: They do not; only `evaluate` scores choices and texts.
    """
    if suite.kind == "answers":
        return suite
    raise SuiteError(
        f"the items of {suite.name} are {suite.kind}, and {stage} needs answers in words; "
        f"`cleanguard run evaluate --suite {suite.path or suite.name}` takes it"
    )
