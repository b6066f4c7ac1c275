"""The built-in suites hold what they promise."""

from __future__ import annotations

import pytest

from cleanguard.errors import JobError
from stages.suites.forms import FORMS, check_forms, render
from stages.suites.item import Suite, SuiteItem
from stages.suites.registry import SUITES, find_suite, too_few
from stages.suites.scorers import passes
from stages.suites.world import instruct
from stages.tiny.world import items_of

every_suite = pytest.mark.parametrize("name", [name for name, _ in SUITES])


@every_suite
def test_a_suite_is_large_enough_and_clustered(name: str) -> None:
    suite = find_suite(name)
    assert suite.name == name
    assert len(suite.items) >= 200
    assert suite.clusters == 167
    assert len({item.id for item in suite.items}) == len(suite.items)
    assert all(item.gold and item.cluster and item.slice for item in suite.items)


@every_suite
def test_no_item_and_no_worked_example_comes_from_the_wrong_split(name: str) -> None:
    suite = find_suite(name)
    trained = {item.instruction for item in items_of("web", "sft", "preference")}
    assert not trained & {item.prompt for item in suite.items}
    assert {shot.prompt for shot in suite.shots} <= {item.instruction for item in items_of("web")}


@every_suite
def test_every_form_can_be_rendered(name: str) -> None:
    suite = find_suite(name)
    check_forms(suite, suite.forms)
    for form in suite.forms:
        prompts: dict[str, set[str]] = {}
        for item in suite.items:
            prompts.setdefault(render(item, form, suite.shots), set()).add(item.cluster)
        assert len(prompts) >= 167
        assert all(len(clusters) == 1 for clusters in prompts.values()), "the same text twice"


def test_forms_are_what_they_are_called() -> None:
    suite = instruct()
    item = suite.items[0]
    assert render(item, "raw") == item.prompt
    assert render(item, "formatted") == f"Instruction: {item.prompt}\nResponse:"
    assert render(item, "qa") == f"Q: {item.prompt}\nA:"
    assert render(item, "completion") == item.completion
    few = render(item, "fewshot", suite.shots)
    assert few.count("\nA:") == 5
    assert few.endswith(f"Q: {item.prompt}\nA:")


def test_no_worked_example_gives_the_answer_away() -> None:
    suite = instruct()
    for item in suite.items:
        shown = render(item, "fewshot", suite.shots).split("\n\n")[:-1]
        assert len(shown) == 4
        assert not any(passes(item, shot.partition("A: ")[2]) for shot in shown)


def test_heldout_tells_mirrored_facts() -> None:
    slices = {item.prompt: item.slice for item in find_suite("heldout").items}
    assert set(slices.values()) == {"unseen", "mirrored in training"}
    assert sum(name == "unseen" for name in slices.values()) == 177


def test_formats_ask_each_fact_in_each_format() -> None:
    suite = find_suite("formats")
    assert {item.slice for item in suite.items} == set(FORMS)
    assert len(suite.items) == 167 * 5


def test_what_cannot_be_rendered_is_refused() -> None:
    item = SuiteItem("i", "p", ("g",), "exact", "c", "s")
    suite = Suite("mine", "Mine.", (item,))
    with pytest.raises(JobError, match="no `completion`"):
        check_forms(suite, ["completion"])
    with pytest.raises(JobError, match="no worked examples"):
        check_forms(suite, ["fewshot"])


def test_unknown_suite_gets_a_proposal() -> None:
    with pytest.raises(JobError, match="did you mean 'instruct'"):
        find_suite("instuct")


def test_too_few_items_are_told() -> None:
    assert too_few(instruct(), 249, 200) is None
    said = too_few(instruct(), 12, 200)
    assert said is not None
    assert said.startswith("CG502 too-few-items: instruct runs 12 items, fewer than 200")
