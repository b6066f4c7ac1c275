"""What each family's published tokenizer does, and what the guard makes of it."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from guard import CleanModelLoader
from guard.errors import ChatModelError, ContaminationError, DoubledBosError, GuardWarning
from guard.prompts.control_tokens import ControlSet
from guard.prompts.encoding import encode_rows
from guard.prompts.policy import BosSource, policy_of
from guard.prompts.templates import render, templates_of

Real = Callable[[str], Any]
TALK = (
    [{"role": "user", "content": "Name two colors."}],
    [
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Bye!"},
    ],
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a tokenizer: its family, BOS, control ids, and chat format as documented."""

    family: str | None
    prefix: tuple[int, ...]
    source: BosSource
    control: dict[int, str]
    chat: str | None = None
    from_npm: bool = False


CHATML = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
HEADERS = (
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
LLAMA3 = {128006: "<|start_header_id|>", 128007: "<|end_header_id|>", 128009: "<|eot_id|>"}
QWEN = {151644: "<|im_start|>", 151645: "<|im_end|>"}
INST = {3: "[INST]", 4: "[/INST]"}
KNOWN: dict[str, Known] = {
    "qwen2": Known("qwen2", (), "none", QWEN, CHATML),
    "llama3": Known("llama3", (128000,), "tokenizer", LLAMA3, HEADERS),
    "llama3-early": Known("llama3", (128000,), "inserted", LLAMA3, HEADERS),
    "mistral-v1": Known("mistral", (1,), "tokenizer", {}, "[INST] Hi [/INST]"),
    "mistral-v2": Known("mistral", (1,), "tokenizer", INST, "[INST] Hi [/INST]"),
    "mistral-v3": Known("mistral", (1,), "tokenizer", INST, "[INST] Hi[/INST]"),
    "deepseek": Known(
        "deepseek",
        (0,),
        "inserted",
        {128803: "<｜User｜>", 128804: "<｜Assistant｜>"},
        "<｜User｜>Hi<｜Assistant｜>",
    ),
    "claude": Known(None, (), "none", {}),
    "gpt2": Known("gpt2", (), "none", {}, CHATML, from_npm=True),
    "qwen3": Known("qwen2", (), "none", QWEN, CHATML, from_npm=True),
    "llama3-instruct": Known("llama3", (128000,), "inserted", LLAMA3, HEADERS, from_npm=True),
    "llama3.1-instruct": Known("llama3", (128000,), "tokenizer", LLAMA3, HEADERS, from_npm=True),
    "gemma3-it": Known(
        "gemma",
        (2,),
        "tokenizer",
        {105: "<start_of_turn>", 106: "<end_of_turn>"},
        "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
        from_npm=True,
    ),
}


def names(of: Iterable[str] = KNOWN) -> list[Any]:
    return [
        pytest.param(name, marks=[pytest.mark.slow] if KNOWN[name].from_npm else []) for name in of
    ]


def is_refused(tokenizer: Any, text: str) -> bool:
    try:
        encode_rows(tokenizer, policy_of(tokenizer), [text])
    except (ContaminationError, DoubledBosError):
        return True
    return False


@pytest.mark.parametrize("name", names())
def test_family_and_control_ids(real: Real, name: str) -> None:
    policy, known = policy_of(real(name)), KNOWN[name]
    assert policy.family == known.family
    assert known.control.items() <= dict(policy.control.tokens).items()
    special = {policy.eos_id, policy.pad_id, real(name).unk_token_id} - set(known.control)
    assert not special & (set(policy.control.ids) - set(known.control))


@pytest.mark.parametrize("name", names())
def test_exactly_the_familys_bos(real: Real, name: str) -> None:
    tokenizer, known = real(name), KNOWN[name]
    policy = policy_of(tokenizer)
    assert (policy.prefix, policy.bos_source) == (known.prefix, known.source)
    for text in ("The capital of France is", " 2 + 2 =", "日本の首都は", "\n\n"):
        plain = tokenizer(text, add_special_tokens=False)["input_ids"]
        found = CleanModelLoader.encode(tokenizer, text)["input_ids"][0].tolist()
        assert found == [*known.prefix, *plain]


@pytest.mark.parametrize("name", names(n for n in KNOWN if KNOWN[n].prefix))
def test_the_flag_is_not_trusted(real: Real, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # add_bos_token reads False on Llama 3.1 and Gemma although BOS is added.
    tokenizer = real(name)
    monkeypatch.setattr(tokenizer, "_add_bos_token", not tokenizer.add_bos_token)
    row = encode_rows(tokenizer, policy_of(tokenizer), ["The capital"])[0]
    assert row.count(KNOWN[name].prefix[0]) == 1


@pytest.mark.parametrize("name", names(n for n in KNOWN if KNOWN[n].prefix))
def test_bos_spelt_out_is_refused(real: Real, name: str) -> None:
    tokenizer = real(name)
    bos = tokenizer.convert_ids_to_tokens(KNOWN[name].prefix[0])
    with pytest.raises(DoubledBosError):
        encode_rows(tokenizer, policy_of(tokenizer), [f"{bos}The capital"])


@pytest.mark.parametrize("name", names(n for n in KNOWN if KNOWN[n].chat))
def test_the_documented_chat_format_is_refused(real: Real, name: str) -> None:
    chat = KNOWN[name].chat or ""
    for text in (chat, f"Some text.\n{chat}", f"{chat} Hello.\n{chat}"):
        assert is_refused(real(name), text), text


@pytest.mark.parametrize("name", names())
def test_what_its_own_template_renders_is_refused(real: Real, name: str) -> None:
    tokenizer = real(name)
    for template in templates_of(tokenizer).values():
        for talk in TALK:
            for prompt in (True, False):
                text = render(tokenizer, talk, template, add_generation_prompt=prompt)
                assert text
                assert is_refused(tokenizer, text)
                bos = tokenizer.bos_token or ""
                assert is_refused(tokenizer, text.removeprefix(bos))


@pytest.mark.parametrize("name", ["mistral-v1"])
def test_inst_in_prose_is_a_warning(real: Real, name: str) -> None:
    tokenizer = real(name)
    for text in (
        "Mistral's format opens an instruction with [INST], as its paper says.",
        "The markers [INST] and [/INST] frame an instruction there.",
    ):
        with pytest.warns(GuardWarning, match="INST"):
            assert encode_rows(tokenizer, policy_of(tokenizer), [text])


def test_unk_is_never_a_control_id(real: Real) -> None:
    tokenizer = copy.deepcopy(real("mistral-v1"))
    # The seed asked for these names' ids; in this vocabulary every one of them is unk.
    assert tokenizer.convert_tokens_to_ids("<|im_start|>") == tokenizer.unk_token_id
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}<unk>{{ m.content }}{% endfor %}"
    )
    control: ControlSet = policy_of(tokenizer).control
    assert tokenizer.unk_token_id not in control.ids
    assert "<|im_start|>" in control.markers


@pytest.fixture
def saved(real: Real, tiny_dir: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A model directory with a published tokenizer and no weights."""

    def save(name: str) -> Path:
        shutil.copy(tiny_dir / "config.json", tmp_path)
        config = json.loads((tmp_path / "config.json").read_text())
        changed = {**config, "vocab_size": len(real(name)), "eos_token_id": None}
        (tmp_path / "config.json").write_text(json.dumps(changed))
        real(name).save_pretrained(tmp_path)
        return tmp_path

    return save


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen3", "llama3.1-instruct", "gemma3-it"])
def test_chat_tokenizers_are_refused_by_their_eos(saved: Callable[[str], Path], name: str) -> None:
    with pytest.raises(ChatModelError, match="turn end"):
        CleanModelLoader(saved(name)).load_tokenizer()


@pytest.mark.parametrize("name", ["llama3-early", "mistral-v1", "deepseek"])
def test_a_saved_tokenizer_loads_guarded(saved: Callable[[str], Path], name: str) -> None:
    tokenizer = CleanModelLoader(saved(name)).load_tokenizer()
    policy = policy_of(tokenizer)
    assert policy.prefix == KNOWN[name].prefix
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
