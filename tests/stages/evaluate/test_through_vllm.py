"""`evaluate` with vLLM behind it, by the stand-in: answers, choices, texts and a judge, as with transformers."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cleanguard.cli import main
from cleanguard.errors import JobError
from guard.records.verification import verify_file
from guard.settings import vllm_sampling
from stages import engines
from stages.across.systems import read_runs
from stages.config import resolve
from stages.evaluate import CONFIG, PRESETS, EvaluateConfig, answering, run
from stages.reports.results import Result, read_results
from tests.guard.vllm_stand_in import LLM, TABLES, put_in_place

CITIES = [("France", "Paris"), ("Germany", "Berlin"), ("Italy", "Rome"), ("Norway", "Oslo")]
SUITES: Mapping[str, list[dict[str, Any]]] = {
    "choices": [
        {"prompt": f"The capital of {land} is", "choices": [f"{city}.", "a plum.", "an old town."], "gold": 0}
        for land, city in CITIES
    ],
    "texts": [{"text": f"The capital of {land} is {city}. " * 9} for land, city in CITIES],
    "answers": [
        {"prompt": f"The capital of {land} is", "gold": city, "scorer": scorer}
        for (land, city), scorer in zip(CITIES, ("mentions", "judge", "judge", "mentions"), strict=True)
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(monkeypatch)


def suite(folder: Path, lines: list[dict[str, Any]]) -> Path:
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def config(folder: Path, kind: str, engine: str, **changes: str) -> EvaluateConfig:
    given = {
        "suite": str(suite(folder, SUITES[kind])), "out": str(folder / engine), "engine": engine,
        "plan.resamples": "200", "html": "false", "max_new_tokens": "8", "perplexity.window": "48",
        "choices.unconditional": "true", **changes,
    }  # fmt: skip
    return resolve(CONFIG, PRESETS, overrides={k.replace("__", "."): v for k, v in given.items()})


def numbers(result: Result) -> list[float]:
    """Everything that is measured and not chosen."""
    found = [value for one in result.choices or () for name, value in one.items() if name != "text"]
    found += [*(result.likelihood or {}).values(), *(result.judged or {}).values()]
    return [float(one) for one in found]


@pytest.mark.parametrize("kind", SUITES)
def test_every_kind_of_item_is_what_it_is_with_transformers(tmp_path: Path, kind: str) -> None:
    run(config(tmp_path, kind, "vllm"))
    run(config(tmp_path, kind, "transformers"))
    mine, theirs = (read_results(tmp_path / name) for name in ("vllm", "transformers"))
    assert len(mine) == len(theirs) > 0
    for one, other in zip(mine, theirs, strict=True):
        for field in ("item", "form", "prompt", "text", "finish", "tokens", "prompt_tokens", "strict", "content", "right", "tied"):  # fmt: skip
            assert getattr(one, field) == getattr(other, field), field
        assert numbers(one) == pytest.approx(numbers(other), abs=5e-4)
        assert bool(numbers(one)) == (kind != "answers" or one.scorer == "judge")
        assert one.engine == ("vllm" if kind == "answers" else "scored by vllm")
    for name in ("results.jsonl", "report.json", "report.md"):
        verdict = verify_file(tmp_path / "vllm" / name)
        assert verdict.ok, verdict.problems
    assert any(f"engine: vllm {TABLES['version']}" in note for note in verdict.notes)
    params = json.loads((tmp_path / "vllm" / "results.jsonl.intoto.json").read_text())
    assert params["predicate"]["runs"][0]["params"]["engine"] == f"vllm {TABLES['version']}"


@pytest.mark.parametrize("kind", SUITES)
def test_a_stopped_run_goes_on_and_a_finished_one_starts_no_engine(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_SCORED_AT_ONCE", 1)
    settings = config(tmp_path, kind, "vllm", batch_size="2")
    real, done = answering._answer, []

    def killed(*args: Any) -> None:
        if done:
            raise KeyboardInterrupt
        real(*args)
        done.append(1)

    monkeypatch.setattr(answering, "_answer", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    first = (tmp_path / "vllm" / "results.jsonl").read_bytes()
    monkeypatch.setattr(answering, "_answer", real)
    whole = run(settings)
    assert (tmp_path / "vllm" / "results.jsonl").read_bytes().startswith(first)
    assert len(LLM.made) == 2
    again = run(settings)
    assert len(LLM.made) == 2
    assert again.lines == (engines.NOT_STARTED, *whole.lines)
    assert verify_file(tmp_path / "vllm" / "results.jsonl").ok


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"adapters": "sft={folder}"}, "--adapters: .*vLLM is given no adapter"),
        ({"model.quant": "nf4"}, "--model.quant: model.quant is 'nf4': vLLM does not follow it"),
        ({"model.device_map": "auto"}, "model.device_map is 'auto'"),
        ({"model.attn_implementation": "eager"}, "model.attn_implementation is 'eager'"),
        ({"judge.model": "tiny"}, "judge.model: vLLM holds one model here"),
        ({"temperature": "0.005"}, r"temperature is 0.005, and vLLM samples with 0\.01 to 2"),
        ({"temperature": "3"}, "temperature is 3"),
    ],
)
def test_what_vllm_does_not_do_is_refused_by_name_before_anything_is_loaded(
    tmp_path: Path, asked: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "loader_of", lambda *_: pytest.fail("something was loaded"))
    with pytest.raises(JobError, match=said):
        config(tmp_path, "answers", "vllm", **{k: v.format(folder=tmp_path) for k, v in asked.items()})  # fmt: skip


def test_the_bounds_of_its_temperature_are_the_guards() -> None:
    assert (engines.COLDEST, engines.HOTTEST) == (vllm_sampling.COLDEST, vllm_sampling.HOTTEST)


@pytest.mark.parametrize(
    ("lines", "changes", "said"),
    [
        ([SUITES["choices"][0], {**SUITES["choices"][1], "prompt": "dog " * 600}], [], r"mine\.jsonl:2: .*tokens and 511 fit"),
        ([{"prompt": "dog " * 600, "gold": "a"}], [], r"mine\.jsonl:1: .*tokens and 511 fit"),
        ([{"text": "A dog."}, {"text": "<|im_start|>user"}], [], r"mine\.jsonl:2: .*CG204"),
        (SUITES["texts"], ["--perplexity.window", "512"], "vLLM can score 510 positions"),
        (SUITES["texts"], ["--vllm.context", "4096"], "made for 512"),
    ],
    ids=["choices too long", "a prompt too long", "a chat", "a window too wide", "a context too wide"],
)  # fmt: skip
def test_items_that_cannot_be_asked_are_told_with_their_line(
    tmp_path: Path,
    lines: list[dict[str, Any]],
    changes: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--suite", str(suite(tmp_path, lines)), "--out", str(tmp_path / "o"), *changes]
    code, told = ran(arguments, monkeypatch, capsys)
    assert code == 2
    assert re.search(said, told), told
    assert not LLM.asked


def test_a_missing_vllm_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    file = str(suite(tmp_path, SUITES["choices"]))
    code, told = ran(["--suite", file, "--out", str(tmp_path / "o")], monkeypatch, capsys)
    assert code == 2
    assert "vllm is not installed" in told


def ran(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Any, str]:
    monkeypatch.setattr(
        "sys.argv", ["cleanguard", "run", "evaluate", "--engine", "vllm", *arguments]
    )
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code, capsys.readouterr().err


def test_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "world_size", lambda: 2)
    with pytest.raises(JobError, match="leave torchrun out"):
        run(config(tmp_path, "choices", "vllm"))
    assert not LLM.made


@pytest.mark.parametrize("kind", ["choices", "answers"])
def test_a_comparison_of_two_engines_is_warned_of(tmp_path: Path, kind: str) -> None:
    first, second = (tmp_path / name for name in ("vllm", "transformers"))
    run(config(tmp_path, kind, "vllm"))
    told = run(config(tmp_path, kind, "transformers", against=str(first)))
    assert any("vLLM answered for one of the two" in line for line in told.lines)
    assert any(
        "vLLM answered" in one for one in read_runs([str(first), str(second)], "per_byte").warnings
    )
    run(config(tmp_path, kind, "transformers", out=str(tmp_path / "again")))
    alike = read_runs([str(second), str(tmp_path / "again")], "per_byte").warnings
    assert not any("vLLM" in one for one in alike)
