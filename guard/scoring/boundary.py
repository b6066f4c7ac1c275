"""Where a continuation begins among the tokens of prompt and continuation together.

The rule: the ids are those of the joined text, and the continuation's tokens are those that hold at
least one character of it. So a model sees what it would see in a text, and a token across the
boundary (a space that the prompt ends in, half of a word) is scored with the continuation. Tokenising
both sides alone gives ids that no text has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.errors import SettingsError
from guard.prompts.encoding import encode_rows, text_ids, whole_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from guard.prompts.policy import PromptPolicy


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt and a continuation as ids.

    Attributes:
        ids: What the model reads and is asked about, BOS included.
        start: Where the continuation's first token stands in `ids`.
        borrowed: The end of the prompt that this token holds as well; empty where none straddles.
    """

    ids: tuple[int, ...]
    start: int
    borrowed: str


@dataclass(frozen=True, slots=True)
class Split:
    """A joined text as ids, without what the family puts before it.

    Attributes:
        ids: Of prompt and continuation together.
        at: The first of them that holds a character of the continuation.
        borrowed: As in `Pair`.
    """

    ids: tuple[int, ...]
    at: int
    borrowed: str


def pair_of(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    prompt: str,
    continuation: str,
    *,
    most: int | None = None,
    lifted: bool = False,
) -> Pair:
    """The ids of a prompt with a continuation, and the place where the continuation begins.

    Args:
        tokenizer, policy: Of the model.
        prompt, continuation: Plain texts; the prompt may be empty, and then the continuation follows
            BOS, or the end of a text where the family has no BOS.
        most: Most ids.
        lifted: Whether control tokens are let through.

    Raises:
        SettingsError: The continuation is empty, or gives no token of its own.
        ContaminationError, DoubledBosError, TruncatedPromptError: As `encode` does, of both together.
    """
    [found] = pairs_of(tokenizer, policy, [(prompt, continuation)], most=most, lifted=lifted)
    return found


def pairs_of(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    asked: Sequence[tuple[str, str]],
    *,
    most: int | None = None,
    lifted: bool = False,
) -> list[Pair]:
    """The same for many pairs, tokenised together; raises as `pair_of`."""
    found = []
    for split in splits_of(tokenizer, policy, asked, most=most, lifted=lifted):
        context = list(policy.prefix)
        if not context and split.at == 0:
            context = [first_context(policy)]
        found.append(Pair((*context, *split.ids), len(context) + split.at, split.borrowed))
    return found


def splits_of(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    asked: Sequence[tuple[str, str]],
    *,
    most: int | None = None,
    lifted: bool = False,
) -> list[Split]:
    """Joined texts as ids, without a prefix; raises as `pair_of`."""
    for prompt, continuation in asked:
        if not isinstance(prompt, str) or not isinstance(continuation, str) or not continuation:
            raise SettingsError(
                f"a continuation is {continuation!r}", remedy="prompt and continuation are texts, "
                "the continuation not empty",
            )  # fmt: skip
    if not asked:
        return []
    texts = [prompt + continuation for prompt, continuation in asked]
    spans = _spans(tokenizer, policy, texts)
    rows = encode_rows(
        tokenizer, policy, texts, max_length=most, lifted=lifted,
        known=[ids for ids, _ in spans] if spans else None,
    )  # fmt: skip
    found = []
    for number, (prompt, continuation) in enumerate(asked):
        ids = rows[number][len(policy.prefix) :]
        at, borrowed = _start(
            tokenizer, policy, prompt, len(continuation), ids, spans[number] if spans else None
        )
        if at >= len(ids):
            raise SettingsError(
                f"the continuation {continuation!r} gives no token after this prompt",
                remedy="the tokenizer takes it away (its normaliser strips it): score a text with words",
            )
        found.append(Split(tuple(ids), at, borrowed))
    return found


def first_context(policy: PromptPolicy) -> int:
    """What stands before the first token of a text: BOS, or the end of the text before it.

    Raises:
        SettingsError: The tokenizer has neither.
    """
    found = policy.prefix[-1] if policy.prefix else policy.eos_id
    if found is None:
        raise SettingsError(
            "the first token of a text has nothing before it: the tokenizer has no BOS and no EOS",
            remedy="give a prompt of at least one token",
        )
    return found


# Ids, and what tells the characters of each; a list of all of them would cost more than the search.
_Spans = tuple[list[int], Any]


def _start(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    prompt: str,
    length: int,
    ids: list[int],
    found: _Spans | None,
) -> tuple[int, str]:
    """The number of the first token with a character of the continuation, and what else it holds."""
    if not prompt:
        return 0, ""
    if found is None:
        return _common(text_ids(tokenizer, prompt, policy.special_tokens), ids), ""
    count, chars_of = len(found[0]), found[1].token_to_chars
    # Most tokens are the prompt's: the search begins near the end. A character has 4 bytes at most.
    begin = max(0, count - 4 * length - 8)
    if begin and chars_of(begin)[1] > len(prompt):
        begin = 0
    at = next((n for n in range(begin, count) if chars_of(n)[1] > len(prompt)), count)
    first = chars_of(at)[0] if at < count else len(prompt)
    return at, prompt[first:]


def _spans(
    tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy, texts: Sequence[str]
) -> list[_Spans] | None:
    """Ids with what knows the characters of each; None from a tokenizer that does not know them."""
    if not getattr(tokenizer, "is_fast", False) or not all(map(whole_text, texts)):
        return None
    split = {"split_special_tokens": True} if policy.special_tokens == "text" else {}
    found: Any = tokenizer(
        list(texts),
        add_special_tokens=False,
        truncation=False,
        padding=False,
        verbose=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        **split,
    )
    return list(zip(found["input_ids"], found.encodings, strict=True))


def _common(alone: list[int], ids: list[int]) -> int:
    """How many ids the joined text begins with that the prompt alone begins with as well."""
    pairs = zip(alone, ids, strict=False)
    differ = (number for number, (one, other) in enumerate(pairs) if one != other)
    return next(differ, min(len(alone), len(ids)))
