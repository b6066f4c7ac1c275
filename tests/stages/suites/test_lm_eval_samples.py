"""Samples that lm-evaluation-harness logged, as suites and as runs to compare."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from cleanguard.errors import JobError
from stages.config import resolve
from stages.evaluate import PRESETS, EvaluateConfig
from stages.evaluate.steps import evaluate
from stages.suites.item import SuiteError
from stages.suites.lm_eval_samples import read_samples, suite_lines
from stages.suites.registry import find_suite


def sample(number: int, requests: list[list[Any]], target: str, **more: Any) -> dict[str, Any]:
    doc = more.pop("doc", {"q": f"question {number}"})
    arguments = {
        f"gen_args_{at}": {f"arg_{part}": value for part, value in enumerate(one)}
        for at, one in enumerate(requests)
    }
    named = hashlib.sha256(json.dumps(doc).encode()).hexdigest()
    return {
        "doc_id": number, "doc": doc, "target": target, "arguments": arguments, "filter": "none",
        "metrics": ["acc"], "doc_hash": named, "prompt_hash": "p", "acc": 1.0, "resps": [], **more,
    }  # fmt: skip


def choice(number: int, choices: list[str], target: str, **more: Any) -> dict[str, Any]:
    return sample(number, [[f"Question {number}:", one] for one in choices], target, **more)


def logged(path: Path, *samples: Any) -> Path:
    path.write_text("".join((s if isinstance(s, str) else json.dumps(s)) + "\n" for s in samples))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in suite_lines(path) if line]


def test_choices_keep_what_was_asked(tmp_path: Path) -> None:
    file = logged(tmp_path / "s.jsonl", choice(4, [" Paris", " Oslo", " a dog"], "1", doc={"cluster": "norway"}))  # fmt: skip
    assert lines(file) == [
        {
            "prompt": "Question 4:", "choices": ["Paris", "Oslo", "a dog"], "gold": ["Oslo"],
            "joint": " ", "id": "4", "cluster": "norway",
        }
    ]  # fmt: skip


def test_continuations_asked_without_their_context_are_left_out(tmp_path: Path) -> None:
    both = [["Q:", " a"], ["Q:", " b"], ["", " a"], ["", " b"]]
    [line] = lines(logged(tmp_path / "s.jsonl", sample(0, both, "b")))
    assert (line["choices"], line["gold"]) == (["a", "b"], ["b"])


def resps(*values: float) -> list[Any]:
    return [[[str(value), "False"]] for value in values]


@pytest.mark.parametrize(
    ("target", "acc", "gold"),
    [("1", 1.0, ["1"]), ("1", 0.0, ["7"]), ("2", 1.0, ["1"]), ("[0, 2]", 1.0, ["3", "1"])],
    ids=["the text", "the number", "no such text", "several"],
)
def test_a_target_of_digits_is_settled_by_the_metric(
    tmp_path: Path, target: str, acc: float, gold: list[str]
) -> None:
    one = choice(0, [" 3", " 7", " 1"], target, acc=acc, resps=resps(-3.0, -4.0, -0.1))
    assert lines(logged(tmp_path / "s.jsonl", one))[0]["gold"] == gold


def test_texts_and_prompts(tmp_path: Path) -> None:
    file = logged(
        tmp_path / "s.jsonl",
        sample(0, [["A whole text."]], "A whole text."),
        sample(1, [["Q: 1\nA: 1\nQ: 2\nA:", {"until": ["\n"]}]], '["2", "two"]'),
    )
    assert lines(file) == [
        {"text": "A whole text.", "id": "0", "cluster": "0"},
        {"prompt": "Q: 1\nA: 1\nQ: 2\nA:", "gold": ["2", "two"], "scorer": "exact", "id": "1", "cluster": "1"},
    ]  # fmt: skip


def test_of_several_filters_the_first_counts(tmp_path: Path) -> None:
    asked = [["Q:", {"until": []}]]
    file = logged(
        tmp_path / "s.jsonl",
        sample(0, asked, "a"), sample(0, asked, "a", filter="flexible"), sample(1, asked, "b"),
    )  # fmt: skip
    assert [one.line for one in read_samples(file)] == [1, 3]
    assert len(suite_lines(file)) == 3


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (["no json"], r":1: not JSON"),
        ([{"doc_id": 0}], r":1: doc is missing"),
        ([choice(0, [" a", " b"], "9")], r":1: its target '9' is none of its choices"),
        ([choice(0, [" 1", " 0"], "1", acc="?")], r":1: its target '1' may be the number"),
        ([choice(0, [" a"], "0")], r":1: its continuations follow different contexts"),
        ([sample(0, [["x", " a"], ["y", " a"]], "0")], r":1: its continuations"),
        ([sample(0, [["Q", {"until": []}]], " ")], r":1: its target is empty"),
        ([sample(0, [], "x")], r":1: there is no request"),
        ([choice(0, [" a", " b"], "0")] * 2, r":2: document 0 stands in .*:1 already"),
    ],
    ids=["json", "field", "no such", "ambiguous", "single", "contexts", "empty", "nothing", "twice"],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path: Path, samples: list[Any], said: str) -> None:
    with pytest.raises(JobError, match=rf"s\.jsonl{said}"):
        suite_lines(logged(tmp_path / "s.jsonl", *samples))


def test_a_file_of_samples_is_a_suite(tmp_path: Path) -> None:
    asked = [sample(n, [[f"{n} plus 0 is", {"until": ["."]}]], str(n)) for n in range(4)]
    suite = find_suite(f"lm-eval:{logged(tmp_path / 's.jsonl', *asked)}")
    assert (suite.forms, suite.endpoint) == (("raw",), "content")
    assert [item.prompt for item in suite.items][3] == "3 plus 0 is"
    with pytest.raises(JobError, match="cannot be read"):
        find_suite("lm-eval:nowhere.jsonl")


def config(folder: Path, *runs: str, **changes: str) -> EvaluateConfig:
    overrides = {"out": str(folder), "from_results": ",".join(runs), "plan.resamples": "200", **changes}  # fmt: skip
    found: EvaluateConfig = resolve(EvaluateConfig, PRESETS, preset="tiny", overrides=overrides)
    return found


def run_of(path: Path, right: list[bool], **more: Any) -> Path:
    return logged(path, *[choice(n, [" a", " b"], "0", acc=float(r), **more) for n, r in enumerate(right)])  # fmt: skip


def test_two_runs_are_compared_by_document(tmp_path: Path) -> None:
    first = run_of(tmp_path / "a.jsonl", [n % 4 == 0 for n in range(240)])
    second = run_of(tmp_path / "b.jsonl", [n % 4 != 1 for n in range(240)])
    done = evaluate(config(tmp_path / "run", f"old={first}", f"new={second}"))
    assert done.lines[:2] == (
        "old (acc): 0.2500 on 240 documents",
        "new (acc): 0.7500 on 240 documents",
    )
    found = json.loads((tmp_path / "run" / "comparison.json").read_text())
    [one] = found["comparisons"]
    assert (one["difference"], one["call"]) == (0.5, "better")
    assert (one["counts"]["gained"], one["counts"]["lost"]) == (120, 0)
    assert sum("nothing says which model" in line for line in done.lines) == 2


def test_a_metric_of_shares_is_compared_by_means(tmp_path: Path) -> None:
    files = []
    for name, shift in (("a", 0.0), ("b", 0.25)):
        rows = [sample(n, [["t"]], "t", metrics=["f1"], f1=0.25 + shift * (n % 2)) for n in range(40)]  # fmt: skip
        files.append(f"{name}={logged(tmp_path / f'{name}.jsonl', *rows)}")
    evaluate(config(tmp_path / "run", *files, metric="f1"))
    [one] = json.loads((tmp_path / "run" / "comparison.json").read_text())["comparisons"]
    assert one["difference"] == pytest.approx(0.125)


def test_clusters_of_the_documents_count(tmp_path: Path) -> None:
    files = []
    for name, right in (("a", False), ("b", True)):
        rows = [choice(n, [" a", " b"], "0", acc=float(right), doc={"cluster": str(n % 5)}) for n in range(50)]  # fmt: skip
        files.append(f"{name}={logged(tmp_path / f'{name}.jsonl', *rows)}")
    evaluate(config(tmp_path / "run", *files))
    [one] = json.loads((tmp_path / "run" / "comparison.json").read_text())["comparisons"]
    assert (one["n"], one["clusters"]) == (50, 5)


def test_runs_that_were_not_asked_the_same_are_refused(tmp_path: Path) -> None:
    first = run_of(tmp_path / "a.jsonl", [True] * 3)
    swapped = logged(tmp_path / "b.jsonl", *[choice(n, [" a", " b"], "0", doc={"q": f"question {2 - n}"}) for n in (0, 1, 2)])  # fmt: skip
    with pytest.raises(JobError, match=r"b\.jsonl:1: document 0 is another one"):
        evaluate(config(tmp_path / "1", f"a={first}", f"b={swapped}"))
    other = run_of(tmp_path / "c.jsonl", [True] * 3, prompt_hash="q")
    with pytest.raises(JobError, match=r"c\.jsonl:1: document 0 was asked in another text"):
        evaluate(config(tmp_path / "2", f"a={first}", f"c={other}"))
    with pytest.raises(JobError, match="two runs or more"):
        evaluate(config(tmp_path / "3", f"a={first}"))
    with pytest.raises(JobError, match=r"not of the form"):
        evaluate(config(tmp_path / "4", "a", f"b={first}"))
    with pytest.raises(SuiteError, match=r"no metric 'accc'; did you mean 'acc'"):
        evaluate(config(tmp_path / "5", f"a={first}", f"b={first}", metric="accc"))
