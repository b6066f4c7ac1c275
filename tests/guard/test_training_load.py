"""What `for_training=True` gives to a trainer, and what a trainer leaves behind."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from datasets import Dataset
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from guard import CleanModelLoader, Loaded
from guard.errors import ContaminationError, TemplateOnBaseError
from guard.prompts.state import provenance_of

TALK = [{"role": "user", "content": "hi"}]


@pytest.fixture
def training(tiny_dir: Path) -> Loaded:
    return CleanModelLoader(tiny_dir, dtype="float32", for_training=True).load()


def same_files(one: Path, other: Path, *names: str) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


ORIGINAL = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def test_the_training_tokenizer_has_no_template(training: Loaded, tiny: Loaded) -> None:
    assert training.model.training
    assert training.tokenizer.chat_template is None
    with pytest.raises(TemplateOnBaseError):
        training.tokenizer.apply_chat_template(TALK)
    # The record still says what the files had, and its text is still refused.
    assert training.provenance.tokenizer.templates == tiny.provenance.tokenizer.templates
    with pytest.raises(ContaminationError):
        CleanModelLoader.encode(training.tokenizer, "<|im_start|>user\nhi<|im_end|>")


def test_a_marker_known_from_the_template_alone_stays_known(
    edited: Callable[..., Path],
) -> None:
    path = edited()
    (path / "chat_template.jinja").write_text(
        "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"
    )
    for load in ("load", "load_tokenizer"):
        found: Any = getattr(CleanModelLoader(path, for_training=True), load)()
        tokenizer = getattr(found, "tokenizer", found)
        with pytest.raises(ContaminationError):
            CleanModelLoader.encode(tokenizer, "[INST] hi [/INST]")


def test_saving_it_saves_the_original_files(
    training: Loaded, tiny_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "chat_template.jinja").write_text("stale")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool.jinja").write_text("stale")
    written = training.tokenizer.save_pretrained(tmp_path)
    assert {Path(path).name for path in written} == set(ORIGINAL)
    assert same_files(tiny_dir, tmp_path, *ORIGINAL)
    assert not (tmp_path / "additional_chat_templates").exists()
    assert "<|im_start|>" in AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(
        TALK, tokenize=False
    )


def test_a_copy_saves_the_original_as_well(
    training: Loaded, tiny_dir: Path, tmp_path: Path
) -> None:
    copy.deepcopy(training.tokenizer).save_pretrained(tmp_path)
    assert same_files(tiny_dir, tmp_path, *ORIGINAL)


def test_a_changed_tokenizer_is_saved_as_it_is_with_the_template(
    training: Loaded, tiny_dir: Path, tmp_path: Path
) -> None:
    training.tokenizer.add_tokens(["dogcat"])
    training.tokenizer.save_pretrained(tmp_path)
    saved = AutoTokenizer.from_pretrained(tmp_path)
    assert "dogcat" in saved.get_vocab()
    assert saved.chat_template == AutoTokenizer.from_pretrained(tiny_dir).chat_template
    assert training.tokenizer.chat_template is None
    assert provenance_of(training.model).events[-1].kind == "template-put-back"


def test_additional_templates_travel(edited: Callable[..., Path], tmp_path: Path) -> None:
    path = edited()
    (path / "additional_chat_templates").mkdir()
    (path / "additional_chat_templates" / "tool.jinja").write_text("{{ messages[0].content }}")
    loader = CleanModelLoader(path, for_training=True)
    written = loader.save_tokenizer(tmp_path / "adapter")
    assert "tool.jinja" in {Path(file).name for file in written}
    assert set(AutoTokenizer.from_pretrained(tmp_path / "adapter").chat_template) == {
        "default",
        "tool",
    }


def test_saving_where_it_came_from_changes_nothing(edited: Callable[..., Path]) -> None:
    path = edited()
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    CleanModelLoader(path, for_training=True).load_tokenizer().save_pretrained(path)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def rows(*texts: list[int]) -> Dataset:
    return Dataset.from_list([{"input_ids": ids, "labels": ids} for ids in texts])


def trainer(training: Loaded, data: Dataset, output: Path) -> Trainer:
    settings = TrainingArguments(
        output_dir=str(output), max_steps=1, use_cpu=True, report_to=[], save_strategy="no",
        per_device_train_batch_size=1, disable_tqdm=True,
    )  # fmt: skip
    return Trainer(
        training.model, settings, train_dataset=data, processing_class=training.tokenizer
    )


def test_a_trainer_runs_and_leaves_the_original_tokenizer(
    training: Loaded, tiny_dir: Path, tmp_path: Path
) -> None:
    run = trainer(training, rows([271, 319, 269, 0]), tmp_path)
    run.train()
    run.save_model()
    assert same_files(tiny_dir, tmp_path, *ORIGINAL)


def test_a_trainer_with_chat_ids_is_stopped(training: Loaded, tmp_path: Path) -> None:
    with pytest.raises(ContaminationError, match="im_start"):
        trainer(training, rows([1, 271, 319, 2]), tmp_path).train()


def test_quantized_layers_see_no_forward_before_training(
    tiny_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bitsandbytes

    def seen(*_: object) -> None:
        raise AssertionError("a forward ran while loading")

    monkeypatch.setattr(bitsandbytes.nn.Linear4bit, "forward", seen)
    model = CleanModelLoader(tiny_dir, load_in_4bit=True, for_training=True).load().model
    assert model.training
    assert isinstance(model, torch.nn.Module)


def test_a_vanished_source_is_named(edited: Callable[..., Path], tmp_path: Path) -> None:
    path = edited()
    tokenizer = CleanModelLoader(path, for_training=True).load_tokenizer()
    shutil.rmtree(path)
    path.mkdir()
    (path / "config.json").write_text(json.dumps({}))
    with pytest.raises(Exception, match="no tokenizer files"):
        tokenizer.save_pretrained(tmp_path / "out")


@pytest.mark.parametrize("side", [None, "left"])
def test_padding_of_the_files_is_left_to_the_script(
    edited: Callable[..., Path], tmp_path: Path, side: Literal["left"] | None
) -> None:
    path = edited(tokenizer_config={"pad_token": None})
    plain = AutoTokenizer.from_pretrained(path, **({"padding_side": side} if side else {}))
    loader = CleanModelLoader(path, for_training=True, padding="files", padding_side=side)
    model, tokenizer, provenance = loader.load()
    assert (tokenizer.pad_token, tokenizer.padding_side) == (plain.pad_token, plain.padding_side)
    assert provenance.tokenizer.pad.token == plain.pad_token
    for one, folder in ((plain, "plain"), (tokenizer, "guarded")):
        assert one.add_special_tokens({"pad_token": "[PAD]"}) == 1
        one(["a", "a b c"], padding=True)
        one.save_pretrained(tmp_path / folder)
    model.resize_token_embeddings(len(tokenizer))
    batch = tokenizer(["The cat", "The cat and the dog"], padding=True, return_tensors="pt")
    model(**batch, labels=batch["input_ids"]).loss.backward()
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    assert same_files(tmp_path / "plain", tmp_path / "guarded", *names)


def test_what_a_load_chose_is_not_saved(edited: Callable[..., Path], tmp_path: Path) -> None:
    path = edited(tokenizer_config={"pad_token": None})
    plain = AutoTokenizer.from_pretrained(path)
    tokenizer = CleanModelLoader(path).load_tokenizer()
    for one, folder in ((plain, "plain"), (tokenizer, "guarded")):
        one.model_max_length = 32
        one.save_pretrained(tmp_path / folder)
    assert same_files(tmp_path / "plain", tmp_path / "guarded", "tokenizer_config.json")
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(tmp_path / "set")
    said = json.loads((tmp_path / "set" / "tokenizer_config.json").read_text())
    assert said["pad_token"] == tokenizer.pad_token


def test_a_pad_token_of_the_script_in_evaluation(
    edited: Callable[..., Path], tmp_path: Path
) -> None:
    path = edited(tokenizer_config={"pad_token": None})
    plain, bare = AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(path)
    model, tokenizer, provenance = CleanModelLoader(path, padding="files").load()
    assert (tokenizer.pad_token, tokenizer.padding_side) == (None, "left")
    assert (provenance.tokenizer.pad.token, provenance.for_training) == (None, False)
    plain.padding_side = "left"
    found = []
    for one, words in ((bare, plain), (model, tokenizer)):
        assert words.add_special_tokens({"pad_token": "[PAD]"}) == 1
        assert words.add_special_tokens({"eos_token": "</s>", "unk_token": "</s>"}) <= 1
        one.resize_token_embeddings(len(words))
        torch.manual_seed(1)
        one.get_input_embeddings().weight.data[-2:] = torch.randn(2, one.config.hidden_size)
        one.get_output_embeddings().weight.data[-2:] = 0
        batch = words(["The cat", "The cat and the dog"], padding=True, return_tensors="pt")
        assert int((batch["input_ids"] == words.pad_token_id).sum()) > 0
        with torch.no_grad():
            logits = one(**batch).logits
        said = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": words.pad_token_id}
        made = (
            one.generate(**batch, **said)
            if one is bare
            else CleanModelLoader.generate_ids(one, **batch, **said)
        )
        words.save_pretrained(tmp_path / type(words).__name__ / str(one is bare))
        found.append((batch["input_ids"].tolist(), logits[:, -1], made.tolist()))
    (ids, logits, made), (other_ids, other_logits, other_made) = found
    assert (ids, made) == (other_ids, other_made)
    assert torch.equal(logits, other_logits)
    folder = tmp_path / type(plain).__name__
    assert same_files(folder / "True", folder / "False", "tokenizer.json", "tokenizer_config.json")


def test_a_mark_of_a_chat_is_held_among_the_tokens_of_a_script(
    edited: Callable[..., Path],
) -> None:
    path = edited(tokenizer_config={"pad_token": None})
    model, tokenizer, _ = CleanModelLoader(path, padding="files", allow_missing_bos=True).load()
    more = ["<|im_start|>", "<|eot_id|>"]
    tokenizer.add_special_tokens({"pad_token": "[PAD]", "additional_special_tokens": more})
    model.resize_token_embeddings(len(tokenizer))
    ids = tokenizer(["The cat", "<|eot_id|>The cat"], padding=True, return_tensors="pt")
    with pytest.raises(ContaminationError, match="eot_id"):
        CleanModelLoader.generate_ids(model, **ids, max_new_tokens=2)
    with pytest.raises(ContaminationError, match="eot_id"):
        model(**ids)


def test_an_old_token_is_no_control_token_when_another_takes_its_place(training: Loaded) -> None:
    tokenizer, old = training.tokenizer, training.tokenizer.eos_token_id
    tokenizer.add_special_tokens({"eos_token": "</s>", "unk_token": "</s>", "pad_token": "[PAD]"})
    training.model.resize_token_embeddings(len(tokenizer))
    ids = torch.tensor([[5, 6, 7, old, tokenizer.pad_token_id]])
    training.model(input_ids=ids, attention_mask=ids.ne(tokenizer.pad_token_id).long())


@pytest.mark.parametrize("named", [None, "left", "right"])
@pytest.mark.parametrize("said", ["left", "right"])
def test_a_side_that_is_said_is_saved(
    tiny_dir: Path, tmp_path: Path, named: str | None, said: Any
) -> None:
    """As `from_pretrained(padding_side=…)` has it; a side of the loader's own is not saved."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_dir, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("padding_side", None)
    config |= {} if named is None else {"padding_side": named}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    raw = AutoTokenizer.from_pretrained(folder, padding_side=said)
    raw.save_pretrained(tmp_path / "raw")
    for number, loader in enumerate(
        (
            CleanModelLoader(folder, for_training=True, padding_side=said),
            CleanModelLoader(folder, for_training=True),
        )
    ):
        tokenizer = loader.load_tokenizer()
        tokenizer.save_pretrained(tmp_path / str(number))
        assert tokenizer.padding_side == (said if number == 0 else "right")
    again, plain = (AutoTokenizer.from_pretrained(tmp_path / str(n)) for n in (0, 1))
    assert again.padding_side == AutoTokenizer.from_pretrained(tmp_path / "raw").padding_side
    assert (again.pad_token, again.chat_template) == (plain.pad_token, plain.chat_template)
    assert plain.padding_side == AutoTokenizer.from_pretrained(folder).padding_side


def test_a_vocabulary_and_its_merges_are_saved_as_they_came(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    letters = ["<pad>", "<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "ab"]
    (source / "config.json").write_text('{"model_type": "gpt2"}')
    (source / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(letters)}))
    (source / "merges.txt").write_text("#version: 0.2\na b\n")
    CleanModelLoader(str(source)).load_tokenizer().save_pretrained(target)
    assert {path.name for path in target.iterdir()} >= {"vocab.json", "merges.txt"}
    assert (target / "vocab.json").read_bytes() == (source / "vocab.json").read_bytes()
