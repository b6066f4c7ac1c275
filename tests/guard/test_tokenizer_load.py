from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from guard import CleanModelLoader, Loaded
from guard.errors import (
    ChatModelError,
    ContaminationError,
    ModelNotFoundError,
    TemplateOnBaseError,
    TokenizerMismatchError,
)
from guard.prompts.policy import policy_of
from guard.vocabularies.probes import PROBES
from guard.vocabularies.sentencepiece_files import settle_pieces

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def weightless(tiny_dir: Path, tmp_path: Path) -> Path:
    target = tmp_path / "weightless"
    shutil.copytree(tiny_dir, target, ignore=shutil.ignore_patterns("*.safetensors"))
    return target


def test_it_is_the_tokenizer_that_load_returns(tiny: Loaded, weightless: Path) -> None:
    tokenizer = CleanModelLoader(weightless).load_tokenizer()
    assert policy_of(tokenizer) == policy_of(tiny.tokenizer)
    assert policy_of(tokenizer).digest == tiny.provenance.tokenizer.digest
    assert tokenizer.pad_token == tiny.tokenizer.pad_token
    assert tokenizer.padding_side == "left"
    assert CleanModelLoader.generate(tiny.model, tokenizer, "3 plus 4 is", max_new_tokens=4)


def test_it_is_the_same_for_a_family_with_bos(llama_like: Callable[[bool], Path]) -> None:
    for adds_bos in (True, False):
        loader = CleanModelLoader(llama_like(adds_bos))
        alone, loaded = loader.load_tokenizer(), loader.load().tokenizer
        assert policy_of(alone) == policy_of(loaded)
        row = CleanModelLoader.encode(alone, "The capital")["input_ids"][0].tolist()
        assert row[0] == 1
        assert row.count(1) == 1


def test_it_is_guarded(weightless: Path) -> None:
    tokenizer = CleanModelLoader(weightless).load_tokenizer()
    with pytest.raises(TemplateOnBaseError, match="CG203"):
        tokenizer.apply_chat_template([{"role": "user", "content": "hi"}])
    with pytest.raises(ContaminationError, match="CG204"):
        CleanModelLoader.encode(tokenizer, "<|im_start|>user")


def test_training_pads_on_the_right(weightless: Path) -> None:
    tokenizer = CleanModelLoader(weightless, for_training=True).load_tokenizer()
    assert tokenizer.padding_side == "right"


@pytest.mark.parametrize("rows", [702, 703])
def test_padding_is_chosen_by_the_rows_of_the_config(
    edited: Callable[..., Path], rows: int
) -> None:
    # The token for padding gets index 702, which an embedding of 702 rows lacks.
    import json

    path = edited(config={"vocab_size": rows})
    content = json.loads((path / "tokenizer.json").read_text())
    last = max(content["model"]["vocab"].values())
    content["added_tokens"].append(
        {**content["added_tokens"][0], "id": last + 1, "content": "<pad>"}
    )
    (path / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = CleanModelLoader(path).load_tokenizer()
    assert tokenizer.get_vocab()["<pad>"] == last + 1
    assert tokenizer.pad_token == ("<pad>" if last + 1 < rows else "<|endoftext|>")


def test_a_directory_of_tokenizer_files_alone_will_do(weightless: Path) -> None:
    (weightless / "config.json").unlink()
    (weightless / "generation_config.json").unlink()
    assert CleanModelLoader(weightless).load_tokenizer()("A dog")["input_ids"]


def test_chat_models_are_refused_unless_allowed(edited: Callable[..., Path]) -> None:
    path = edited(tokenizer_config={"eos_token": "<|im_end|>"})
    with pytest.raises(ChatModelError, match="CG108"):
        CleanModelLoader(path).load_tokenizer()
    assert CleanModelLoader(path, allow_chat_model=True).load_tokenizer().eos_token == "<|im_end|>"


def test_hub_ids_need_no_weights_in_the_cache(
    weightless: Path, tmp_path: Path, hub_cache: Callable[..., None]
) -> None:
    hub_cache(weightless, tmp_path, "someone/tiny", COMMIT)
    hub_cache(weightless, tmp_path, "someone/tiny-Instruct", COMMIT)
    assert CleanModelLoader("someone/tiny", cache_dir=tmp_path).load_tokenizer()("A dog")
    with pytest.raises(ChatModelError, match="names a chat model"):
        CleanModelLoader("someone/tiny-Instruct", cache_dir=tmp_path).load_tokenizer()


def test_a_tokenizer_in_the_cache_needs_no_configuration_of_the_model(
    weightless: Path, tmp_path: Path, hub_cache: Callable[..., None], monkeypatch: Any
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    bare = shutil.copytree(weightless, tmp_path / "bare")
    (bare / "config.json").unlink()
    hub_cache(bare, tmp_path, "someone/tiny", COMMIT)
    tokenizer = CleanModelLoader("someone/tiny", cache_dir=tmp_path).load_tokenizer()
    expected = CleanModelLoader(weightless).load_tokenizer()
    assert tokenizer("A dog")["input_ids"] == expected("A dog")["input_ids"]
    assert tokenizer.name_or_path == "someone/tiny"


def test_absent_and_empty_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="tokenizer of"):
        CleanModelLoader(tmp_path).load_tokenizer()
    with pytest.raises(ModelNotFoundError, match="no such"):
        CleanModelLoader("/no such").load_tokenizer()


def test_a_reader_of_tiktokens_lines_that_loses_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    lines = [b64encode(bytes([at])) + f" {at}".encode() for at in range(256)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    alphabet = {letter: at for at, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    whole = Tokenizer(models.BPE(alphabet, []))
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    reads = PreTrainedTokenizerFast(tokenizer_object=whole)
    assert settle_pieces(reads, path).tokenizer is reads
    letters = Tokenizer(models.BPE({chr(at): at for at in range(32, 127)}, []))
    loses = PreTrainedTokenizerFast(tokenizer_object=letters)
    with pytest.raises(TokenizerMismatchError, match=r"loses text: \d+ of 14 texts") as caught:
        settle_pieces(loses, path)
    assert "update transformers" in str(caught.value.remedy)


def test_a_class_that_does_not_follow_its_file_is_recorded(edited: Any) -> None:
    path = edited()
    tokens = json.loads((path / "tokenizer.json").read_text())
    tokens["normalizer"] = {"type": "Strip", "strip_left": True, "strip_right": True}
    (path / "tokenizer.json").write_text(json.dumps(tokens))
    _, tokenizer, provenance = CleanModelLoader(path).load()
    check = next(c for c in provenance.checks if c.name == "one-tokenizer")
    own = Tokenizer.from_file(str(path / "tokenizer.json"))
    differ = sum(
        own.encode(text, add_special_tokens=False).ids
        != tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in PROBES
    )
    if not differ:  # a release that follows the file
        assert (check.verdict, check.detail) == ("pass", "tokenizer.json, as Qwen2Tokenizer")
        return
    assert check.verdict == "recorded"
    assert f"the file by itself gives other ids for {differ} of {len(PROBES)} texts" in check.detail
    assert "whose ids are used" in provenance.tokenizer.read_from
