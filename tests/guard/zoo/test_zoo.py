"""Published tokenizers against what their publishers say: expected.json is data, not taken from the guard.

The small ones are quick; the rest, and the ways of storing them, are slow. `make zoo` runs all of them with
several releases of transformers and sets of extras, and writes docs/families.md.
"""

from __future__ import annotations

import json
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from guard import CleanModelLoader
from guard.enforcing.enforcement import install
from guard.errors import (
    ChatModelError,
    ContaminationError,
    DoubledBosError,
    GuardWarning,
    MissingExtraError,
    ModelNotFoundError,
    TokenizerMismatchError,
)
from guard.generation import batches
from guard.prompts.choice import choice_of
from guard.prompts.control_tokens import ControlSet
from guard.prompts.policy import policy_of
from guard.prompts.state import GuardState
from guard.prompts.templates import render, templates_of
from guard.provenance.record import GenerationRecord
from guard.vocabularies.probes import PROBES
from tests.guard.zoo.conftest import CORPUS, WAYS, ZOO, change, lacking

QUICK = {
    "deepseek-package",
    "anthropic-package",
    "tekken",
    "mistral-v1",
    "mistral-v3",
    "mistral-v7",
}
TALK = [{"role": "user", "content": "Name two colors."}, {"role": "assistant", "content": "Red."}]
# One of each kind: a BOS that is added, inserted, none; byte-level and sentencepiece; with a template and without.
STORED = ("deepseek_v3", "llama3", "llama2", "qwen3")
PAIRS = [(name, way) for name in STORED for way in WAYS if way != "as published"]


def cases(names: Any = ZOO) -> list[Any]:
    return [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in names]


def tokenizer_in(path: Path, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GuardWarning)
        return CleanModelLoader(path, allow_chat_model=True, **options).load_tokenizer()


@pytest.fixture(scope="session")
def loaded(folder: Any) -> Any:
    known: dict[str, Any] = {}

    def load(name: str) -> Any:
        if lacking(name):
            pytest.skip(f"{', '.join(lacking(name))} not installed")
        if name not in known:
            known[name] = tokenizer_in(folder(name))
        return known[name]

    return load


@pytest.mark.parametrize("name", cases())
def test_bos_is_what_the_publisher_says(loaded: Any, name: str) -> None:
    tokenizer, wanted = loaded(name), ZOO[name]["bos"]
    assert list(policy_of(tokenizer).prefix) == wanted
    row = CleanModelLoader.encode(tokenizer, "The capital of France is")["input_ids"][0].tolist()
    assert row[: len(wanted)] == wanted
    assert not set(wanted) & set(row[len(wanted) :])
    assert policy_of(tokenizer).bos_evidence


@pytest.mark.parametrize("name", cases())
def test_the_control_tokens(loaded: Any, name: str) -> None:
    control: ControlSet = policy_of(loaded(name)).control
    names = {token: index for index, token in control.tokens}
    assert ZOO[name]["control"].items() <= names.items()
    assert not set(ZOO[name]["no_control"]) & set(names)


@pytest.mark.parametrize("name", cases())
def test_base_or_chat(folder: Any, name: str) -> None:
    if lacking(name):
        pytest.skip("a package is absent")
    entry = ZOO[name]
    if entry["standing"] == "base":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GuardWarning)
            CleanModelLoader(folder(name)).load_tokenizer()
    else:
        with pytest.raises(ChatModelError) as caught:
            CleanModelLoader(folder(name)).load_tokenizer()
        assert entry["reason"] in str(caught.value)


@pytest.mark.parametrize("name", cases())
def test_no_plain_text_is_flagged(loaded: Any, name: str) -> None:
    tokenizer = loaded(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GuardWarning)
        for text in CORPUS:
            CleanModelLoader.encode(tokenizer, text)


@pytest.mark.parametrize("name", cases(n for n in ZOO if "reader" in ZOO[n]))
def test_the_ids_are_those_of_the_publishers_reader(loaded: Any, folder: Any, name: str) -> None:
    tokenizer, before = loaded(name), len(ZOO[name]["bos"])
    encode = READERS[ZOO[name]["reader"]](folder(name) / ZOO[name]["as"])
    for text in [text for text in CORPUS if text.strip()] + [*PROBES, " x", "x  ", "<0x0A>"]:
        row = CleanModelLoader.encode(tokenizer, text)["input_ids"][0].tolist()
        assert row[before:] == encode(text), text


def by_mistral_common(path: Path) -> Any:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    inner: Any = MistralTokenizer.from_file(str(path)).instruct_tokenizer.tokenizer
    return lambda text: inner.encode(text, bos=False, eos=False)


def by_sentencepiece(path: Path) -> Any:
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_file=str(path)).encode


READERS = {"mistral_common": by_mistral_common, "sentencepiece": by_sentencepiece}


