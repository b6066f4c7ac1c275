"""Whether a model id names a base model or a chat model, and the reason.

A base model is told by family and size alone: a line of `model_lines`, and behind it nothing but
`-base`, `-hf`, a version, a date or a context length. A word that says more may say anything, so such a
model "may be" a base model. A chat model is told by a word that publishers keep for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from cleanguard.catalogue.model_lines import SIZE, Standing, lines

__all__ = ["Judgement", "Standing", "is_not_causal", "judge", "last_part", "standing_of"]

_CHAT_WORD = re.compile(
    r"(^|[-_.])(\w*instruct\w*|inst|\w*chat(?!ml)\w*|chatml|it|sft|dpo|ppo|orpo|kto|simpo|rlhf|rlvr|rl|(?<!fine.)tuned|assistant|"
    r"zephyr|vicuna|alpaca|\w*hermes|capybara|tulu|thinking|think|reasoner|reasoning|dolphin|orca|guanaco|"
    r"wizard(?:lm|math|coder|vicuna)?|koala|baize|dolly|starling|beluga|stablebeluga|openassistant|oasst\d?|"
    r"airoboros|platypus\d?|samantha|nous-capybara|raven|r1|qwq|instructed|aligned|abliterated|uncensored|"
    r"\w*openorca|openbuddy|openthinker|gpt4all|pygmalion|metharme|ultralm|metamath|mammoth|magicoder|octocoder|"
    r"synthia|orz|simplerl)(?=$|[-_.]|v?\d)"
)
# Who names a folder of one's own so has tuned it, to whatever end.
_OWN_TUNED = re.compile(r"(my[-_])?tuned([-_]models?)?")
_BASE_WORD = frozenset({"base", "pt", "pretrained", "pretrain"})
# A version, a date, a context length, a number of training tokens, the format of the weights.
_NEUTRAL = re.compile(
    r"v?\d+(?:\.\d+)*(?:b(?=$))?|\d+k|\d+m(?=$)|hf|\d+t|ft0|preview|exp|(?:stage|step|iter)\d+\w*|\d{4,8}|"
    + SIZE
)
# Who stores the same weights otherwise says how: a quantization, a number type, a library's files.
_FORMAT = re.compile(
    r"gptq|awq|gguf|ggml|exl2|bnb|hqq|mlx|aqlm|quip|e8p|qat|unsloth|\d{1,2}-?bits?|nf4|fp\d+|bf16|int\d|w\d+a\d+|"
    r"q\d|\dx\d+|safetensors|dynamic|sharded"
)
# Earlier checkpoints of a pretraining; of a chat model they may come from any part of its training.
_CHECKPOINT = re.compile(r"intermediate|checkpoints?|early|training|seed\d+")
# With one of these, a `-base` tells what a model was made from.
_CHANGED = re.compile(
    r"(^|[-_.])(\w*tun(?:ed?|ing)|ft|merged?|q?lora|adapter|distill\w*|reward|rm|guard\w*|rp|roleplay|pruned|"
    r"classif\w*|tts|asr|mt|\w*coref)(?=$|[-_.]|\d)"
)
_ANY_SIZE = re.compile(rf"(^|[-_]){SIZE}(?=$|[-_])")
# Names whose words mean something else than they say.
_EXCEPTIONS: tuple[tuple[re.Pattern[str], Standing, str], ...] = (
    (re.compile(r"ernie-4\.5-.*-base-pt$"), "base", "-PT is PyTorch here, -Base says it"),
    (
        re.compile(r"ernie-4\.5-.*-pt$"),
        "chat",
        "-PT is PyTorch here; the bare name is post-trained",
    ),
    (re.compile(r"(?:.*-)?rwkv.*raven"), "chat", "Raven is tuned on instructions"),
    (re.compile(r"glm-4-32b-base-0414$"), "base", "-Base says it"),
    (
        re.compile(r"chatglm\d-\d+b-base$"),
        "base",
        "-Base says it; the name of the line holds `chat`",
    ),
    (re.compile(r"bitnet_?b1_58-(?:large|xl|3b)$"), "base", "a reproduction, pretrained only"),
)
# Encoders, sequence-to-sequence, speech, vision and embedding models: no prompt is completed by them.
_NOT_CAUSAL = re.compile(
    r"(^|[-_./])(\w*bert\w*|\w*roberta\w*|electra|albert|xlnet|xlm|mpnet|minilm|t5|\w*t5\w*|flan|mt0|ul2|m?bart|"
    r"mbart\w*|\w*bart|pegasus|led|bge|gte|e5|jina|nomic|\w*embed\w*|\w*rerank\w*|sbert|simcse|whisper|wav2vec2|"
    r"clip|siglip|vit|blip2?|layoutlm\w*|opus|nllb|m2m100|marian|muril\w*|canine|longformer|bigbird|prophetnet|"
    r"madlad400|donut|trocr|perceiver|funnel|rembert|ernie-[23]\.0|infoxlm|indictrans\w*)(?=$|[-_.\d])"
)
# Their checkpoints read images or sound: no causal LM of text alone.
_NOT_TEXT = re.compile(
    r"(^|[-_.\d])(vl|vision|audio|omni|multimodal|llava|smolvlm|paligemma\w*|ocr)(?=$|[-_.\d])"
)
_MODEL_ID = re.compile(r"^[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)?/?$")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a name says about a model, and why."""

    standing: Standing
    reason: str


