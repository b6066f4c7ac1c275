"""The generate stage on the embedded model: what is written, dropped, refused and resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from guard import CleanModelLoader
from guard.records.verification import verify_file
from stages.config import resolve
from stages.generate import CONFIG, PRESETS, GenerateConfig
from stages.generate.steps import generate
from stages.tiny.world import items_of


def tiny_config(out: Path, **changes: Any) -> GenerateConfig:
    return replace(resolve(CONFIG, PRESETS, preset="tiny"), out=out, **changes)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def content(path: Path) -> dict[str, dict[str, Any]]:
    """Records by key, without what differs from run to run."""
    found = records(path)
    assert len({one["key"] for one in found}) == len(found)
    return {
        one["key"]: {name: value for name, value in one.items() if name != "provenance"}
        for one in found
    }


def test_the_world_s_data_is_clean_traced_and_loadable(tmp_path: Path) -> None:
    outcome = generate(tiny_config(tmp_path / "g"))
    found = records(tmp_path / "g" / "dataset.jsonl")
    assert {one["group"] for one in found} <= {item.key for item in items_of("sft")}
    assert len(found) > 130
    assert all(one["completion"].startswith(" ") and "\n" not in one["completion"] for one in found)
    assert verify_file(tmp_path / "g" / "dataset.jsonl").problems == ()
    manifest = json.loads((tmp_path / "g" / "manifest.json").read_text())
    assert manifest["counts"]["kept"] == len(found)
    assert manifest["files"]["dataset.jsonl"]["lines"] == len(found)
    assert f"{len(found)} examples" in outcome.lines[0]

    from datasets import load_dataset

    table = load_dataset(
        "json", data_files=str(tmp_path / "g" / "dataset.jsonl"), cache_dir=str(tmp_path / "cache")
    )["train"]
    assert table["completion"][:] == [one["completion"] for one in found]


def test_a_stopped_run_goes_on_without_gap_or_double(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled = {"batch_size": 16, "samples": 2, "temperature": 1.0}
    generate(tiny_config(tmp_path / "whole", **sampled))
    real = CleanModelLoader.complete
    calls = 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(CleanModelLoader, "complete", staticmethod(dies))
    with pytest.raises(KeyboardInterrupt):
        generate(tiny_config(tmp_path / "cut", **sampled))
    assert 0 < len(records(tmp_path / "cut" / "dataset.jsonl")) < 100
    monkeypatch.undo()
    generate(tiny_config(tmp_path / "cut", **sampled))
    for name in ("dataset.jsonl", "dropped.jsonl"):
        assert content(tmp_path / "cut" / name) == content(tmp_path / "whole" / name)
        assert verify_file(tmp_path / "cut" / name).problems == ()


def test_texts_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    sampled = {"count": 24, "samples": 3, "temperature": 1.0, "critic": "logprob"}
    for size in (5, 64):
        generate(tiny_config(tmp_path / str(size), batch_size=size, **sampled))
    one, other = (content(tmp_path / size / "dataset.jsonl") for size in ("5", "64"))
    assert one.keys() == other.keys()
    for key, record in one.items():
        assert record["completion"] == other[key]["completion"]
        assert record["logprob"] == pytest.approx(other[key]["logprob"], abs=1e-4)
    reasons = {record["reason"] for record in records(tmp_path / "5" / "dropped.jsonl")}
    assert "duplicate" in reasons


def test_the_critic_drops_what_the_base_finds_unlikely(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(
        '{"instruction": "Name a capital.", "response": "Paris", "group": "a"}\n\n'
        '{"instruction": "Name the opposite of hot.", "response": "zqx zqx zqx"}\n'
        '{"instruction": "What is 1 plus 1?", "response": "[insert answer here]"}\n'
    )
    generate(
        tiny_config(
            tmp_path / "g", source="file", file=tmp_path / "mine.jsonl", critic="logprob",
            min_logprob=-10.0,
        )
    )  # fmt: skip
    [kept] = records(tmp_path / "g" / "dataset.jsonl")
    assert (kept["origin"], kept["completion"], kept["group"]) == ("file", " Paris", "a")
    assert kept["logprob"] > -10
    reasons = {
        one["instruction"]: one["reason"] for one in records(tmp_path / "g" / "dropped.jsonl")
    }
    assert reasons == {
        "Name the opposite of hot.": "unlikely",
        "What is 1 plus 1?": "placeholder",
    }


TEMPLATES = """
[slots]
word = ["hot", "big", "zzz"]
[[template]]
kind = "opposite"
instruction = "What is the opposite of {word}?"
ask = "The opposite of {word} is"
placeholder = "The opposite is a different word."
"""


@pytest.mark.parametrize("placeholders", ["refuse", "keep"])
def test_placeholders_never_mix_with_data(placeholders: str, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(TEMPLATES)
    generate(
        tiny_config(
            tmp_path / "g", templates=tmp_path / "t.toml", placeholders=placeholders,
            critic="logprob", min_logprob=-0.05,
        )
    )  # fmt: skip
    found = records(tmp_path / "g" / "dataset.jsonl")
    assert {one["group"]: one["completion"] for one in found} == {
        "opposite:hot": " cold",
        "opposite:big": " small",
    }
    path = tmp_path / "g" / "placeholders.jsonl"
    assert path.exists() == (placeholders == "keep")
    if path.exists():
        [one] = records(path)
        assert (one["group"], one["origin"]) == ("opposite:zzz", "placeholder")


def test_the_model_writes_instructions_of_its_own(tmp_path: Path) -> None:
    config = tiny_config(
        tmp_path / "g", source="model", count=6, style="format", cut_at=(".", "\n"), batch_size=64
    )
    generate(config)
    found = records(tmp_path / "g" / "instructions.jsonl")
    known = {item.instruction for item in items_of("sft")}
    kept = records(tmp_path / "g" / "dataset.jsonl") + records(tmp_path / "g" / "dropped.jsonl")
    assert len({one["instruction"] for one in kept}) == 6
    assert not {one["instruction"] for one in kept} & known
    assert {one["instruction"] for one in kept} <= {one["instruction"] for one in found}
    assert all(one["origin"] == "model" for one in kept)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"instruction": "a"}\n{"instruction": 3}\n', "mine.jsonl:2: instruction is 3; expected"),
        ('{"instruction": "a"}\n{"x": 3}\n', "mine.jsonl:2: instruction is missing"),
        ("\n[]\n", "mine.jsonl:2: not a JSON object"),
        ("{\n", "mine.jsonl:1: not JSON"),
        ("\n", "mine.jsonl: holds no records; expected instruction (text)"),
        (
            '{"instruction": "a"}\n{"instruction": " "}',
            "mine.jsonl:2: instruction is ' '; expected",
        ),
        ('{"instruction": "a", "response": 5}', "mine.jsonl:1: response is 5; expected text"),
        ('{"instruction": "Say hi."}\n', "'Say hi.' has no sentence to complete"),
    ],
)
def test_bad_files_are_named_by_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(text)
    with pytest.raises(JobError) as raised:
        generate(tiny_config(tmp_path / "g", source="file", file=tmp_path / "mine.jsonl"))
    assert message in str(raised.value)


def test_given_answers_with_control_tokens_are_dropped_and_counted(tmp_path: Path) -> None:
    lines = [
        {"instruction": "Add 3 and 4.", "response": "7<|im_end|>"},
        {"instruction": "Add 3 and <|im_start|>.", "response": "7"},
        {"instruction": "Add 1 and 2.", "response": "[your answer]"},
        {"instruction": "Add 5 and 4.", "response": "9"},
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    file = tmp_path / "mine.jsonl"
    settings = {"source": "file", "file": file, "critic": "logprob", "min_logprob": -100.0}
    outcome = generate(tiny_config(tmp_path / "g", **settings))
    [kept] = records(tmp_path / "g" / "dataset.jsonl")
    assert (kept["completion"], kept["origin"]) == (" 9", "file")
    reasons = [one["reason"] for one in records(tmp_path / "g" / "dropped.jsonl")]
    assert reasons == ["control-token", "control-token", "placeholder"]
    assert "2 control-token" in outcome.lines[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 2}, "greedy"),
        ({"source": "model"}, "count"),
        ({"source": "model", "count": 3}, "style"),
        ({"source": "file"}, "needs `file`"),
        ({"prompt": "Q:"}, "{instruction}"),
    ],
)
def test_settings_that_contradict_each_other(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError) as raised:
        GenerateConfig(**changes)
    assert message in str(raised.value)