def is_refused(tokenizer: Any, text: str) -> bool:
    try:
        CleanModelLoader.encode(tokenizer, text)
    except (ContaminationError, DoubledBosError):
        return True
    return False


@pytest.mark.parametrize("name", cases(n for n in ZOO if ZOO[n]["chat"]))
def test_the_documented_chat_is_caught(loaded: Any, name: str) -> None:
    tokenizer, chat = loaded(name), ZOO[name]["chat"]
    for text in (chat, f"Some text.\n{chat}", f"{chat} Hello.\n{chat}"):
        assert is_refused(tokenizer, text), text


@pytest.mark.parametrize("name", cases())
def test_what_its_templates_render_is_caught(loaded: Any, name: str) -> None:
    tokenizer = loaded(name)
    for template in templates_of(tokenizer).values():
        for talk in (TALK[:1], TALK, [*TALK, TALK[0]]):
            text = render(tokenizer, talk, template, add_generation_prompt=True)
            if text:
                assert is_refused(tokenizer, text.removeprefix(tokenizer.bos_token or ""))


@pytest.mark.parametrize("name", cases())
def test_the_same_ids_on_every_road(
    loaded: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = loaded(name)
    prefix = list(policy_of(tokenizer).prefix)
    texts = [text for text in CORPUS if text.strip()][::9]
    single = [CleanModelLoader.encode(tokenizer, text)["input_ids"][0].tolist() for text in texts]
    plain = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert single == [prefix + list(row) for row in plain]
    batch = CleanModelLoader.encode(tokenizer, texts)
    masked = [
        [i for i, kept in zip(row, mask, strict=True) if kept]
        for row, mask in zip(
            batch["input_ids"].tolist(), batch["attention_mask"].tolist(), strict=True
        )
    ]
    assert masked == single
    model = small_model(tokenizer)
    seen: list[list[int]] = []
    plain_run = batches.run_batch

    def spy(task: Any, jobs: Any, *more: Any, **extra: Any) -> Any:
        seen.extend(job.row for job in jobs)
        return plain_run(task, jobs, *more, **extra)

    monkeypatch.setattr(batches, "run_batch", spy)
    monkeypatch.setattr("guard.generation.streaming.run_batch", spy)
    CleanModelLoader.generate(model, tokenizer, texts[0], max_new_tokens=1)
    list(CleanModelLoader.stream(model, tokenizer, texts[0], max_new_tokens=1))
    CleanModelLoader.complete(model, tokenizer, texts, max_new_tokens=1)
    assert seen[:2] == [single[0], single[0]]
    assert sorted(seen[2:]) == sorted(single)
    model(torch.tensor([single[0]]))


def small_model(tokenizer: Any) -> Any:
    from types import SimpleNamespace

    size = max(len(tokenizer), max(tokenizer.get_vocab().values()) + 1)
    config = AutoConfig.for_model(
        "qwen2", vocab_size=size, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).eval()
    inner = ("_from_model_config", "transformers_version")
    settings = model.generation_config.to_diff_dict()
    effective = {name: value for name, value in settings.items() if name not in inner}
    record: Any = SimpleNamespace(
        model=SimpleNamespace(context=4096),
        generation=GenerationRecord(effective, {}),
        for_training=False,
        overrides=(),
    )
    install(model, tokenizer, GuardState(policy_of(tokenizer), record))
    return model


@pytest.mark.slow
@pytest.mark.parametrize(("name", "way"), PAIRS)
def test_however_it_is_stored(folder: Any, name: str, way: str) -> None:
    tokenizer, entry = tokenizer_in(folder(name, way)), ZOO[name]
    policy = policy_of(tokenizer)
    assert list(policy.prefix) == entry["bos"]
    names = {token: index for index, token in policy.control.tokens}
    wanted = dict(entry["control"])
    if way == "tokenizer.json alone":  # nothing names EOS then, and the template is gone
        wanted = {n: i for n, i in wanted.items() if n in names or n.startswith("<|")}
    assert wanted.items() <= names.items()
    if way == "with an added token":
        assert "<|turn_start|>" in names
    for text in CORPUS[::5]:
        CleanModelLoader.encode(tokenizer, text)
    if entry["chat"] is not None:
        assert is_refused(tokenizer, entry["chat"])


@pytest.mark.parametrize(
    "name", cases(n for n in ZOO if "mistral_common" in ZOO[n].get("needs", ""))
)
def test_a_missing_package_is_named(
    folder: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guard.vocabularies.mistral_files.has_reader", lambda: False)
    with pytest.raises(MissingExtraError, match="mistral-common") as caught:
        CleanModelLoader(folder(name)).load_tokenizer()
    assert "pip install mistral-common" in caught.value.remedy


@pytest.mark.parametrize("name", cases())
def test_prompt_and_completion_are_the_ids_of_the_joined_text(loaded: Any, name: str) -> None:
    from guard.scoring.boundary import splits_of

    tokenizer = loaded(name)
    pairs = [
        ("Say: ", "cat"),
        ("Hello wor", "ld again"),
        ("What is it?\n", "A cat"),
        ("Grü", "ße"),
        ("1", "2"),
    ]
    pairs += [(text[: len(text) // 2], text[len(text) // 2 :]) for text in CORPUS if len(text) > 3]
    for (prompt, rest), split in zip(
        pairs, splits_of(tokenizer, policy_of(tokenizer), pairs), strict=True
    ):
        joined = list(tokenizer(prompt + rest, add_special_tokens=False)["input_ids"])
        assert list(split.ids) == joined
        assert 0 <= split.at < len(joined)
        assert prompt.endswith(split.borrowed)


@pytest.mark.parametrize("name", ["mistral-v1-pieces", "mistral-v3-pieces"])
def test_what_sentencepiece_itself_gives_is_used_and_told(
    loaded: Any, folder: Any, name: str
) -> None:
    said = choice_of(loaded(name)).read_from
    assert said.startswith("tokenizer.model, as ")
    # Which class transformers takes, and so whether its ids differ, is a matter of its release and of
    # whether mistral-common is there.
    plain = AutoTokenizer.from_pretrained(folder(name))
    encode = by_sentencepiece(folder(name) / "tokenizer.model")
    differ = any(
        plain(text, add_special_tokens=False)["input_ids"] != encode(text) for text in PROBES
    )
    assert said.endswith("sentencepiece's ids are used") is differ


@pytest.mark.parametrize("legacy", [False, True, None])
def test_text_behind_a_special_token_begins_as_the_files_say(
    folder: Any, tmp_path: Path, legacy: bool | None
) -> None:
    path = shutil.copytree(folder("mistral-v1-pieces"), tmp_path / "pieces")
    where = path / "tokenizer_config.json"
    said = json.loads(where.read_bytes()) if where.is_file() else {}
    said.pop("legacy", None)
    said |= {} if legacy is None else {"legacy": legacy}
    where.write_text(json.dumps({"tokenizer_class": "LlamaTokenizer", **said}))
    tokenizer = CleanModelLoader(path).load_tokenizer()
    encode = by_sentencepiece(path / "tokenizer.model")
    behind = tokenizer("</s>USER", add_special_tokens=False)["input_ids"][1:]
    with_blank = encode("USER")
    assert (behind == with_blank) is (legacy is not False)
    assert tokenizer.convert_ids_to_tokens(behind)[0].startswith("▁") is (legacy is not False)
    # What holds no special token has sentencepiece's ids in both ways.
    for text in ("USER: a  b", "two  blanks\n\n x"):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == encode(text)


@pytest.mark.parametrize(
    ("kept", "beside"), [("tekken", "mistral-v3-pieces"), ("mistral-v1-pieces", "mistral-v3")]
)
def test_two_tokenizers_without_a_tokenizer_json_must_agree(
    folder: Any, tmp_path: Path, kept: str, beside: str
) -> None:
    if lacking("tekken") or lacking("mistral-v3"):
        pytest.skip("a package is absent")
    path = shutil.copytree(folder(kept), tmp_path / "both")
    shutil.copy(folder(beside) / ZOO[beside]["as"], path)
    with pytest.raises(TokenizerMismatchError, match="two tokenizers that disagree"):
        CleanModelLoader(path).load_tokenizer()


def test_a_reader_that_loses_text_is_refused(folder: Any) -> None:
    if transformers.__version__ not in ZOO["llama3-tiktoken"]["loses_text_in"]:
        pytest.skip("this release of transformers reads the file whole")
    if find_spec("tiktoken") is None:
        pytest.skip("tiktoken is absent")
    with pytest.raises(TokenizerMismatchError, match=r"loses text: .* do not come back"):
        CleanModelLoader(folder("llama3-tiktoken")).load_tokenizer()


@pytest.mark.slow
def test_a_bos_that_the_files_give_no_id_is_told(folder: Any, tmp_path: Path) -> None:
    if lacking("llama3-tiktoken"):
        pytest.skip("tiktoken is absent")
    path = shutil.copytree(folder("llama3-tiktoken"), tmp_path / "bare")
    (path / "tokenizer_config.json").unlink()
    with pytest.warns(GuardWarning, match="give that token no id"):
        tokenizer = CleanModelLoader(path).load_tokenizer()
    assert policy_of(tokenizer).prefix == ()


def test_an_unknown_token_that_is_no_token_is_named(folder: Any, tmp_path: Path) -> None:
    if lacking("mistral-v1-pieces"):
        pytest.skip("sentencepiece is absent")
    path = shutil.copytree(folder("mistral-v1-pieces"), tmp_path / "unk")
    change(path, lambda settings: settings.update(unk_token=""))
    with pytest.raises(ModelNotFoundError, match="cannot be loaded") as caught:
        CleanModelLoader(path).load_tokenizer()
    assert caught.value.remedy