def is_not_causal(model_id: str) -> bool:
    """Whether an id names a model of another kind: an encoder, a translator, an embedder."""
    return _NOT_CAUSAL.search(last_part(model_id)) is not None


def standing_of(
    model_id: str, base_models: tuple[str, ...] = (), chat_models: tuple[str, ...] = ()
) -> Standing:
    """Whether a model id names a base or a chat model; `judge` without the reason."""
    return judge(model_id, base_models, chat_models).standing


def judge(
    model_id: str, base_models: tuple[str, ...] = (), chat_models: tuple[str, ...] = ()
) -> Judgement:
    """Whether a model id names a base or a chat model, and what tells it.

    Args:
        model_id: A hub id such as `Qwen/Qwen2.5-32B`, or a path.
        base_models: Shell-style patterns from the configuration that win over the built-in data.
        chat_models: The same for chat models; wins over `base_models`.
    """
    if any(fnmatchcase(model_id, pattern) for pattern in chat_models):
        return Judgement("chat", "the settings' `chat-models` name it")
    if any(fnmatchcase(model_id, pattern) for pattern in base_models):
        return Judgement("base", "the settings' `base-models` name it")
    return _judged(model_id)


def says_chat(piece: str) -> bool:
    """Whether a part of a name holds a word that publishers keep for a tuned model."""
    return _CHAT_WORD.search(piece.lower()) is not None


def last_part(model_id: str) -> str:
    """The name of a model without its owner or folder, lower-cased."""
    return model_id.rstrip("/").rsplit("/", 1)[-1].lower()


@lru_cache(maxsize=4096)
def _judged(model_id: str) -> Judgement:
    name = last_part(model_id)
    is_path = not _MODEL_ID.match(model_id)
    for pattern, standing, reason in _EXCEPTIONS:
        if pattern.match(name):
            return Judgement("unknown" if is_path and standing == "base" else standing, reason)
    word = _CHAT_WORD.search(name)
    if word is not None and re.search("[-_]base$", name):
        return Judgement(
            "unknown", f"`{word[2]}` is a word for a tuned model, `base` for one that is not"
        )
    if word is not None and not _OWN_TUNED.fullmatch(name):
        return Judgement("chat", f"`{word[2]}` is a word for a tuned model")
    if is_path:
        return Judgement("unknown", "a path: its last folder's name is the user's")
    if _NOT_CAUSAL.search(name) or _NOT_TEXT.search(name):
        return Judgement("unknown", "a model of another kind")
    return _by_line(name)


def _by_line(name: str) -> Judgement:
    for line in lines():
        match = line.pattern.match(name)
        if match is None or name[match.end() : match.end() + 1] not in ("", "-", "_"):
            continue
        words = [word for word in re.split("[-_]", name[match.end() :]) if word]
        says_base = any(word in _BASE_WORD for word in words)
        said = None if line.bare == "base" and not says_base else line.bare
        other = [word for word in words if not _is_plain(word, said)]
        if other:
            return _by_base_word(name, f"`{other[0]}` says more than family, size and version")
        if says_base:
            return Judgement("base", "family, size and a word for pretrained weights")
        return Judgement(line.bare, line.why)
    return _by_base_word(name, "the name tells nothing that is known")


def _is_plain(word: str, said: Standing | None = "base") -> bool:
    """Whether a word behind family and size says nothing of how a model was trained further.

    Args:
        word: A part of the name.
        said: What the rest says in so many words; None where a base model is told by its bare name, which
            somebody who stores it otherwise may have changed besides.
    """
    if word in _BASE_WORD or _NEUTRAL.fullmatch(word):
        return True
    if _FORMAT.fullmatch(word):
        return said is not None
    return said != "chat" and _CHECKPOINT.fullmatch(word) is not None


def _by_base_word(name: str, otherwise: str) -> Judgement:
    """A name of no known line, or with more words: its publisher may say `-base` behind a size."""
    words = [word for word in re.split("[-_]", name) if word]
    said = [at for at, word in enumerate(words) if word in _BASE_WORD - {"pt"}]
    if (
        said
        and _ANY_SIZE.search(name)
        and not _CHANGED.search(name)
        and all(map(_is_plain, words[said[-1] :]))
    ):
        return Judgement("base", "a size and a word for pretrained weights")
    return Judgement("unknown", otherwise)
