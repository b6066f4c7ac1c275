"""Choices, texts, patterns, functions of one's own and judges: what is read, refused, and decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from stages.suites.choices import Scored, judge_choices, plain_scores, read_scores
from stages.suites.code import by_code, source_digests
from stages.suites.forms import check_forms, question_of, render
from stages.suites.item import Shot, Suite, SuiteError, SuiteItem, plain_item
from stages.suites.judge import Verdict, check_template
from stages.suites.judge import question_of as judged_question
from stages.suites.registry import answers_only, find_suite, with_examples
from stages.suites.scorers import Answer, passes, score
from stages.suites.shots import FewShot, shots_for

CHOICE = {"prompt": "2 plus 3 is", "choices": ["5", "6"], "gold": "5"}


def suite_of(tmp_path: Path, *lines: Any, name: str = "mine.jsonl") -> Suite:
    path = tmp_path / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return find_suite(str(path))


def test_choices_are_read(tmp_path: Path) -> None:
    suite = suite_of(
        tmp_path,
        CHOICE,
        {"prompt": "Hot or cold?", "choices": ["hot", "cold", "warm"], "gold": "B", "slice": "t"},
        {"prompt": "", "choices": ["A dog is.", "A dog are."], "gold": 0, "joint": ""},
        {"prompt": "2 plus 3 is", "choices": ["5", "4"], "gold": [0], "id": "other"},
    )
    assert suite.kind == "choices"
    assert (suite.forms, suite.endpoint) == (("raw",), "strict")
    assert [item.gold for item in suite.items] == [("5",), ("cold",), ("A dog is.",), ("5",)]
    assert suite.items[2].id == suite.items[2].cluster == "A dog is. / A dog are."
    assert suite.place(suite.items[3]) == f"{tmp_path / 'mine.jsonl'}:4"
    assert "line" not in plain_item(suite.items[0])


def test_texts_are_read(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, {"text": "A dog."}, {"text": "A cat.", "cluster": "c", "id": "two"})
    assert suite.kind == "perplexity"
    assert [item.prompt for item in suite.items] == ["A dog.", "A cat."]
    assert suite.items[0].cluster == suite.items[0].id != suite.items[1].id == "two"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param({**CHOICE, "choices": []}, r"choices are \[\]; expected two texts", id="none"),
        pytest.param({**CHOICE, "choices": ["5"]}, "expected two texts or more", id="one"),
        pytest.param({**CHOICE, "choices": ["5", " 5"]}, "choices 0 and 1 are both", id="equal"),
        pytest.param({**CHOICE, "choices": ["5", 6]}, "expected two texts", id="a number"),
        pytest.param({**CHOICE, "choices": ["5", " "]}, "expected two texts", id="blank"),
        pytest.param({**CHOICE, "choices": "5"}, "expected two texts", id="one text"),
        pytest.param({**CHOICE, "gold": "7"}, "gold is '7'; expected one of the choices", id="gold elsewhere"),
        pytest.param({**CHOICE, "gold": 2}, "gold is 2", id="number too high"),
        pytest.param({**CHOICE, "gold": -1}, "gold is -1", id="number below 0"),
        pytest.param({**CHOICE, "gold": True}, "gold is True", id="true"),
        pytest.param({**CHOICE, "gold": "C"}, "gold is 'C'", id="letter too high"),
        pytest.param({**CHOICE, "gold": ["5", "6"]}, "cannot be failed", id="all right"),
        pytest.param({"prompt": "x", "choices": ["a", "b"]}, "gold is missing", id="no gold"),
        pytest.param({"choices": ["a", "b"], "gold": 0}, "prompt is missing", id="no prompt"),
        pytest.param({**CHOICE, "scorer": "choices", "pattern": "x"}, "unknown field 'pattern'", id="field of another kind"),
        pytest.param({**CHOICE, "joint": 3}, "joint is 3", id="joint"),
        pytest.param({"prompt": "x", "gold": "y", "scorer": "choices"}, "choices are missing", id="scorer without choices"),
        pytest.param({"text": ""}, "text is ''", id="empty text"),
        pytest.param({"text": 3}, "text is 3", id="text of a number"),
        pytest.param({"text": "x", "gold": "y"}, "unknown field 'gold'", id="text with gold"),
        pytest.param({"text": "x", "shot": True}, "no worked example", id="text as example"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": "regex"}, "pattern is missing", id="no pattern"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": "regex", "pattern": "("}, "cannot read", id="broken pattern"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": "regex", "pattern": "(a)(b)"}, "2 groups", id="two groups"),
        pytest.param({"prompt": "x 5", "gold": "5", "scorer": "regex", "pattern": r"\d"}, "repeating it would", id="parrot"),
        pytest.param({"prompt": "x", "gold": "5", "pattern": "5"}, "for the scorer `regex`", id="pattern without regex"),
        pytest.param({"prompt": "x", "gold": "5", "data": 1}, "data is for a scorer of your own", id="data"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": "python:nowhere_at_all.f"}, "no module 'nowhere_at_all'", id="no module"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": "python:json.lods"}, "did you mean", id="no function"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": "python:json"}, "expected python:module.function", id="no dot"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": "reqex"}, "did you mean 'regex'", id="typo"),
        pytest.param({"prompt": "x", "gold": "5", "scorer": ["exact"]}, r"scorer is \['exact'\]", id="a list"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_its_line(tmp_path: Path, line: Any, said: str) -> None:
    with pytest.raises(SuiteError, match=said) as caught:
        suite_of(tmp_path, line)
    assert str(caught.value).startswith(f"{tmp_path / 'mine.jsonl'}:1: ")


def test_kinds_are_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r":2: this item is a text for perplexity, and line 1 is"):
        suite_of(tmp_path, CHOICE, {"text": "A dog."})
    with pytest.raises(JobError, match="needs answers in words"):
        answers_only(suite_of(tmp_path, CHOICE), "differentiate")


@pytest.mark.parametrize(
    ("shot", "leaks"),
    [
        pytest.param("What is 2 plus 3?", True, id="the item"),
        pytest.param("what is  2 plus\u200b 3?", True, id="the item in disguise"),
        pytest.param("Tell me quickly: what is 2 plus 3? Be brief.", True, id="around the item"),
        pytest.param("What is 3 plus 2?", False, id="another"),
    ],
)
def test_examples_that_leak_are_refused(tmp_path: Path, shot: str, leaks: bool) -> None:
    lines = [
        {"prompt": "What is 2 plus 3?", "gold": "5"},
        {"prompt": shot, "gold": "5", "shot": True},
    ]
    if leaks:
        with pytest.raises(
            SuiteError, match=r"mine\.jsonl:2: this worked example is the item of line 1"
        ):
            suite_of(tmp_path, *lines)
    else:
        assert suite_of(tmp_path, *lines).shots == (Shot(shot, "5"),)


def test_a_draw_depends_on_the_item_and_the_seed_alone() -> None:
    shots = [Shot(f"Question {at}?", f"a{at}") for at in range(20)]
    items = [SuiteItem(f"i{at}", f"p{at}", ("g",), "exact", f"c{at}", "s") for at in range(30)]
    few = FewShot(count=3, seed=7)
    drawn = {item.id: shots_for(item, shots, few) for item in items}
    assert len({tuple(found) for found in map(tuple, drawn.values())}) > 20
    # Other items, their order and that of the examples change nothing.
    assert shots_for(items[5], shots[::-1], few) == drawn["i5"]
    assert all(shots_for(item, shots, few) == drawn[item.id] for item in reversed(items))
    other = [shots_for(item, shots, FewShot(count=3, seed=8)) for item in items]
    assert other != list(drawn.values())
    # An example more changes the draw only of the items that it is drawn for.
    more = {item.id: shots_for(item, [*shots, Shot("New?", "n")], few) for item in items}
    changed = [name for name in drawn if more[name] != drawn[name]]
    assert 0 < len(changed) < 15
    assert shots_for(items[0], shots, FewShot(count=2, choice="first")) == shots[:2]


def test_examples_of_the_same_fact_are_not_shown() -> None:
    item = SuiteItem("i", "p", ("5",), "exact", "sum", "s")
    same, right, fine = Shot("q", "6", "sum"), Shot("r", "5"), Shot("t", "7", "other")
    assert shots_for(item, [same, right, fine], FewShot()) == [fine]
    choice = SuiteItem("i", "p", ("yes",), "choices", "sum", "s", choices=("yes", "no"))
    # The answers of choices are often the same: leaving them out would say which one it is not.
    assert {s.answer for s in shots_for(choice, [Shot("q", "yes"), Shot("r", "no")], FewShot())} == {
        "yes", "no",
    }  # fmt: skip


def test_a_file_without_examples_lends_its_items(tmp_path: Path) -> None:
    lines = [{"prompt": f"What is {at} plus 9?", "gold": str(at + 9), "cluster": f"c{at // 2}"} for at in range(8)]  # fmt: skip
    suite = suite_of(tmp_path, *lines)
    assert not with_examples(suite, ("raw",)).shots
    lent = with_examples(suite, ("raw", "fewshot"))
    check_forms(lent, ["fewshot"])
    for item in lent.items:
        assert all(shot.cluster != item.cluster for shot in shots_for(item, lent.shots, FewShot()))
    alone = with_examples(suite_of(tmp_path, lines[0]), ("fewshot",))
    with pytest.raises(SuiteError, match=r"mine\.jsonl:1: there are no worked examples"):
        check_forms(alone, ["fewshot"])


ITEM = SuiteItem("i", "2 plus 3 is", ("5",), "choices", "c", "s", choices=("5", "six"))


def test_choices_are_put_by_text_and_by_letter() -> None:
    assert question_of(ITEM, "raw") == ("2 plus 3 is", (" 5", " six"))
    assert question_of(ITEM, "qa") == ("Q: 2 plus 3 is\nA:", (" 5", " six"))
    assert question_of(ITEM, "raw-letters") == ("2 plus 3 is\nA. 5\nB. six\nAnswer:", (" A", " B"))
    formatted = "Instruction: 2 plus 3 is\nA. 5\nB. six\nResponse:"
    assert question_of(ITEM, "formatted-letters") == (formatted, (" A", " B"))
    shots = (Shot("1 plus 1 is", "2", None, ("3", "2")),)
    prompt, _ = question_of(ITEM, "fewshot-letters", shots)
    assert prompt.startswith("1 plus 1 is\nA. 3\nB. 2\nAnswer: B\n\n2 plus 3 is\nA. 5")
    assert (
        question_of(ITEM, "fewshot", shots, FewShot(around="raw"))[0]
        == "1 plus 1 is 2\n\n2 plus 3 is"
    )
    with pytest.raises(SuiteError, match="no `choices`"):
        question_of(ITEM, "fewshot-letters", (Shot("1 plus 1 is", "2"),))


@pytest.mark.parametrize(
    ("prompt", "choice", "joint", "continuation"),
    [
        ("What?", "5", None, " 5"),
        ("What?\n", "5", None, "5"),
        ("What?", " 5", None, " 5"),
        ("", "A dog.", None, "A dog."),
        ("答案是", "五", "", "五"),
        ("What?", "5", "\n", "\n5"),
    ],
)
def test_what_stands_between_prompt_and_choice(
    prompt: str, choice: str, joint: str | None, continuation: str
) -> None:
    item = SuiteItem(
        "i", prompt, (choice,), "choices", "c", "s", choices=(choice, "x"), joint=joint
    )
    assert question_of(item, "raw")[1][0] == continuation


def scored(*values: tuple[str, float, int]) -> list[Scored]:
    return [
        Scored(text, logprob, tokens, len(text.encode()), len(text))
        for text, logprob, tokens in values
    ]


def test_each_measure_decides_for_itself() -> None:
    item = SuiteItem("i", "p", ("ß ist lang",), "choices", "c", "s", choices=("no", "ß ist lang"))
    found = judge_choices(item, scored(("no", -2.0, 1), ("ß ist lang", -3.0, 4)))
    assert found.right == {
        "total": False,
        "per_token": True,
        "per_byte": True,
        "per_character": True,
    }
    alone = [Scored("no", -2.0, 1, 2, 2, -1.0), Scored("ß ist lang", -3.0, 4, 11, 10, -9.0)]
    assert judge_choices(item, alone).right["unconditional"]
    assert read_scores(plain_scores(alone)) == alone


def test_a_tie_is_no_right_answer_wherever_it_stands() -> None:
    for gold in ("a", "b"):
        item = SuiteItem("i", "p", (gold,), "choices", "c", "s", choices=("a", "b"))
        found = judge_choices(item, scored(("a", -1.0, 1), ("b", -1.0, 1)))
        assert not any(found.right.values())
        assert found.tied("total")
    both = SuiteItem("i", "p", ("a", "b"), "choices", "c", "s", choices=("a", "b", "c"))
    found = judge_choices(both, scored(("a", -1.0, 1), ("b", -1.0, 1), ("c", -2.0, 1)))
    assert found.right["total"]


@pytest.mark.parametrize(
    ("pattern", "text", "right"),
    [
        (r"answer is (-?\d+)", "The answer is 5.", True),
        (r"answer is (-?\d+)", "The answer is -5.", False),
        (r"answer is (-?\d+)", "It is 5.", False),
        (r"\bfive\b", "It is five, I think", True),
        (r"\bfive\b", "fiver", False),
        (r"(?:is|are) (\w+)|nothing", "nothing", False),
    ],
)
def test_a_pattern_decides(pattern: str, text: str, right: bool) -> None:
    item = SuiteItem("i", "p", ("5", "five"), "regex", "c", "s", pattern=pattern)
    assert passes(item, text) == right
    assert score(item, Answer(text, "length", 3)).strict is False


def test_a_function_of_one_s_own_decides(tmp_path: Path) -> None:
    (tmp_path / "my_checks.py").write_text(
        "def sums(text, item):\n    return text.strip() == str(sum(item['data']))\n"
        "def odd(text, item):\n    return 'yes'\n"
        "def broken(text, item):\n    return 1 / 0\n"
        "def quiet(text, item):\n    return text == 'never'\n"
    )
    line = {"prompt": "Add.", "gold": "5", "scorer": "python:my_checks.sums", "data": [2, 3]}
    [item] = suite_of(tmp_path, line).items
    assert passes(item, " 5")
    assert not passes(item, " 6")
    digests = source_digests((item,), tmp_path)
    assert len(digests["python:my_checks.sums"] or "") == 64
    with pytest.raises(SuiteError, match=r"mine\.jsonl:1: .*returns 'yes'; expected True or False"):
        suite_of(tmp_path, {"prompt": "Add.", "gold": "5", "scorer": "python:my_checks.odd"})
    with pytest.raises(SuiteError, match=r"ZeroDivisionError.*my_checks\.py:6"):
        suite_of(tmp_path, {"prompt": "Add.", "gold": "5", "scorer": "python:my_checks.broken"})
    # Beside another suite, a module of the same name is another one.
    other = tmp_path / "other"
    other.mkdir()
    (other / "my_checks.py").write_text("def sums(text, item):\n    return False\n")
    [second] = suite_of(other, line).items
    assert not by_code(second, "5")


def test_a_module_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "fails_at_import.py").write_text("import json\nraise RuntimeError('no')\n")
    with pytest.raises(SuiteError, match="importing fails_at_import fails: RuntimeError: no"):
        suite_of(tmp_path, {"prompt": "x", "gold": "y", "scorer": "python:fails_at_import.f"})


def test_a_judge_decides_by_the_likelier_verdict() -> None:
    item = SuiteItem("i", "Where?", ("Paris",), "judge", "c", "s")
    answer = Answer("In Paris {gold}", "eos", 3)
    assert score(item, answer, Verdict(-1, -2)).strict
    assert not score(item, answer, Verdict(-1, -1)).content
    assert Verdict(-1, -1).tied
    assert not passes(item, "Paris")
    # What a model writes is never read as a field of the template.
    assert (
        judged_question("{prompt} {answer} {gold}", item, answer.text)
        == "Where? In Paris {gold} Paris"
    )
    with pytest.raises(JobError, match=r"never shows the \{answer\}"):
        check_template("{prompt}")
    with pytest.raises(JobError, match=r"it names \{anwser\}"):
        check_template("{anwser}")


def test_forms_say_which_line_cannot_be_put(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, CHOICE)
    with pytest.raises(SuiteError, match=r"mine\.jsonl:1: it has no `completion`"):
        check_forms(suite, ["completion"])
    assert render(suite.items[0], "raw") == "2 plus 3 is"
