"""inspect_ai over the guard, with the package itself, in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task
from inspect_ai import eval as run
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    get_model,
)
from inspect_ai.scorer import match
from inspect_ai.solver import generate, system_message, use_tools
from inspect_ai.tool import tool

from guard import CleanModelLoader, Loaded
from guard.errors import SettingsError, TemplateOnBaseError
from guard.records.verification import verify_file
from stages.harnesses import inspect_registry
from stages.harnesses.inspect_request import options_of, prompt_of

ITEMS = [("0 plus 0 is", "0"), ("4 plus 3 is", "7"), ("5 plus 4 is", "9"), ("The sum of 5 and 3 is", "8")]  # fmt: skip
ROOT = Path(__file__).resolve().parents[3]


def evaluated(folder: Path, *solvers: Any, items: Sequence[Any] = ITEMS, **options: Any) -> EvalLog:
    options = {"max_tokens": 6, **options}
    task = Task(
        dataset=[Sample(input=asked, target=gold) for asked, gold in items],
        solver=[*solvers, generate()],
        scorer=match(location="begin"),
    )
    [log] = run(
        task, model=get_model("cleanguard/tiny", dtype="float32"), log_dir=str(folder),
        display="none", **options,
    )  # fmt: skip
    return log


def texts(log: EvalLog) -> list[str]:
    return [choice.message.text for one in log.samples or () for choice in one.output.choices]


def test_the_entry_point_is_there() -> None:
    told = (ROOT / "pyproject.toml").read_text().partition("entry-points.inspect_ai]")[2]
    assert told.lstrip().startswith(f'cleanguard = "{inspect_registry.__name__}"')


def test_a_base_model_gets_the_prompt_as_it_stands(tmp_path: Path, tiny: Loaded) -> None:
    log = evaluated(tmp_path)
    assert log.status == "success"
    mine = CleanModelLoader.generate_batch(tiny.model, tiny.tokenizer, [one for one, _ in ITEMS], max_new_tokens=6)  # fmt: skip
    assert texts(log) == mine
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1.0


def test_the_log_says_what_it_was_made_with(tmp_path: Path) -> None:
    log = evaluated(tmp_path)
    path = Path(log.location)
    assert verify_file(path).ok
    loads = json.loads(path.with_name(f"{path.name}.intoto.json").read_text())["predicate"]["loads"]
    told = [one.output.metadata["cleanguard"] for one in log.samples or () if one.output.metadata]
    assert len(told) == len(ITEMS)
    assert {one["load"] for one in told} == set(loads)
    infos = [e for one in log.samples or () for e in one.events if e.event == "info" and e.source == "cleanguard"]  # fmt: skip
    assert infos[0].data["provenance"]["tokenizer"]["bos_prefix"] == []  # type: ignore[index,call-overload]
    path.write_bytes(path.read_bytes() + b" ")
    assert not verify_file(path).ok


@tool
def adder() -> Any:
    async def execute(x: int, y: int) -> int:
        """Add.

        Args:
            x: One.
            y: Another.
        """
        return x + y

    return execute


@pytest.mark.parametrize(
    ("solvers", "items", "said"),
    [
        ([system_message("Be brief.")], ITEMS[:1], "a system message"),
        ([use_tools(adder())], ITEMS[:1], "tools (adder)"),
        ([], [([ChatMessageUser(content="Hi"), ChatMessageAssistant(content="Ho"), ChatMessageUser(content="?")], "x")], "a conversation"),
        ([], [("<|im_start|>user\nHi<|im_end|>", "x")], "holds"),
    ],
    ids=["system", "tools", "conversation", "control tokens"],
)  # fmt: skip
def test_what_no_base_model_reads_is_refused(
    tmp_path: Path, solvers: list[Any], items: list[Any], said: str
) -> None:
    log = evaluated(tmp_path, *solvers, items=items)
    assert log.status == "error"
    assert log.error is not None
    assert said in log.error.message


def test_a_bad_prompt_costs_no_other(tmp_path: Path) -> None:
    bad = ("<|im_start|>user", "x")
    log = evaluated(tmp_path, items=[*ITEMS, bad], fail_on_error=False)
    samples = log.samples or []
    assert [one.error is None for one in samples] == [True] * len(ITEMS) + [False]


def test_epochs_have_seeds_of_their_own(tmp_path: Path) -> None:
    asked = {"temperature": 5.0, "seed": 5, "epochs": 4, "items": [("A dog", "x")]}
    first, again = evaluated(tmp_path, **asked), evaluated(tmp_path, **asked)
    assert len(set(texts(first))) > 1
    assert (
        len({tuple(one.output.metadata["cleanguard"]["seeds"]) for one in first.samples or ()}) == 4
    )  # type: ignore[index]
    assert len(texts(again)) == 4


def test_several_choices_and_stops(tmp_path: Path) -> None:
    log = evaluated(tmp_path, items=ITEMS[:2], temperature=1.0, seed=1, num_choices=3, stop_seqs=["."])  # fmt: skip
    assert len(texts(log)) == 6


def test_a_message_of_parts_is_its_text() -> None:
    parts = ChatMessageUser(content=[ContentText(text="3 plus "), ContentText(text="4 is")])
    assert prompt_of([parts], []) == "3 plus 4 is"
    with pytest.raises(SettingsError, match="holds image"):
        prompt_of([ChatMessageUser(content=[ContentImage(image="data:,")])], [])
    with pytest.raises(TemplateOnBaseError):
        prompt_of([ChatMessageSystem(content="x"), ChatMessageUser(content="y")], [])


@pytest.mark.parametrize("name", ["logprobs", "frequency_penalty", "logit_bias", "best_of"])
def test_settings_that_mean_nothing_are_refused(name: str) -> None:
    value: Any = {"logprobs": True, "frequency_penalty": 0.5, "logit_bias": {1: 2.0}, "best_of": 2}[name]  # fmt: skip
    with pytest.raises(SettingsError, match=name):
        options_of(GenerateConfig(**{name: value}), 8)


def test_without_a_temperature_it_is_greedy() -> None:
    assert options_of(GenerateConfig(top_p=0.5, seed=3), 8) == {"max_new_tokens": 8}
    with pytest.raises(TemplateOnBaseError, match="system"):
        options_of(GenerateConfig(system_message="x"), 8)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("tiny", {"dtpye": "float32"}, "did you mean `dtype`"),
        ("tiny", {"batch_size": 0}, "batch_size is a whole number"),
        ("tiny", {"peft": "nowhere"}, "no folder"),
        ("nowhere", {}, "no directory here"),
    ],
)
def test_a_model_that_cannot_be_had_is_told_without_a_traceback(
    name: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(PrerequisiteError, match=said):
        get_model(f"cleanguard/{name}", **options)
