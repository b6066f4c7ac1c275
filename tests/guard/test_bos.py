"""What prompts begin with where the files leave it open, and special tokens as plain text."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from guard import CleanModelLoader, Loaded, provenance_of
from guard.doctor import diagnose
from guard.errors import (
    ChatModelError,
    ContaminationError,
    DoubledBosError,
    GuardWarning,
    LoaderCallError,
    MissingBosError,
    MissingWeightsError,
    ModelNotFoundError,
    SettingsError,
    TokenizerMismatchError,
)
from guard.prompts.policy import policy_of

encode = CleanModelLoader.encode


@pytest.fixture
def folder(tiny_dir: Path, tmp_path: Path) -> Callable[..., Path]:
    """The embedded model with tokens of another name, so that no family is known, and other settings."""

    def make(
        names: dict[int, str],
        post: list[str] | None = None,
        template: str | None = None,
        **settings: Any,
    ) -> Path:
        target = tmp_path / "model"
        shutil.copytree(tiny_dir, target, dirs_exist_ok=True)
        (target / "chat_template.jinja").unlink()
        content = json.loads((target / "tokenizer.json").read_text())
        known = {index: token for token, index in content["model"]["vocab"].items()}
        for index, name in names.items():
            content["model"]["vocab"].pop(known[index], None)
            content["model"]["vocab"][name] = index
        for added in content["added_tokens"]:
            added["content"] = names.get(added["id"], added["content"])
        if post:
            ids = {name: index for index, name in names.items()}
            single = [{"SpecialToken": {"id": name, "type_id": 0}} for name in post]
            text = {"Sequence": {"id": "A", "type_id": 0}}
            content["post_processor"] = {
                "type": "TemplateProcessing",
                "single": [*single, text],
                "pair": [*single, text, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {
                    name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in post
                },
            }
        (target / "tokenizer.json").write_text(json.dumps(content))
        base = {"tokenizer_class": "TokenizersBackend", "eos_token": names[0]}
        (target / "tokenizer_config.json").write_text(json.dumps({**base, **settings}))
        if template:
            (target / "chat_template.jinja").write_text(template)
        return target

    return make


PLAIN = {0: "<|ending|>", 1: "<|opening|>", 2: "<|other|>"}
GLM = {0: "<|endoftext|>", 1: "[gMASK]", 2: "<sop>"}


def told(path: Path, **options: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tokenizer = CleanModelLoader(path, **options).load_tokenizer()
    said = [str(w.message) for w in caught if issubclass(w.category, GuardWarning)]
    return tokenizer, said


def test_a_key_that_transformers_ignores_is_told(folder: Callable[..., Path]) -> None:
    path = folder(PLAIN, add_bos_token=True, bos_token="<|opening|>")
    tokenizer, said = told(path)
    policy = policy_of(tokenizer)
    assert (policy.prefix, policy.bos_source) == ((), "none")
    [warning] = said
    assert "add_bos_token: true" in warning
    assert 'bos="add"' in warning
    check = next(
        c for c in CleanModelLoader(path).load().provenance.checks if c.name == "bos-is-certain"
    )
    assert (check.verdict, check.code) == ("recorded", "CG201")
    assert "CG201" in {r.code for r in diagnose(CleanModelLoader(path).request).remarks}


@pytest.mark.parametrize(
    ("bos", "prefix", "source"), [("add", (1,), "asked"), ("none", (), "none")]
)
def test_it_can_be_said_and_is_recorded(
    folder: Callable[..., Path], bos: Any, prefix: tuple[int, ...], source: str
) -> None:
    path = folder(PLAIN, add_bos_token=True, bos_token="<|opening|>")
    model, tokenizer, provenance = CleanModelLoader(path, bos=bos).load()
    record = provenance.tokenizer
    assert (record.bos_prefix, record.bos_source, record.bos_asked) == (prefix, source, bos)
    assert "tokenizer_config.json says add_bos_token: true" in record.bos_evidence
    row = encode(tokenizer, "A dog")["input_ids"][0].tolist()
    assert tuple(row[: row.index(row[-1])][: len(prefix)]) == prefix
    if bos == "add":
        with pytest.raises(MissingBosError):
            model(torch.tensor([[300, 301]]))
    model(torch.tensor([row]))


def test_nothing_is_told_where_the_files_agree(
    folder: Callable[..., Path], tiny_dir: Path, llama_like: Callable[[bool], Path]
) -> None:
    for path in (
        tiny_dir,
        llama_like(True),
        llama_like(False),
        folder(PLAIN, bos_token="<|opening|>"),
        folder(PLAIN, add_bos_token=False, bos_token="<|opening|>"),
    ):
        assert told(path)[1] == [], path


def test_a_family_whose_file_names_no_bos_is_told(llama_like: Callable[[bool], Path]) -> None:
    path = llama_like(False)
    settings = json.loads((path / "tokenizer_config.json").read_text())
    for change in ({"bos_token": None}, {"add_bos_token": False}):
        (path / "tokenizer_config.json").write_text(json.dumps({**settings, **change}))
        tokenizer, said = told(path)
        assert policy_of(tokenizer).prefix == (1,)
        assert "inserted because the vocabulary is that of llama3" in said[0]
        for bos, prefix in (("none", ()), ("add", (1,))):
            tokenizer, said = told(path, bos=bos)
            assert policy_of(tokenizer).prefix == prefix
            assert said == []


@pytest.mark.parametrize("sop", ["<sop>", "<!sop!>"])  # ChatGLM3's own spelling says nothing
def test_a_prefix_of_several_tokens_is_kept_whole(folder: Callable[..., Path], sop: str) -> None:
    path = folder({**GLM, 2: sop}, post=["[gMASK]", sop])
    model, tokenizer, provenance = CleanModelLoader(path).load()
    assert provenance.tokenizer.bos_prefix == (1, 2)
    row = encode(tokenizer, "A dog")["input_ids"][0].tolist()
    assert row[:2] == [1, 2]
    model(torch.tensor([row]))
    model.generate(torch.tensor([row]), max_new_tokens=1)
    for wrong, error in (
        ([1, *row[2:]], MissingBosError),
        (row[1:], MissingBosError),
        ([1, 2, *row], DoubledBosError),
    ):
        for road in (model, lambda ids: model.generate(ids, max_new_tokens=1)):
            with pytest.raises(error):
                road(torch.tensor([wrong]))
    for text in (f"[gMASK]{sop}A dog", f"a {sop} in the middle"):
        with pytest.raises(DoubledBosError):
            encode(tokenizer, text)


def test_a_turn_that_the_tokenizer_opens_by_itself_is_chat(folder: Callable[..., Path]) -> None:
    path = folder({**GLM, 2: "<|assistant|>"}, post=["[gMASK]", "<|assistant|>"])
    with pytest.raises(ChatModelError, match=r"puts <\|assistant\|> before every text"):
        CleanModelLoader(path).load_tokenizer()


@pytest.mark.parametrize(
    ("says", "prefix", "source"),
    [(False, (), "none"), (True, (1,), "inserted"), (None, (), "none")],
)
def test_a_vocabulary_that_grew_out_of_llamas_follows_its_files(
    folder: Callable[..., Path], says: bool | None, prefix: tuple[int, ...], source: str
) -> None:
    # Phi-3: Llama 2's pieces; its first files say add_bos_token: true, its later ones false.
    names = {0: "<|end|>", 1: "<s>", 2: "<|assistant|>"}
    settings = {} if says is None else {"add_bos_token": says}
    path = folder(names, bos_token="<s>", **settings)
    tokenizer, said = told(path, allow_chat_model=True)
    assert policy_of(tokenizer).family == "phi3"
    assert (policy_of(tokenizer).prefix, policy_of(tokenizer).bos_source) == (prefix, source)
    assert said == []


def test_add_takes_the_whole_prefix_of_the_template(folder: Callable[..., Path]) -> None:
    template = "[gMASK]<sop>{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
    path = folder(GLM, template=template)
    assert policy_of(told(path)[0]).prefix == ()
    assert policy_of(told(path, bos="add")[0]).prefix == (1, 2)


def test_add_without_a_token_is_refused(folder: Callable[..., Path]) -> None:
    with pytest.raises(SettingsError, match="names a BOS") as caught:
        CleanModelLoader(folder(PLAIN), bos="add").load_tokenizer()
    assert caught.value.evidence["weighed"]


@pytest.mark.parametrize("option", [{"bos": "one"}, {"bos": True}, {"special_tokens": "keep"}])
def test_other_words_are_refused(tiny_dir: Path, option: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        CleanModelLoader(tiny_dir, **option)


def test_the_old_words_lead_to_the_new(tiny_dir: Path) -> None:
    for name, word in (("add_bos_token", "bos="), ("split_special_tokens", "special_tokens=")):
        with pytest.raises(LoaderCallError) as caught:
            CleanModelLoader(tiny_dir, **{name: True})  # type: ignore[arg-type]
        assert word in caught.value.remedy


def test_a_bos_that_the_model_has_no_row_for(folder: Callable[..., Path]) -> None:
    path = folder(PLAIN, add_bos_token=True, bos_token="<|nobody|>")
    with pytest.raises(TokenizerMismatchError, match="embedding has 702 rows") as caught:
        CleanModelLoader(path, bos="add").load()
    assert caught.value.evidence["rows"] == 702


def test_special_tokens_as_text(folder: Callable[..., Path]) -> None:
    names = {0: "</s>", 1: "<s>", 2: "<|other|>"}
    path = folder(names, post=["<s>"], bos_token="<s>")
    html = "<s>old</s> and <|other|>"
    _, plain, _ = CleanModelLoader(path).load()
    with pytest.raises(DoubledBosError) as refused:
        encode(plain, html)
    assert "special_tokens='text'" in refused.value.remedy
    model, tokenizer, provenance = CleanModelLoader(path, special_tokens="text").load()
    assert provenance.tokenizer.special_tokens_spelt == "text"
    row = encode(tokenizer, html)["input_ids"][0].tolist()
    assert row[0] == 1
    assert not {0, 1, 2} & set(row[1:])
    assert tokenizer.decode(row[1:]) == html
    model(torch.tensor([row]))
    assert CleanModelLoader.generate(model, tokenizer, html, max_new_tokens=1) is not None


def test_special_tokens_as_text_in_one_call(fresh: Loaded) -> None:
    model, tokenizer, _ = fresh
    text = "the token <|im_start|> opens a turn"
    with pytest.raises(ContaminationError):
        encode(tokenizer, text)
    row = encode(tokenizer, text, special_tokens="text")["input_ids"][0].tolist()
    assert 1 not in row
    CleanModelLoader.generate(model, tokenizer, text, max_new_tokens=1, special_tokens="text")
    assert {e.kind for e in provenance_of(model).events} == {"special-tokens-as-text"}
    with pytest.raises(ContaminationError):
        CleanModelLoader.generate(model, tokenizer, text, max_new_tokens=1)
    with pytest.raises(SettingsError):
        encode(tokenizer, text, special_tokens="keep")  # type: ignore[arg-type]


def test_what_the_template_writes_as_text_is_refused_all_the_same(edited: Any) -> None:
    path = edited()
    (path / "chat_template.jinja").write_text(
        "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"
    )
    tokenizer = CleanModelLoader(path, special_tokens="text").load_tokenizer()
    with pytest.raises(ContaminationError):
        encode(tokenizer, "[INST] hello [/INST]")


VICUNA = "A chat with a curious user.{% for m in messages %} {{ 'USER' if m.role == 'user' else 'ASSISTANT' }}: {{ m.content }}{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
ODD = "{% for m in messages %}]~b]{{ m.role }}\n{{ m.content }}[e~[\n{% endfor %}"
ORDINARY = "{% for m in messages %}{{ 'User' if m.role == 'user' else 'Assistant' }}: {{ m.content }}\n\n{% endfor %}Assistant:"


@pytest.mark.parametrize("template", [VICUNA, ODD], ids=["words", "odd marks"])
def test_a_template_is_told_by_its_words_beside_unused_control_tokens(
    edited: Any, template: str
) -> None:
    path = edited()
    (path / "chat_template.jinja").write_text(template)
    loader = CleanModelLoader(path)
    tokenizer = loader.load_tokenizer()
    talk = [{"role": "user", "content": "Name two colors."}]
    text = type(tokenizer).apply_chat_template(
        tokenizer, talk, tokenize=False, add_generation_prompt=True
    )
    with pytest.raises(ContaminationError):
        encode(tokenizer, text)


TURNS = "{% for m in messages %}{{ 'Output' if m.role != 'user' else 'Instruct' }}: {{ m.content }}\n{% endfor %}"
JOINED = "{{ bos_token + '<|turn|>' + messages[0].content + datetime + functions }}"


@pytest.mark.parametrize("template", [TURNS, JOINED], ids=["one word", "tokens and tools"])
def test_every_chat_that_a_template_renders_is_told(edited: Any, template: str) -> None:
    path = edited()
    (path / "chat_template.jinja").write_text(template)
    loaded = CleanModelLoader(path).load()
    check = next(c for c in loaded.provenance.checks if c.name == "rendered-chat-is-caught")
    assert check.verdict == "pass", check
    chat = "Output: Red.\nInstruct: And?\nOutput: Blue.\nInstruct: Why?"
    with pytest.raises(ContaminationError):
        encode(loaded.tokenizer, chat if template is TURNS else "<|turn|>Hi")
    encode(loaded.tokenizer, "The word Instruct: stands in the middle of this line.")


def test_a_template_that_renders_nothing_is_recorded(edited: Any) -> None:
    path = edited()
    (path / "chat_template.jinja").write_text("{{ raise_exception('no') }}")
    check = next(
        c
        for c in CleanModelLoader(path).load().provenance.checks
        if c.name == "rendered-chat-is-caught"
    )
    assert (check.verdict, "renders no chat" in check.detail) == ("recorded", True)


def test_a_template_of_ordinary_words_is_recorded_as_untold(edited: Any) -> None:
    path = edited()
    (path / "chat_template.jinja").write_text(ORDINARY)
    loaded = CleanModelLoader(path).load()
    check = next(c for c in loaded.provenance.checks if c.name == "rendered-chat-is-caught")
    assert check.verdict == "recorded"
    encode(
        loaded.tokenizer, "User: what is 2 + 2?\n\nAssistant: 4\n\nUser: and 3 + 3?\n\nAssistant:"
    )


def test_two_tokenizers_that_disagree_are_refused(edited: Any) -> None:
    path = edited()
    content = json.loads((path / "tokenizer.json").read_text())["model"]["vocab"]
    (path / "vocab.json").write_text(json.dumps(content))
    provenance = CleanModelLoader(path).load().provenance
    check = next(c for c in provenance.checks if c.name == "one-tokenizer")
    assert check.verdict == "pass"
    assert provenance.tokenizer.read_from.startswith("tokenizer.json")
    few = {**content, **{token: index + 1 for token, index in list(content.items())[:3]}}
    (path / "vocab.json").write_text(json.dumps(few))
    check = next(
        c for c in CleanModelLoader(path).load().provenance.checks if c.name == "one-tokenizer"
    )
    assert (check.verdict, "vocab.json has other ids for 3" in check.detail) == ("recorded", True)
    (path / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(content)}))
    if list(content.values()) == list(range(len(content))):
        (path / "vocab.json").write_text(json.dumps({t: i + 7 for t, i in content.items()}))
    with pytest.raises(TokenizerMismatchError, match="two tokenizers that disagree") as caught:
        CleanModelLoader(path).load()
    assert caught.value.evidence["file"] == "vocab.json"


def test_a_folder_with_gguf_alone_is_named_as_load_names_it(tmp_path: Path) -> None:
    (tmp_path / "model.Q4_K.gguf").write_bytes(b"GGUF")
    loader = CleanModelLoader(tmp_path)
    for look in (loader.load, lambda: diagnose(loader.request)):
        with pytest.raises(MissingWeightsError, match="only GGUF"):
            look()
    with pytest.raises(ModelNotFoundError) as caught:
        loader.load_tokenizer()
    assert "GGUF" in caught.value.remedy


def test_harmony_tokens_and_a_copy_of_a_chat_model_are_chat(
    folder: Callable[..., Path], edited: Any
) -> None:
    names = {0: "<|return|>", 1: "<|start|>", 2: "<|channel|>"}
    with pytest.raises(ChatModelError, match="return"):
        CleanModelLoader(folder(names)).load_tokenizer()
    path = edited(config={"_name_or_path": "meta-llama/Llama-2-7b-chat-hf"})
    with pytest.raises(ChatModelError, match="made of meta-llama"):
        CleanModelLoader(path).load_tokenizer()
    CleanModelLoader(edited(config={"_name_or_path": "meta-llama/Llama-2-7b-hf"})).load_tokenizer()


@pytest.mark.parametrize("value", [10**12, -5, "x", [None, "a"], {"a": 1}])
def test_ends_that_are_no_ids_are_no_crash(edited: Any, value: Any) -> None:
    CleanModelLoader(edited(generation_config={"eos_token_id": value})).load_tokenizer()
