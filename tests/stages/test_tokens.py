"""Prompt and completion as rows: the ids are those of the joined text, on tokenizers of several makes."""

from __future__ import annotations

import json
import shutil
import string
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from guard import CleanModelLoader
from guard.prompts.policy import policy_of
from stages.tiny import model_path
from stages.tokens import rows_of

CORPUS = [
    "Say: cat and dog. Hello world again, hello words of a world. Question: what is it? Answer: it is a cat.",
    "The capital of France is Paris. The opposite of hot is cold. Grüße aus Köln, naïve café.",
    "for i in range(10):\n    print(i)\n\nreturn again and again",
    " ".join(string.printable),
] * 8
PAIRS = [
    ("Say: ", "cat"),
    ("Say:", " cat"),
    ("Hello wor", "ld again"),
    ("Question: what is it?\n", "Answer: it"),
    ("Question: what is it?\nAnswer:", " it is\na cat."),
    ("The capital of France is  ", " Paris."),
    ("Grü", "ße aus Köln"),
    ("for i in range(10):\n    ", "print(i)"),
    ("A", "B"),
]


def metaspace(scheme: str) -> Tokenizer:
    """As SentencePiece: spaces become part of words, and one stands before a text."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    made.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme)]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=500, special_tokens=special))
    return made


def byte_level() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    made.train_from_iterator(CORPUS, trainer)
    return made


MAKES = {
    "a dummy prefix before the first text": lambda: metaspace("first"),
    "a dummy prefix always": lambda: metaspace("always"),
    "no dummy prefix": lambda: metaspace("never"),
    "bytes": byte_level,
}


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, make in MAKES.items():
        folder = tmp_path_factory.mktemp("tokenizer") / "model"
        shutil.copytree(model_path(), folder)
        for file in ("chat_template.jinja", "tokenizer.json", "tokenizer_config.json"):
            (folder / file).unlink()
        fast = PreTrainedTokenizerFast(
            tokenizer_object=make(), bos_token="<s>", eos_token="</s>", unk_token="<unk>"
        )
        fast.save_pretrained(folder)
        config = json.loads((folder / "config.json").read_text())
        # Its own family's tokenizer class would put another pre-tokenizer in.
        config |= {"eos_token_id": 2, "model_type": "llama", "architectures": ["LlamaForCausalLM"]}
        (folder / "config.json").write_text(json.dumps(config))
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings["tokenizer_class"] = "TokenizersBackend"
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        found[name] = CleanModelLoader(folder).load_tokenizer()
    return found


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_rows_are_the_joined_text(
    tokenizers: dict[str, Any], name: str, pair: tuple[str, str]
) -> None:
    tokenizer = tokenizers[name]
    prompt, completion = pair
    [row] = rows_of(tokenizer, [pair], eos=True)
    joined = tokenizer(prompt + completion, add_special_tokens=False)["input_ids"]
    before = list(policy_of(tokenizer).prefix)
    context = list(row.prompt)
    if not before and context == [tokenizer.eos_token_id]:
        context = []  # nothing stands before the first token: the end of a text does
    assert [*context[len(before) :], *row.completion[:-1]] == joined
    assert row.completion[-1] == tokenizer.eos_token_id
    # What is learnt holds all of the completion, and more only where a token straddles the boundary.
    learnt = tokenizer.decode(row.completion[:-1]).lstrip()
    assert learnt.endswith(completion.lstrip())
    if not row.merged:
        assert learnt == completion.lstrip()


def test_a_straddling_token_is_told(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["a dummy prefix before the first text"]
    clean, space = rows_of(tokenizer, [PAIRS[1], PAIRS[0]], eos=False)
    assert (clean.merged, space.merged) == (False, True)
    assert (clean.prompt, clean.completion) == (space.prompt, space.completion)
    [half] = rows_of(tokenizers["bytes"], [PAIRS[2]], eos=False)
    assert half.merged
