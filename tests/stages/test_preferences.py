"""The preferences stage: what is sampled, who judges, which pairs are kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from guard import CleanModelLoader
from guard.records.verification import verify_file
from stages.config import resolve
from stages.preferences import PRESETS, PreferencesConfig
from stages.preferences.pairs import Judged, pairs_of, usable
from stages.preferences.prompts import MATCHES, prompts_of
from stages.preferences.steps import make_pairs
from stages.tiny.world import all_items, check, items_of


def config(adapter: Path, out: Path, **changes: Any) -> PreferencesConfig:
    overrides = {"adapter": str(adapter), "out": str(out), "k": "4"}
    overrides |= {name.replace("__", "."): str(value) for name, value in changes.items()}
    return resolve(PreferencesConfig, PRESETS, preset="tiny", overrides=overrides)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def mine(tmp_path: Path, *lines: dict[str, Any]) -> Path:
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "mine.jsonl"


def test_pairs_are_right_against_wrong_finished_and_held_out_by_group(
    sft_adapter: Path, tmp_path: Path
) -> None:
    make_pairs(config(sft_adapter, tmp_path / "p", eval_share=0.2))
    found = records(tmp_path / "p" / "pairs.jsonl")
    by_prompt = {item.prompt: item for item in all_items()}
    test = {item.key for item in items_of("test")}
    finished = {
        (one["prompt"], sample["text"])
        for one in records(tmp_path / "p" / "samples.jsonl")
        for sample in one["samples"]
        if sample["finished"]
    }
    for pair in found:
        item = by_prompt[pair["prompt"]]
        assert check(item, pair["chosen"])
        assert not check(item, pair["rejected"])
        assert pair["margin"] == 1.0
        assert pair["group"] not in test
        assert {(pair["prompt"], pair["chosen"]), (pair["prompt"], pair["rejected"])} <= finished
    groups = {name: {p["group"] for p in found if p["split"] == name} for name in ("train", "eval")}
    assert groups["train"]
    assert groups["eval"]
    assert not groups["train"] & groups["eval"]
    assert verify_file(tmp_path / "p" / "pairs.jsonl").problems == ()
    statement = json.loads((tmp_path / "p" / "pairs.jsonl.intoto.json").read_text())
    [load] = statement["predicate"]["loads"].values()
    assert load["adapters"][0]["path"] == str(sft_adapter.resolve())


def test_a_stopped_run_and_another_batch_give_the_same_samples(
    sft_adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = config(sft_adapter, tmp_path / "whole", batch_size=512)
    make_pairs(whole)
    real = CleanModelLoader.complete
    calls = 0

    def dies(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(CleanModelLoader, "complete", staticmethod(dies))
    cut = config(sft_adapter, tmp_path / "cut", batch_size=200)
    with pytest.raises(KeyboardInterrupt):
        make_pairs(cut)
    monkeypatch.undo()
    make_pairs(cut)
    for name in ("samples.jsonl", "pairs.jsonl"):
        one, other = (records(tmp_path / side / name) for side in ("whole", "cut"))
        for record in (*one, *other):
            del record["provenance"]
        assert one == other


def test_the_base_judges_by_log_probability_with_a_signed_margin(
    sft_adapter: Path, tmp_path: Path
) -> None:
    file = mine(
        tmp_path,
        {"instruction": "What is the opposite of hot?", "ask": "The opposite of hot is"},
        {"instruction": "Name the opposite of big."},
    )
    make_pairs(
        config(sft_adapter, tmp_path / "p", file=file, judge="logprob", k=24, temperature=1.5)
    )
    found = records(tmp_path / "p" / "pairs.jsonl")
    assert found
    for pair in found:
        assert pair["margin"] == pytest.approx(pair["chosen_score"] - pair["rejected_score"])
        assert pair["margin"] >= 0.5
        assert pair["judge"] == "logprob"
    [hot] = {pair["chosen"] for pair in found if "hot" in pair["prompt"]}
    assert hot == " cold"


def test_negatives_from_a_file_are_judged_like_the_others(
    sft_adapter: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.jsonl").write_text(
        '{"instruction": "What is the opposite of hot?", "rejected": "warm"}\n'
        '{"instruction": "What is the opposite of hot?", "rejected": "Cold."}\n'
    )
    file = mine(tmp_path, {"instruction": "What is the opposite of hot?", "gold": "cold"})
    make_pairs(
        config(
            sft_adapter, tmp_path / "p", file=file, k=16, negatives="file",
            negatives_file=tmp_path / "bad.jsonl",
        )
    )  # fmt: skip
    [pair] = records(tmp_path / "p" / "pairs.jsonl")
    assert (pair["rejected"], pair["rejected_origin"]) == (" warm", "file")


def test_an_adapter_of_another_base_is_refused(sft_adapter: Path, tmp_path: Path) -> None:
    other = tmp_path / "adapter"
    shutil.copytree(sft_adapter, other)
    lineage = json.loads((other / "lineage.json").read_text())
    lineage["base"]["weights"]["digest"] = "0" * 64
    (other / "lineage.json").write_text(json.dumps(lineage))
    with pytest.raises(JobError, match=r"trained on another base .* its weights differ"):
        make_pairs(config(other, tmp_path / "p"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"instruction": "Hi."}, "has no `gold`"),
        ({"instruction": "Hi.", "gold": "x", "match": "exct"}, "did you mean 'exact'?"),
        ({"instruction": "Hi.", "gold": "never right"}, "no pairs came of 1 prompt;"),
    ],
)
def test_refusals(line: dict[str, Any], message: str, sft_adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError) as raised:
        make_pairs(config(sft_adapter, tmp_path / "p", file=mine(tmp_path, line)))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [{"prompt": "Q"}, {"negatives": "file"}, {"negatives_file": Path("x")}, {"min_margin": 1.5}],
)
def test_settings_that_contradict_each_other(changes: dict[str, Any]) -> None:
    with pytest.raises(JobError):
        PreferencesConfig(**changes)


def pairs(*scores: float, **settings: Any) -> list[tuple[float, float]]:
    samples = [Judged(str(at), score) for at, score in enumerate(scores)]
    found = pairs_of(
        samples, [], **{"right_from": None, "min_margin": 0.5, "max_pairs": 2, **settings}
    )
    return [(pair.chosen.score, pair.rejected.score) for pair in found]


def test_pairing() -> None:
    assert pairs(-1.0, -3.0, -1.2, -2.0) == [(-1.0, -3.0), (-1.0, -2.0)]
    assert pairs(-1.0, -1.4) == []
    assert pairs(0.0, 0.0, right_from=1.0) == []
    assert pairs(1.0, 1.0, min_margin=0.0) == []
    worse = pairs_of(
        [Judged("a", -3.0)], [Judged("b", -1.0, "file")],
        right_from=None, min_margin=0.5, max_pairs=3,
    )  # fmt: skip
    assert worse == [], "a negative that scores better is no negative, however far apart they are"


def test_what_can_be_used() -> None:
    drawn = [(" 3", True), (" 3 ", True), ("", True), (" 4", False), (" 5", True)]
    assert usable(drawn) == [" 3", " 5"]


@pytest.mark.parametrize(
    ("match", "gold", "answer", "expected"),
    [
        ("exact", "Paris", " paris. ", True),
        ("exact", "Paris", "Paris, France", False),
        ("contains", "cat", "a cat.", True),
        ("contains", "cat", "concatenate", False),
        ("number", "12", "3 and 9 make 12.", True),
        ("number", "12", "12 is not 13", False),
        ("number", "1,200", "1200.0", True),
        ("number", "12", "twelve", False),
        ("number", "-3", "It is -3.0, of course", True),
        ("number", "3", "Version 1.2.3", False),
        ("number", "1.2", "1.2.3", False),
        ("number", "9" * 400, "8" * 400, False),
    ],
)
def test_verifiers(match: str, gold: str, answer: str, expected: bool) -> None:
    assert MATCHES[match](gold, answer) is expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"gold": "twelve", "match": "number"}, "gold is 'twelve', which is no number; write one"),
        ({"gold": "1.2.3", "match": "number"}, "gold is '1.2.3', which is no number"),
        ({"gold": ["12"], "match": "number"}, "gold is ['12']; expected text or a number"),
        ({"gold": " ", "match": "contains"}, "gold is ' '; expected text or a number"),
        ({"gold": "12", "match": ["number"]}, "match ['number'] of 'Add 5 and 7.' is not one of"),
        ({"gold": "12", "match": "numbr"}, "did you mean 'number'?"),
        ({"instruction": ""}, "instruction is ''; expected instruction (text)"),
    ],
)
def test_golds_are_refused_when_the_file_is_read(
    line: dict[str, Any], message: str, tmp_path: Path
) -> None:
    right = {"instruction": "Add 1 and 2.", "gold": 3, "match": "number"}
    file = mine(tmp_path, right, {"instruction": "Add 5 and 7.", **line})
    with pytest.raises(JobError) as raised:
        prompts_of(PreferencesConfig(file=file))
    assert str(raised.value).startswith(f"{file}:2: ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("rejected", "message"),
    [
        ("", "bad.jsonl:2: rejected is ''; expected"),
        ("no<|im_end|>", "bad.jsonl: the negative 'no<|im_end|>' of 'Hi.' holds a control token"),
        (None, "bad.jsonl: cannot be read: no such file"),
    ],
)
def test_bad_negatives_are_refused_before_anything_is_sampled(
    rejected: str | None, message: str, sft_adapter: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    if rejected is not None:
        lines = [{"instruction": "Hi.", "rejected": text} for text in ("no", rejected)]
        bad.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = config(sft_adapter, tmp_path / "p", negatives="file", negatives_file=bad)
    with pytest.raises(JobError) as raised:
        make_pairs(settings)
    assert message in str(raised.value)
    assert not (tmp_path / "p" / "samples.jsonl").exists()


def test_a_gold_may_be_a_json_number(tmp_path: Path) -> None:
    file = mine(tmp_path, {"instruction": "How many?", "gold": 1e16, "match": "number"})
    [prompt] = prompts_of(PreferencesConfig(file=file))
    assert prompt.verify is not None
    assert prompt.verify("It is 10,000,000,000,000,000.")
    assert not prompt.verify("It is 1.0.0")
