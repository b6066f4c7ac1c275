"""The suites of the embedded model's world: its test split, 249 instructions in 167 clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from stages.suites.forms import render
from stages.suites.item import FormName, Shot, Suite, SuiteItem
from stages.tiny.world import CATEGORIES, OPPOSITES, Item, all_items, items_of

_FORMATS: tuple[FormName, ...] = ("raw", "formatted", "qa", "fewshot", "completion")
_SUBJECTS = {
    "add": "math",
    "opposite": "language",
    "capital": "factual",
    "list": "lists",
    "repeat": "exact",
}


def instruct() -> Suite:
    """Replaces 12 items sampled once, where a short answer counted as a refusal."""
    return Suite(
        name="instruct",
        about="Does the model follow an instruction, and stop?",
        items=_items(lambda item: item.kind),
        shots=_shots(),
    )


def heldout() -> Suite:
    """Replaces patterns that could never match; tells facts whose mirror image was trained on."""
    trained = {_mirrored(item) for item in items_of("web", "sft", "preference")}
    facts = {item.key: _mirrored(item) for item in all_items()}
    return Suite(
        name="heldout",
        about="Facts that no training data holds; a slice of its own for those it holds mirrored.",
        items=_items(
            lambda item: "mirrored in training" if facts[item.key] in trained else "unseen"
        ),
        shots=_shots(),
    )


def comprehensive() -> Suite:
    """Replaces 45 items where length was success and shared words were relevance."""
    return Suite(
        name="comprehensive",
        about="Knowledge by subject, bare, formatted, few-shot and as a sentence to complete.",
        items=_items(lambda item: _SUBJECTS[item.kind]),
        endpoint="content",
        forms=("raw", "formatted", "fewshot", "completion"),
        shots=_shots(),
    )


def readiness() -> Suite:
    """Replaces 14 items with half of the points for length."""
    return replace(
        instruct(),
        name="readiness",
        about="May training go on? The interval's lower end must reach the threshold.",
        threshold=0.5,
    )


def completion() -> Suite:
    """What a base model knows, asked in the sentences that it was trained on."""
    found: dict[str, SuiteItem] = {}
    for item in items_of("test"):
        for prompt in _sentences(item):
            suite_item = _suite_item(item, item.kind)
            # Wordings of an instruction share a sentence; one item each, or it would count twice.
            found[prompt] = replace(suite_item, id=prompt, prompt=prompt, completion=prompt)
    return Suite(
        name="completion",
        about="Sentences that a base model completes; it need not stop.",
        items=tuple(found.values()),
        endpoint="content",
        forms=("completion",),
    )


def _sentences(item: Item) -> tuple[str, ...]:
    prompt = item.completion_prompt
    if item.kind == "add":
        a, b = item.key.split(":")[1:]
        return (prompt, f"The sum of {a} and {b} is", f"If you add {a} and {b} you get")
    if item.kind == "list":
        return (prompt, prompt.replace("Here are", "In the shop there were"))
    return (prompt,)


def qa() -> Suite:
    """Questions and answers with and without worked examples."""
    return Suite(
        name="qa",
        about="Question and answer, with and without worked examples; it need not stop.",
        items=_items(lambda item: item.kind),
        endpoint="content",
        forms=("qa", "fewshot"),
        shots=_shots(),
    )


def formats() -> Suite:
    """Replaces 25 generations of which any passed that held a digit."""
    shots = _shots()
    first: dict[str, SuiteItem] = {}
    for item in _items(lambda item: item.kind):
        first.setdefault(item.cluster, item)
    return Suite(
        name="formats",
        about="The same facts in five formats: which one brings them out?",
        items=tuple(
            replace(item, id=f"{item.id}|{form}", prompt=render(item, form, shots), slice=form)
            for item in first.values()
            for form in _FORMATS
        ),
        endpoint="content",
        forms=("raw",),
    )


def sentinels() -> Suite:
    """Replaces 8 prompts whose verdict was inverted: there, a clean base read as contaminated."""
    return Suite(
        name="sentinels",
        about="Bare requests: a base writes on, a model that answers and stops was tuned to.",
        items=_items(lambda item: item.kind),
        forms=("raw",),
        meaning="contaminated",
    )


def _items(slice_of: Callable[[Item], str]) -> tuple[SuiteItem, ...]:
    return tuple(_suite_item(item, slice_of(item)) for item in items_of("test"))


def _suite_item(item: Item, slice_name: str) -> SuiteItem:
    listing = item.kind == "list"
    category, _, count = item.gold.partition("|")
    return SuiteItem(
        id=item.instruction,
        prompt=item.instruction,
        gold=CATEGORIES[category] if listing else (item.gold,),
        scorer="members" if listing else "exact",
        # All wordings of a list share its sentence to complete, so they can't be independent.
        cluster=":".join(item.key.split(":")[:3]) if listing else item.key,
        slice=slice_name,
        completion=item.completion_prompt,
        count=int(count) if listing else None,
    )


def _shots() -> tuple[Shot, ...]:
    """Worked examples from the base's own corpus, in turn from each kind; lists have no one answer."""
    by_kind: dict[str, list[Shot]] = {}
    for item in items_of("web"):
        if item.kind != "list":
            by_kind.setdefault(item.kind, []).append(Shot(item.instruction, f"{item.gold}."))
    return tuple(_in_turn(by_kind.values()))


def _in_turn(groups: Iterable[list[Shot]]) -> Iterable[Shot]:
    columns = list(groups)
    for row in range(max(map(len, columns))):
        yield from (column[row] for column in columns if row < len(column))


def _mirrored(item: Item) -> str:
    """A name that a fact shares with its mirror image: 3 plus 4 and 4 plus 3, hot and cold."""
    if item.kind == "add":
        _, a, b = item.key.split(":")
        return ":".join(["add", *sorted((a, b))])
    if item.kind == "opposite":
        word = item.key.partition(":")[2]
        return ":".join(["opp", *sorted((word, OPPOSITES[word]))])
    return item.key
