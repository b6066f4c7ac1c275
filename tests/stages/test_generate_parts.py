"""Templates, answers and likelihoods, each by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cleanguard.errors import JobError
from guard import Completion, Loaded
from guard.errors import ContaminationError, SettingsError
from stages.generate.answers import answer_in, is_placeholder
from stages.generate.seeds import template_seeds
from stages.likelihood import likelihoods
from stages.tokens import rows_of


def written(text: str, finish: str = "length", control: int = 0) -> Completion:
    return Completion(text, (), 1, finish, None, control, 1, ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("completion", "completes", "text", "reason"),
    [
        (written(" Paris. It is"), True, "Paris", None),
        (written(" Paris", "eos"), True, "Paris", None),
        (written(" Paris"), True, "Paris", "unfinished"),
        (written("ian cheese. It"), True, "ian cheese", "runs-into-prompt"),
        (written("Paris.", "eos"), False, "Paris", None),
        (written(" . x"), True, "", "empty"),
        (written(" TODO. x"), True, "TODO", "placeholder"),
        (written(" Paris.", "eos", 1), True, "Paris", "control-token"),
    ],
)
def test_answers(completion: Completion, completes: bool, text: str, reason: str | None) -> None:
    found = answer_in(completion, (".",), completes=completes)
    assert (found.text, found.reason) == (text, reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is a number.", True),
        ("[your answer here]", True),
        ("<response>", True),
        ("{answer}", True),
        ("N/A", True),
        ("...", True),
        ("Lorem ipsum dolor sit", True),
        ("The answer is 3.", False),
        ("To do this, add.", False),
        ("[1, 2]", False),
        ("nature", False),
        ("Paris", False),
    ],
)
def test_placeholders_are_told_from_answers(text: str, expected: bool) -> None:
    assert is_placeholder(text) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[slots]\na = ["x"]', r"at least one \[\[template\]\]"),
        ('[[template]]\nkind = "a"', "template 1: expected `instruction`"),
        ('[[template]]\ninstruction = "{a}"', r"template 1: \{a\} is not a list in `slots`"),
        ('[[template]]\ninstruction = "{"', "template 1: .*write a brace as"),
        ('[[template]]\ninstruction = "{a.b}"', "is no slot"),
        ('[[template]]\ninstruction = "a"\nasks = "b"', "unknown key 'asks'"),
        ('[[template]]\ninstruction = "a"\n[[template]]\ninstruction = "a"', "two templates"),
        ('[[template]]\ninstruction = " "', "template 1: its instruction is blank"),
    ],
)
def test_bad_templates(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(JobError, match=message):
        template_seeds(tmp_path / "t.toml")


def test_templates_fill_every_combination(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "slots: {n: [two, three], p: [dogs, cats], q: [unused]}\n"
        "template:\n- {instruction: 'List {n} {p}.', group: 'list:{p}', kind: list}\n"
    )
    seeds = template_seeds(tmp_path / "t.yaml")
    assert [seed.instruction for seed in seeds] == [
        "List two dogs.", "List two cats.", "List three dogs.", "List three cats.",
    ]  # fmt: skip
    assert {seed.group for seed in seeds} == {"list:dogs", "list:cats"}


def test_rows_end_in_one_eos_and_keep_the_prompt_s_ids(tiny: Loaded) -> None:
    tokenizer = tiny.tokenizer
    [row] = rows_of(tokenizer, [("Add 1 and 2.\nResponse:", " 3")], eos=True)
    assert row.completion[-1] == tokenizer.eos_token_id
    assert row.completion.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(row.completion[:-1]) == " 3"
    assert not row.merged
    # "capit" + "al" is one token in the whole text; the prompt keeps what it has at generation.
    [split] = rows_of(tokenizer, [("The capit", "al of")], eos=False)
    assert split.merged
    assert tokenizer.decode(split.prompt + split.completion) == "The capital of"


def test_rows_refuse_what_would_ruin_them(tiny: Loaded) -> None:
    with pytest.raises(ContaminationError):
        rows_of(tiny.tokenizer, [("Hello", " <|im_end|>")], eos=True)
    with pytest.raises(SettingsError, match="empty"):
        rows_of(tiny.tokenizer, [("Hello", "")], eos=True)


def test_likelihoods_count_the_completion_alone(tiny: Loaded) -> None:
    pairs = [("The capital of France is", " Paris."), ("Here are two colors:", " red, blue, red.")]
    rows = rows_of(tiny.tokenizer, pairs, eos=False)
    together = likelihoods(tiny.model, tiny.tokenizer, rows, batch_size=8)
    for row, found in zip(rows, together, strict=True):
        ids = torch.tensor([row.prompt + row.completion])
        logprobs = tiny.model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        expected = sum(
            logprobs[at - 1, ids[0, at]].item() for at in range(len(row.prompt), ids.shape[1])
        )
        assert found.total == pytest.approx(expected, abs=1e-4)
        assert found.tokens == len(row.completion)
        assert found.mean == pytest.approx(found.total / found.tokens)
