"""lm-evaluation-harness over the guard, with the package itself and local tasks."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lm_eval
import pytest
from click.testing import CliRunner
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from benchmarks._families import FAMILIES, lay
from cleanguard.cli.commands.lm_eval import command
from cleanguard.errors import JobError
from guard import CleanModelLoader, Loaded
from guard.errors import ContaminationError, LoaderCallError, SettingsError, TemplateOnBaseError
from guard.records.sources import Source
from guard.records.verification import verify_file
from stages.harnesses import GuardedLM
from stages.harnesses.lm_eval_arguments import read, with_defaults
from stages.harnesses.lm_eval_command import _told, run_command
from tests.stages.harnesses.conftest import CHOICES, PROMPTS, TEXTS

PAIRS = [(q, f" {choice}") for q, choices, _ in CHOICES for choice in choices]
ODD = [
    ("The capital of France is ", "Paris."),  # the space belongs to the continuation's token
    ("", "The capital of Spain is Madrid."),  # after BOS, or the end of a text
]
LONG = "A dog is an animal. " * 12


def asked(kind: str, *arguments: tuple[Any, ...], task: str = "t") -> list[Instance]:
    return [
        Instance(kind, {}, each, 0, metadata=(task, number, 1))
        for number, each in enumerate(arguments)
    ]


def known(tasks: Path) -> TaskManager:
    return TaskManager(include_path=str(tasks), include_defaults=False)


@pytest.fixture
def guarded(tiny: Loaded) -> GuardedLM:
    return GuardedLM(loaded=(tiny.model, tiny.tokenizer))


@pytest.fixture(scope="module", params=FAMILIES)
def both(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[GuardedLM, HFLM, bool]:
    """A model guarded and as lm_eval loads it, and whether its family has BOS."""
    path = lay(request.param, tmp_path_factory.mktemp("family") / request.param)
    stock = HFLM(str(path), dtype="float32", device="cpu", batch_size=4)
    return GuardedLM(path, dtype="float32"), stock, FAMILIES[request.param][0] is not None


def test_log_likelihoods_and_texts_are_those_of_hf(both: tuple[GuardedLM, HFLM, bool]) -> None:
    mine, theirs, has_bos = both
    for pairs in (PAIRS, ODD):  # in one call, theirs takes the scores of one text for another
        scored = asked("loglikelihood", *pairs)
        ours, stock = mine.loglikelihood(scored, True), theirs.loglikelihood(scored, True)
        assert [one[1] for one in ours] == [bool(one[1]) for one in stock]
        assert [one[0] for one in ours] == pytest.approx([one[0] for one in stock], abs=1e-4)
    prompts = asked("generate_until", *[(p, {"until": ["."], "max_gen_toks": 8}) for p in PROMPTS])
    assert mine.generate_until(prompts, True) == theirs.generate_until(prompts, True)
    texts = asked("loglikelihood_rolling", *[(text,) for text in TEXTS])
    whole, stock_whole = mine.loglikelihood_rolling(texts, True), theirs.loglikelihood_rolling(texts, True)  # fmt: skip
    if has_bos:  # theirs scores a second BOS
        assert all(a - b > 1 for a, b in zip(whole, stock_whole, strict=True))
    else:
        assert whole == pytest.approx(stock_whole, abs=1e-4)


def test_a_context_is_read_once_for_all_its_continuations(
    guarded: GuardedLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a task with four examples before each question has them, and in no order.
    shots = "".join(f"{q} {choices[gold]}\n" for q, choices, gold in CHOICES[1:])
    pairs = [(shots + q, f" {choice}") for q, choices, _ in CHOICES for choice in choices]
    pairs += [(shots + "A cat is", " an animal."), ("", "A dog"), ("", "A dog is")]
    pairs = pairs[::3] + pairs[1::3] + pairs[2::3]
    read: list[int] = []
    real = type(guarded.model).forward

    @functools.wraps(real)
    def forward(self: Any, *args: Any, **kw: Any) -> Any:
        read.append(kw["input_ids"].numel())
        return real(self, *args, **kw)

    alone = [guarded.loglikelihood(asked("loglikelihood", one), True)[0] for one in pairs]
    monkeypatch.setattr(type(guarded.model), "forward", forward)
    together = guarded.loglikelihood(asked("loglikelihood", *pairs), True)
    assert [one[0] for one in together] == pytest.approx([one[0] for one in alone], abs=5e-4)
    assert [one[1] for one in together] == [one[1] for one in alone]
    whole = guarded.tokenizer([context + text for context, text in pairs])["input_ids"]
    rows = [len(ids) - 1 for ids in whole]
    assert sum(read) < 0.5 * sum(rows)


def test_contexts_that_are_cut_share_nothing(tiny: Loaded) -> None:
    lm = GuardedLM(loaded=(tiny.model, tiny.tokenizer), max_length=24)
    pairs = [(LONG + "3 plus 4 is", end) for end in (" 7.", " 8 and a dog.", " a", " 9.")]
    pairs += [("3 plus 4 is", end) for end in (" 7.", " 8 and a dog.")]
    alone = [lm.loglikelihood(asked("loglikelihood", one), True)[0][0] for one in pairs]
    found = lm.loglikelihood(asked("loglikelihood", *pairs), True)
    assert [one[0] for one in found] == pytest.approx(alone, abs=5e-4)


def test_the_windows_are_those_of_hf(tiny_dir: Path, tiny: Loaded) -> None:
    mine = GuardedLM(loaded=(tiny.model, tiny.tokenizer), max_length=32)
    theirs = HFLM(str(tiny_dir), dtype="float32", device="cpu", batch_size=4, max_length=32)
    texts = asked("loglikelihood_rolling", *[(text,) for text in [*TEXTS, LONG, ""]])
    assert mine.loglikelihood_rolling(texts, True) == pytest.approx(
        theirs.loglikelihood_rolling(texts, True), abs=1e-4
    )
    pairs = asked("loglikelihood", (LONG + "The capital of France is", " Paris."), *PAIRS[:2])
    ours, stock = mine.loglikelihood(pairs, True), theirs.loglikelihood(pairs, True)
    assert [one[0] for one in ours] == pytest.approx([one[0] for one in stock], abs=1e-4)
    assert mine.cut == 1


def test_a_context_that_is_cut_keeps_its_bos(tmp_path: Path) -> None:
    lm = GuardedLM(lay("gemma", tmp_path / "gemma"), dtype="float32", max_length=24)
    [(long, _)] = lm.loglikelihood(asked("loglikelihood", (LONG + "3 plus 4 is", " 7.")), True)
    ids = CleanModelLoader.encode(lm.tokenizer, LONG + "3 plus 4 is 7.")["input_ids"][0].tolist()
    kept = [ids[0], *ids[-24:]]
    import torch

    from guard import unguarded

    with torch.no_grad(), unguarded(lm.model, reason="the ids are those of the text"):
        said = lm.model(torch.tensor([kept])).logits[0].float().log_softmax(-1)
    places = range(len(kept) - 2, len(kept))
    assert long == pytest.approx(sum(float(said[at - 1, kept[at]]) for at in places), abs=1e-4)


def test_a_prompt_without_room_loses_its_beginning(tiny: Loaded) -> None:
    lm = GuardedLM(loaded=(tiny.model, tiny.tokenizer), max_length=24)
    long = asked("generate_until", (LONG + "The capital of France is", {"until": ".", "max_gen_toks": 6}))  # fmt: skip
    assert lm.generate_until(long, True) == [" Paris"]
    assert lm.cut == 1
    with pytest.raises(SettingsError, match=r"task t, document 0: there is no room"):
        lm.generate_until(asked("generate_until", ("A dog", {"max_gen_toks": 24})), True)


def test_a_continuation_that_does_not_fit_is_refused(tiny: Loaded) -> None:
    lm = GuardedLM(loaded=(tiny.model, tiny.tokenizer), max_length=16)
    with pytest.raises(SettingsError, match=r"document 1: the continuation has \d+ tokens"):
        lm.loglikelihood(asked("loglikelihood", PAIRS[0], ("A dog", f" and {LONG}")), True)


def test_sampled_texts_have_seeds_of_their_own(guarded: GuardedLM) -> None:
    sampled = {"do_sample": True, "temperature": 1.5, "max_gen_toks": 8, "until": []}
    prompts = asked("generate_until", *[("A dog", sampled)] * 4)
    import torch

    torch.manual_seed(7)
    first = guarded.generate_until(prompts, True)
    assert len(set(first)) > 1
    assert guarded.generate_until(prompts, True) == first
    torch.manual_seed(8)
    assert guarded.generate_until(prompts, True) != first


@pytest.mark.parametrize(
    "said",
    [{}, {"do_sample": False}, {"do_sample": True, "temperature": 0.0}, {"do_sample": False, "temperature": 0.8}, {"temperature": 0}],
)  # fmt: skip
def test_what_does_not_sample_is_greedy(guarded: GuardedLM, said: dict[str, Any]) -> None:
    plain = guarded.generate_until(asked("generate_until", ("A dog", {"max_gen_toks": 6})), True)
    told = asked("generate_until", ("A dog", {"max_gen_toks": 6, **said}))
    assert guarded.generate_until(told, True) == plain


def test_no_chat_reaches_the_model(guarded: GuardedLM, tasks: Path) -> None:
    with pytest.raises(TemplateOnBaseError, match="CG"):
        guarded.apply_chat_template([{"role": "user", "content": "Hi"}])
    with pytest.raises(TemplateOnBaseError):
        guarded.chat_template(True)
    with pytest.raises(ContaminationError, match="task local_chat, document 1: prompt 0 holds"):
        lm_eval.simple_evaluate(model=guarded, tasks=["local_chat"], task_manager=known(tasks))
    pairs = asked("loglikelihood", PAIRS[0], ("<|im_start|>user", " Hi"), task="mine")
    with pytest.raises(ContaminationError, match="task mine, document 1"):
        guarded.loglikelihood(pairs, True)
    texts = asked("loglikelihood_rolling", ("A dog.",), ("<|im_end|>",), task="mine")
    with pytest.raises(ContaminationError, match="task mine, document 1"):
        guarded.loglikelihood_rolling(texts, True)


def test_ties_for_the_first_place_are_counted(guarded: GuardedLM) -> None:
    guarded.loglikelihood(
        asked("loglikelihood", ("A dog", " is"))
        + [Instance("loglikelihood", {}, ("A cat", one), 0, metadata=("t", 5, 1)) for one in (" is", " is", " up")],
        True,
    )  # fmt: skip
    assert guarded.ties == {"t": 1}


def test_results_say_what_they_were_made_with(guarded: GuardedLM, tasks: Path) -> None:
    found = lm_eval.simple_evaluate(model=guarded, tasks=["local_mc"], task_manager=known(tasks))
    said = found["config"]["cleanguard"]
    best = [max(range(4), key=[one[0][0] for one in row["resps"]].__getitem__) for row in found["samples"]["local_mc"]]  # fmt: skip
    right = [at == gold for at, (_, _, gold) in zip(best, CHOICES, strict=True)]
    assert found["results"]["local_mc"]["acc,none"] == sum(right) / len(right)
    assert said["requests"]["loglikelihood"] == 20
    assert said["provenance"]["model"]["weights"]["digest"]
    assert said["run"]["bos_prefix"] == []
    assert found["config"]["model_dtype"] == "float32"


def test_the_cache_of_another_load_is_refused(guarded: GuardedLM, tmp_path: Path) -> None:
    from lm_eval.api.model import CachingLM

    where = str(tmp_path / "answers.db")
    pairs = asked("loglikelihood", *PAIRS[:3])
    first = CachingLM(guarded, where).loglikelihood(pairs)
    assert [tuple(one) for one in CachingLM(guarded, where).loglikelihood(pairs)] == first
    # A later process loads the model anew, and finds its answers.
    again = GuardedLM("tiny", dtype="float32")
    assert Source(again.model).digest() != Source(guarded.model).digest()
    assert [tuple(one) for one in CachingLM(again, where).loglikelihood(pairs)] == first
    with pytest.raises(SettingsError, match="answers of another load"):
        CachingLM(GuardedLM("tiny", dtype="bfloat16"), where)
    other = GuardedLM(lay("mistral", tmp_path / "mistral"), dtype="float32")
    with pytest.raises(SettingsError, match="answers of another load"):
        CachingLM(other, where)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"dtpye": "float32"}, LoaderCallError, "did you mean `dtype`"),
        ({"softmax_dtype": "bfloat16"}, SettingsError, "float32"),
        ({"parallelize": True}, SettingsError, "device_map=auto"),
        ({"add_bos_token": True}, SettingsError, "bos=add"),
        ({"max_length": 4096}, SettingsError, "made for 512"),
        ({"max_length": "many"}, SettingsError, "whole number"),
        ({"batch_size": 0}, SettingsError, "batch_size"),
        ({"peft": "nowhere"}, SettingsError, "no folder"),
        ({"device": "cuda:9"}, SettingsError, "cuda:9"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        GuardedLM("tiny", **options)


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (["--tasks", "a"], ["run", "--tasks", "a", "--model", "cleanguard", "--batch_size", "auto"]),
        (["run", "--tasks=a", "-b", "4"], ["run", "--tasks=a", "-b", "4", "--model", "cleanguard"]),
        (["--model", "hf", "--tasks", "a"], ["run", "--model", "hf", "--tasks", "a"]),
        (["ls", "tasks"], ["ls", "tasks"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)  # fmt: skip
def test_what_is_not_said_is_filled_in(given: list[str], passed: list[str]) -> None:
    assert with_defaults(given) == passed


def test_a_configuration_file_that_names_no_model_gets_ours(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("tasks: [a]\nbatch_size: 3\n")
    assert with_defaults(["--config", str(file)])[3:] == ["--model", "cleanguard"]
    file.write_text("model: hf\n")
    assert with_defaults(["--config", str(file)]) == ["run", "--config", str(file)]


def test_samples_out_of_order_are_refused() -> None:
    with pytest.raises(JobError, match=r"not ascending.*write \[2, 6\]"):
        with_defaults(["--tasks", "a", "--samples", '{"a": [6, 2]}'])
    assert with_defaults(["--samples", '{"a": [2, 6]}'])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--model_args", "pretrained=tiny,dtpye=float32"], "did you mean `dtype`"),
        (["--model_args", "pretrained=tiny,add_bos_token=True"], "bos=add"),
        (["--model_args", "dtype=float32"], "no model was named"),
        (["--model_args", "pretrained=tiny", "--tasks", "list"], "ls tasks"),
    ],
)
def test_what_is_wrong_with_the_arguments_is_said_before_tasks_are_read(
    args: list[str], said: str
) -> None:
    with pytest.raises(JobError, match=f"(?s)lm-eval: .*{said}"):
        read(["--tasks", "arc_easy", *args] if "--tasks" not in args else args)
    assert read(["--tasks", "a", "--model_args", "pretrained=tiny,dtype=float32,max_length=64"])


def test_a_task_that_is_none_is_told_with_the_one_that_was_meant(tasks: Path) -> None:
    from lm_eval.tasks import TaskManager

    task_manager = TaskManager(include_path=str(tasks), include_defaults=False)
    try:
        assert task_manager.match_tasks(["local_mk"]) == []
        raise ValueError("Tasks not found: local_mk, other")
    except ValueError as error:
        said = _told(error)
    assert said.startswith("lm-eval: there is no task local_mk, other; did you mean 'local_mc'?\n")
    assert "lm-eval ls tasks" in said


def _run(tasks: Path, *more: str) -> list[str]:
    return run_command(
        ["--model_args", "pretrained=tiny,dtype=float32", "--include_path", str(tasks), *more]
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no model was named: --model_args pretrained=NAME"),
        (["--model_args", "pretraned=tiny"], "no model was named; did you mean 'pretrained'"),
        (
            ["--model", "huggingfac"],
            r"lm_eval [\d.]+ has no model 'huggingfac'; did you mean 'hugg",
        ),
        (["--config", "no.yaml"], "--config: no.yaml: there is no such file"),
    ],
)
def test_what_names_no_model_is_told_before_tasks_are_read(given: list[str], said: str) -> None:
    with pytest.raises(JobError, match=said):
        read(["--tasks", "local_mc", *given])


@pytest.mark.slow  # lm_eval lists its 14,000 tasks, in a process that has imported none of its models
def test_a_model_of_lm_evals_own_runs_without_the_guard(tasks: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from cleanguard.cli import main; main()", "lm-eval", "--model", "dummy",
         "--include_path", str(tasks), "--tasks", "local_mc"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "--model dummy runs without the guard, and its files get no statement" in ran.stderr
    assert "local_mc" in ran.stdout


@pytest.mark.slow  # lm_eval lists its 14,000 tasks
def test_the_command_writes_what_verify_understands(tasks: Path, tmp_path: Path) -> None:
    notes = _run(tasks, "--tasks", "local_mc,local_gen", "--output_path", str(tmp_path), "--log_samples")  # fmt: skip
    files = [Path(word) for word in notes[-1].split()[2:]]
    assert sorted(file.name.split("_2")[0] for file in files) == ["results", "samples_local_gen", "samples_local_mc"]  # fmt: skip
    for file in files:
        verdict = verify_file(file)
        assert verdict.ok, verdict.problems
    samples = next(file for file in files if "local_mc" in file.name)
    assert verify_file(samples).records == len(CHOICES)
    lines = samples.read_text().splitlines()
    changed = json.loads(lines[2])
    changed["acc"] = 1 - changed["acc"]
    samples.write_text("\n".join([*lines[:2], json.dumps(changed), *lines[3:]]) + "\n")
    kinds = {problem.kind for problem in verify_file(samples).problems}
    assert {"edited-file", "edited-record"} <= kinds


@pytest.mark.slow  # lm_eval lists its 14,000 tasks
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--tasks", "local_chat"], "task local_chat, document 1"),
        (["--tasks", "local_hub"], "not on this machine.*dataset_path: json"),
        (["--tasks", "local_mc", "--apply_chat_template"], "chat template"),
        (["--tasks", "nothing_like_it"], "nothing_like_it"),
        (["--tasks", "local_mc", "--device", "cuda:5"], "cuda:5"),
    ],
)
def test_what_cannot_be_done_is_said(tasks: Path, more: list[str], said: str) -> None:
    with pytest.raises(JobError, match=f"(?s)lm-eval: .*{said}"):
        _run(tasks, *more)


@pytest.mark.slow  # lm_eval lists its 14,000 tasks
def test_results_that_could_not_be_written_are_an_error(tasks: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where a folder should be")
    with pytest.raises(JobError, match="could not write the results"):
        _run(tasks, "--tasks", "local_mc", "--output_path", str(taken))


def test_the_command_has_lm_evals_own_help() -> None:
    shown = CliRunner().invoke(command, ["run", "--help"])
    assert shown.exit_code == 0
    assert "--num_fewshot" in shown.output
    assert CliRunner().invoke(command, ["--no_such_option", "x"]).exit_code == 2
