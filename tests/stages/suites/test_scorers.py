"""Scorers against answers that try to pass without answering."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.suites.forms import FORMS, render
from stages.suites.item import ScorerName, SuiteItem
from stages.suites.registry import SUITES
from stages.suites.scorers import SCORERS, Answer, passes, score
from stages.suites.world import instruct
from stages.tiny.world import check, items_of

WORLD = list(zip(items_of("test"), instruct().items, strict=True))
SUM = SuiteItem("s", "Add 4 and 6.", ("10",), "exact", "c", "add")
COLORS = SuiteItem(
    "l", "List two colors.", ("red", "blue", "gold"), "members", "c", "list", count=2
)
CITY = SuiteItem("m", "Where is the Eiffel tower?", ("Paris", "New Paris"), "mentions", "c", "qa")
MINUS = SuiteItem("n", "How much?", ("−5",), "number", "c", "qa")
FIVE = SuiteItem("n", "How much?", ("5",), "number", "c", "qa")
THIRTEEN = SuiteItem("n", "How much?", ("13",), "number", "c", "qa")
COUNT = SuiteItem("n", "How many?", ("1300",), "number", "c", "qa")

every_suite = pytest.mark.parametrize("build", [build for _, build in SUITES], ids=dict(SUITES))


def finished(text: str) -> Answer:
    return Answer(text, "eos", len(text.split()) + 1)


def cut_off(text: str) -> Answer:
    return Answer(text, "length", len(text.split()))


@pytest.mark.parametrize(
    ("item", "text", "strict", "content"),
    [
        pytest.param(SUM, " 10.", True, True, id="right"),
        pytest.param(SUM, " 10. Add 3 and 5.", False, True, id="gold first, then a run-on"),
        pytest.param(SUM, " 10\n\nInstruction: Add 1 and 2.\nResponse: 3.", False, True, id="runs on to more exchanges"),
        pytest.param(SUM, " Let me think. It is 9 or 10.", False, False, id="gold at the end of a run-on"),
        pytest.param(SUM, " 1 2 3 4 5 6 7 8 9 10 11", False, False, id="gold among all numbers"),
        pytest.param(SUM, " 100", False, False, id="gold as the beginning of another number"),
        pytest.param(SUM, " 10.5", False, False, id="gold before a decimal point"),
        pytest.param(SUM, " Add 4 and 6.", False, False, id="parrot"),
        pytest.param(SUM, "", False, False, id="nothing"),
        pytest.param(SUM, " \n\n10.", True, True, id="blank lines before"),
        pytest.param(SUM, "...", False, False, id="full stops alone"),
        pytest.param(COLORS, " red, blue.", True, True, id="two members"),
        pytest.param(COLORS, " red, red.", False, False, id="one member twice"),
        pytest.param(COLORS, " red, blue, gold.", False, False, id="every member"),
        pytest.param(COLORS, " red, blue. red, gold.", False, True, id="two lists"),
        pytest.param(COLORS, " two, colors.", False, False, id="parrot with a comma"),
        pytest.param(CITY, " It's Paris.", True, True, id="a sentence"),
        pytest.param(CITY, " paris", True, True, id="lower case"),
        pytest.param(CITY, " It is not Paris.", False, False, id="negated"),
        pytest.param(CITY, " Paris, Rome, Oslo", False, False, id="every city"),
        pytest.param(CITY, " Paris or Rome", False, False, id="undecided"),
        pytest.param(CITY, " one two three four five six seven eight nine Paris", False, False, id="buried in words"),
        pytest.param(CITY, " Rome. Paris.", False, False, id="wrong sentence first"),
        pytest.param(CITY, " Parisian", False, False, id="part of a word"),
        pytest.param(COUNT, " It is 1,300.0.", True, True, id="the number in words"),
        pytest.param(COUNT, " 1300 or 1400", False, False, id="two numbers"),
        pytest.param(COUNT, " many", False, False, id="no number"),
        pytest.param(COUNT, " It is −1300.", False, False, id="typographic minus"),
        pytest.param(MINUS, " It is −5.", True, True, id="a negative gold"),
        pytest.param(MINUS, " It is 5.", False, False, id="sign dropped"),
        pytest.param(FIVE, " It is −5.", False, False, id="sign added"),
        pytest.param(FIVE, " .5", False, False, id="no zero before the point"),
        pytest.param(FIVE, " 5½", False, False, id="and a half"),
        pytest.param(FIVE, " 5²", False, False, id="squared"),
        pytest.param(THIRTEEN, " 1,3", False, False, id="a comma in the middle"),
    ],
)  # fmt: skip
def test_verdicts(item: SuiteItem, text: str, strict: bool, content: bool) -> None:
    found = score(item, finished(text))
    assert (found.strict, found.content) == (strict, content)
    assert not score(item, cut_off(text)).strict
    assert not score(item, Answer(text, "stop", 3)).strict


def test_length_and_end_are_reported_apart_from_content() -> None:
    found = score(SUM, cut_off(" 10. and on and on"))
    assert (found.content, found.stopped, found.truncated, found.tokens) == (True, False, True, 5)
    found = score(SUM, finished(" 11."))
    assert (found.content, found.stopped, found.truncated) == (False, True, False)


@pytest.mark.parametrize(
    "text",
    [
        "{gold}.",
        " {gold}",
        "{gold}. {gold}.",
        "It is {gold}.",
        "",
        "red, blue",
        "{prompt}",
        "{gold}\n",
    ],
)
def test_strict_is_what_the_world_itself_calls_right(text: str) -> None:
    for item, suite_item in WORLD:
        gold = item.gold if item.kind != "list" else "red, blue"
        answer = text.format(gold=gold, prompt=item.instruction)
        assert score(suite_item, finished(answer)).strict == check(item, answer)


@every_suite
def test_parroting_the_prompt_never_passes(build: object) -> None:
    suite = build()  # type: ignore[operator]
    for item in suite.items:
        for form in FORMS if suite.shots else suite.forms:
            prompt = render(item, form, suite.shots)
            echoes = [prompt, *prompt.split("\n"), *(part for part in prompt.split(": ", 1)[1:])]
            echoes += [line.removeprefix("A: ") for line in prompt.split("\n")]
            assert not any(passes(item, echo) for echo in echoes), (item.id, form)


@every_suite
def test_length_alone_never_passes(build: object) -> None:
    rng = random.Random(1)
    suite = build()  # type: ignore[operator]
    golds = {word for item in suite.items for gold in item.gold for word in gold.split()}
    filler = [
        word for word in ("lorem", "ipsum", "dolor", "sit", "amet", "zzz") if word not in golds
    ]
    for length in (1, 2, 5, 20, 100, 1000):
        text = " ".join(rng.choices(filler, k=length)) + "."
        assert not any(passes(item, text) for item in suite.items)


@given(text=st.text(), name=st.sampled_from(sorted(SCORERS)))
def test_a_text_without_the_gold_never_passes(text: str, name: ScorerName) -> None:
    item = SuiteItem("i", "p", ("4711",), name, "c", "s", count=1 if name == "members" else None)
    if "4711" not in text:
        assert not passes(item, text)


@given(text=st.text(), name=st.sampled_from(sorted(SCORERS)))
def test_strict_implies_stopping(text: str, name: ScorerName) -> None:
    item = SuiteItem("i", "p", ("4711",), name, "c", "s", count=1 if name == "members" else None)
    assert not score(item, Answer(f"4711 {text}", "length", 3)).strict


def test_a_gold_that_is_hidden_in_a_run_on_never_passes_strict() -> None:
    for _, item in WORLD:
        gold = item.gold[0] if item.scorer == "exact" else ", ".join(item.gold[: item.count])
        for text in (f"{gold}. And so on.", f"Well. {gold}.", f"{gold}\nInstruction: x"):
            assert not score(item, finished(text)).strict
