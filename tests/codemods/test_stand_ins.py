"""What a trial run puts in the place of models and tokenizers, and where it may write."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codemods.proof.no_harm import confine
from codemods.proof.real_tokenizers import Tokenizers, guarded_rows
from codemods.proof.stand_in_models import ANSWER, VOCABULARY, Model, Recorder, Tokenizer, rows_of
from codemods.proof.walked import watch_starts
from guard.errors import GuardError
from stages.tiny import model_path

torch = pytest.importorskip("torch")

A = ord("a") + 3


def calls(target: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_a_stand_in_tokenizer_is_one_id_a_byte_behind_the_familys_bos() -> None:
    llama, gpt2 = Tokenizer("meta-llama/Llama-2-7b-hf"), Tokenizer("gpt2")
    assert (llama.encode("a"), gpt2.encode("a")) == ([1, A], [A])
    assert llama("a", add_special_tokens=False)["input_ids"] == [A]
    assert llama(["a", "aa"])["input_ids"] == [[1, A], [1, A, A]]
    assert gpt2("aaa", truncation=True, max_length=2)["input_ids"] == [A, A]
    assert (llama.bos_token, gpt2.bos_token) == ("<s>", None)


@pytest.mark.parametrize(
    ("side", "ids", "mask"), [("left", [0, A], [0, 1]), ("right", [A, 0], [1, 0])]
)
def test_its_rows_are_padded_as_it_is_told(side: str, ids: list[int], mask: list[int]) -> None:
    tokenizer = Tokenizer("gpt2")
    tokenizer.padding_side = side
    batch = tokenizer(["a", "aa"], return_tensors="pt", padding=True)
    assert batch["input_ids"].tolist() == [ids, [A, A]]
    assert batch["attention_mask"].tolist() == [mask, [1, 1]]
    assert rows_of(batch["input_ids"], batch["attention_mask"]) == [[A], [A, A]]
    assert rows_of(batch["input_ids"], None) == [ids, [A, A]]


def test_a_bos_that_is_spelled_is_one_id_and_the_guarded_way_refuses_it() -> None:
    llama = Tokenizer("meta-llama/Llama-3.1-8B")
    assert llama.bos_token == "<|begin_of_text|>"
    assert llama.encode("<|begin_of_text|>a") == [1, 1, A]
    with pytest.raises(GuardError, match="spells out BOS"):
        guarded_rows(llama, ["<|begin_of_text|>a"])
    assert Tokenizer("gpt2").encode("<s>") == [ord(one) + 3 for one in "<s>"]


def test_who_asks_beside_the_others_is_marked(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "calls")
    thread = threading.Thread(target=record, args=("score",))
    thread.start()
    thread.join()
    record("load")
    assert calls(record.target) == [{"call": "score", "beside": True}, {"call": "load"}]


@pytest.mark.parametrize(
    ("event", "args", "anew"),
    [
        ("import", ("multiprocessing.popen_spawn_posix",), True),
        ("import", ("multiprocessing.popen_fork",), False),
        ("subprocess.Popen", ("/usr/bin/python3", ["python3", "x.py"], None, None), True),
        ("subprocess.Popen", ("git", ["git", "log"], None, None), False),
    ],
)
def test_a_process_that_is_started_anew_is_told_once(
    event: str, args: tuple[Any, ...], anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[Any] = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    told: list[bool] = []
    watch_starts(lambda: told.append(True))
    hooks[0](event, args)
    hooks[0](event, args)
    assert told == [True] * anew


def test_it_gives_text_back() -> None:
    tokenizer = Tokenizer("meta-llama/Llama-2-7b-hf")
    ids = [1, *tokenizer.ids("é", bare=True), 2]
    assert tokenizer.decode(ids) == "<s>é</s>"
    assert tokenizer.decode(torch.tensor(ids), skip_special_tokens=True) == "é"
    assert tokenizer.batch_decode([ids, [A]], skip_special_tokens=True) == ["é", "a"]
    assert (tokenizer.convert_tokens_to_ids("x"), tokenizer.convert_tokens_to_ids(["x"])) == (
        2,
        [2],
    )
    assert (tokenizer.convert_ids_to_tokens(5), tokenizer.convert_ids_to_tokens([5])) == (
        "5",
        ["5"],
    )
    assert (tokenizer.tokenize("ab"), len(tokenizer), len(tokenizer.get_vocab())) == (
        ["a", "b"],
        VOCABULARY,
        VOCABULARY,
    )


def test_a_recorder_writes_plain_values_and_leaves_none_out(tmp_path: Path) -> None:
    record = Recorder(tmp_path / "calls")
    record(
        "load", dtype=torch.bfloat16, said="torch.float16", none=None, nested={1: (True, Path("x"))}
    )
    assert calls(record.target) == [
        {"call": "load", "dtype": "bfloat16", "said": "float16", "nested": {"1": [True, "x"]}}
    ]


def test_a_stand_in_model_records_what_reaches_it_and_answers_the_same(tmp_path: Path) -> None:
    model = Model(Recorder(tmp_path / "calls"), "gpt2", ("tuned",))
    assert model.eval().to("cpu") is model
    batch = Tokenizer("gpt2")(["a", "a"], return_tensors="pt")
    rows = model.generate(**batch, num_return_sequences=2, do_sample=True, stop_strings="x")
    assert rows.tolist() == [[A, *ANSWER]] * 4
    full = model.generate(batch["input_ids"], return_dict_in_generate=True, use_cache=False)
    assert model.compute_transition_scores(full.sequences, full.scores).shape == (2, len(ANSWER))
    assert model(**batch).logits.shape == (2, 1, VOCABULARY)
    assert next(model.parameters()).device == model.device
    sampled, greedy, scored = calls(tmp_path / "calls")
    assert (sampled["do_sample"], sampled["temperature"], sampled["top_k"]) == (True, 1.0, 50)
    assert (sampled["stop_strings"], sampled["ids"], sampled["adapters"]) == (
        ["x"],
        [[A]] * 2,
        ["tuned"],
    )
    assert (greedy["do_sample"], greedy["use_cache"], "temperature" in greedy) == (
        False,
        False,
        False,
    )
    assert (scored["call"], scored["ids"]) == ("score", [[A]] * 2)


def test_settings_out_of_a_generation_config_count_below_keywords(tmp_path: Path) -> None:
    model = Model(Recorder(tmp_path / "calls"), "gpt2")
    config = SimpleNamespace(
        to_diff_dict=lambda: {"do_sample": True, "temperature": 0.5, "top_p": 0.9}
    )
    model.generate(torch.tensor([[A]]), generation_config=config, temperature=0.7)
    model.answer([[A]], {"temperature": 0.7}, raw=False)
    raw, guarded = calls(tmp_path / "calls")
    assert (raw["temperature"], raw["top_p"]) == (0.7, 0.9)
    assert (guarded["do_sample"], guarded["temperature"], "top_k" in guarded) == (True, 0.7, False)


def test_a_tokenizer_at_hand_is_taken_and_an_absent_one_stood_in_for() -> None:
    tokenizers, here = Tokenizers(), str(model_path())
    plain = tokenizers.raw(here, {})
    assert tokenizers.answer(here) == (plain.encode(" ok.", add_special_tokens=False), len(plain))
    guarded = tokenizers.guarded(here, {"for_training": True, "torch_dtype": "auto"})
    assert guarded.padding_side == "right"
    assert guarded_rows(guarded, ["3 plus 4"]) == [plain.encode("3 plus 4")]
    assert tokenizers.answer("no/where") == (ANSWER, VOCABULARY)
    assert tokenizers.raw("no/where", {"padding_side": "left"}).padding_side == "left"
    absent = tokenizers.guarded("no/where", {"for_training": True})
    assert (absent.padding_side, absent.pad_token) == ("right", "</s>")
    assert guarded_rows(absent, ["a"]) == [[A]]
    assert (tokenizers.real, tokenizers.stood_in) == ({here}, {"no/where"})


def test_a_trial_run_writes_into_its_copy_and_into_caches_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: list[Any] = []
    monkeypatch.setattr(sys, "addaudithook", hooks.append)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    copy, source = tmp_path / "copy", tmp_path / "source"
    assert {str(copy), str(tmp_path / "hub")} <= set(confine(copy, source))
    (watch,) = hooks
    caches = tmp_path / ".cache/huggingface/a", tmp_path / "hub/b", "/dev/null"
    for path in (copy / "a", *caches, 3):
        watch("open", (path, "w", 0))
        watch("os.remove", (path, -1))
    watch("open", (source / "a", "r", os.O_RDONLY))
    for event in (
        ("open", (source / "a", "a", 0)),
        ("open", (source / ".hidden", None, os.O_WRONLY)),
        ("open", (tmp_path / "elsewhere", "x", 0)),
        ("open", (f"{tempfile.gettempdir()}/other", "w", 0)),
        ("open", (tmp_path / ".cache/answers", "w", 0)),
        ("open", ("/dev/shm/a", "w", 0)),
        ("os.link", (source / "a", copy / "a", -1, -1)),
        ("os.mkdir", (tmp_path / "elsewhere", 0o777, -1)),
        ("sqlite3.connect", (f"file:{source}/a.db",)),
        ("shutil.rmtree", (source, None)),
        ("os.remove", (str(source / "a"), -1)),
        ("os.rename", (copy / "a", source / "a", -1, -1)),
    ):
        with pytest.raises(PermissionError, match="must not touch"):
            watch(*event)
