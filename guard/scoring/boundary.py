"""Where a continuation begins among the tokens of prompt and continuation together.

The rule: the ids are those of the joined text, and the continuation's tokens are those that hold at
least one character of it. So a model sees what it would see in a text, and a token across the
boundary (a space that the prompt ends in, half of a word) is scored with the continuation. Tokenising
both sides alone gives ids that no text has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guard.errors import SettingsError
from guard.prompts.encoding import encode_rows, text_ids

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
    if not isinstance(prompt, str) or not isinstance(continuation, str) or not continuation:
        raise SettingsError(
            f"a continuation is {continuation!r}", remedy="prompt and continuation are texts, the "
            "continuation not empty",
        )  # fmt: skip
    [row] = encode_rows(tokenizer, policy, [prompt + continuation], max_length=most, lifted=lifted)
    before = len(policy.prefix)
    plain = row[before:]
    at, borrowed = _start(tokenizer, policy, prompt, continuation, plain)
    if at >= len(plain):
        raise SettingsError(
            f"the continuation {continuation!r} gives no token after this prompt",
            remedy="the tokenizer takes it away (its normaliser strips it): score a text with words",
        )
    context = list(policy.prefix)
    if not context and at == 0:
        context = [first_context(policy)]
    return Pair((*context, *plain), len(context) + at, borrowed)


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


def _start(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    prompt: str,
    continuation: str,
    ids: list[int],
) -> tuple[int, str]:
    """The number of the first token with a character of the continuation, and what else it holds."""
    if not prompt:
        return 0, ""
    spans = _spans(tokenizer, prompt + continuation, ids)
    if spans is None:
        return _common(text_ids(tokenizer, prompt, policy.special_tokens), ids), ""
    at = next((n for n, (_, end) in enumerate(spans) if end > len(prompt)), len(spans))
    first = spans[at][0] if at < len(spans) else len(prompt)
    return at, prompt[first:]


def _spans(
    tokenizer: PreTrainedTokenizerBase, text: str, ids: list[int]
) -> list[tuple[int, int]] | None:
    """The characters of each token, from and to; None from a tokenizer that does not know them."""
    if not getattr(tokenizer, "is_fast", False):
        return None
    found: Any = tokenizer(
        text,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        verbose=False,
        return_offsets_mapping=True,
    )
    return list(found["offset_mapping"]) if list(found["input_ids"]) == ids else None


def _common(alone: list[int], ids: list[int]) -> int:
    """How many ids the joined text begins with that the prompt alone begins with as well."""
    pairs = zip(alone, ids, strict=False)
    differ = (number for number, (one, other) in enumerate(pairs) if one != other)
    return next(differ, min(len(alone), len(ids)))
