"""How likely continuations are after a prompt: what multiple-choice questions are decided by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guard.enforcing.passing import is_lifted
from guard.errors import SettingsError
from guard.files.request import SpecialTokens
from guard.prompts.encoding import with_special_tokens
from guard.prompts.pairing import matching_policy
from guard.prompts.state import look_at, state_of
from guard.scoring.boundary import Pair, pairs_of
from guard.scoring.rows import Row, RowScore, score_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from guard.prompts.policy import PromptPolicy

Measure = Literal["total", "per_token", "per_byte"]


@dataclass(frozen=True, slots=True)
class Score:
    """How likely a model finds one continuation of a prompt. Logarithms are natural ones.

    Attributes:
        continuation: The text.
        context: Ids before it, BOS included.
        ids: Its ids, as they stand in the joined text.
        logprobs: The log-probability of each of them after all before it.
        is_greedy: No other token is more likely at any of them: greedy decoding may write it.
        ties: At how many of them another token is exactly as likely as the best one; greedy decoding
            then depends on the order of the vocabulary. Usual in bfloat16.
        borrowed: The end of the prompt that its first token holds as well (a space, half of a word).
    """

    continuation: str
    context: tuple[int, ...]
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    is_greedy: bool
    ties: int
    borrowed: str

    @property
    def total(self) -> float:
        """The log-probability of the whole continuation."""
        return math.fsum(self.logprobs)

    @property
    def per_token(self) -> float:
        """`total` by the number of tokens."""
        return self.total / len(self.ids)

    @property
    def per_byte(self) -> float:
        """`total` by the bytes of the continuation in UTF-8: the same for every tokenizer."""
        return self.total / len(self.continuation.encode())


def score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    continuations: Sequence[str],
    *,
    batch_size: int | None = None,
    special_tokens: SpecialTokens | None = None,
) -> list[Score]:
    """Score continuations of one prompt.

    Args:
        model, tokenizer: As `load()` returned them, or a model with adapters.
        prompt: Plain text; may be empty.
        continuations: Plain texts, none empty. They are joined to the prompt as they stand: a space
            between the two belongs to one of them.
        batch_size: Rows at a time; None begins with 32. Halved when memory is full.
        special_tokens: As in `encode`.

    Returns:
        One `Score` per continuation, in their order.

    Raises:
        SettingsError: What is passed is no text, or nothing.
        ContaminationError, DoubledBosError: A text holds control tokens, or spells out BOS.
        TruncatedPromptError: A text is longer than the model's context; nothing is cut.
        BrokenModelError: The model's scores are NaN or infinite; the layer is named.
        TokenizerMismatchError, UnguardedModelError: The tokenizer or model is another one.
        MemoryFullError: One text alone does not fit.
    """
    [found] = score_batch(
        model,
        tokenizer,
        [(prompt, continuations)],
        batch_size=batch_size,
        special_tokens=special_tokens,
    )
    return found


def score_batch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Iterable[tuple[str, Sequence[str]]],
    *,
    batch_size: int | None = None,
    special_tokens: SpecialTokens | None = None,
) -> list[list[Score]]:
    """Score continuations of many prompts; raises as `score`.

    Args:
        model, tokenizer, batch_size, special_tokens: As in `score`.
        questions: Prompts, each with its continuations.

    Returns:
        The scores of each question, in their order.
    """
    state = state_of(model)
    refuse_size(batch_size)
    asked = _prepared(model, tokenizer, questions, special_tokens)
    policy = matching_policy(tokenizer, state)
    return asked.scores(score_rows(model, asked.rows, policy.pad_id or 0, batch_size=batch_size))


def check_questions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Iterable[tuple[str, Sequence[str]]],
    *,
    special_tokens: SpecialTokens | None = None,
) -> Asked:
    """The questions as ids; raises what `score_batch` would, without asking the model."""
    return _prepared(model, tokenizer, questions, special_tokens)


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions as ids, whatever is to read them.

    Attributes:
        texts: The continuations of each.
        pairs: The ids of each continuation in its place, one question after the other.
    """

    texts: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]

    @property
    def rows(self) -> list[Row]:
        """What is read; rows of one question are a family."""
        families = (number for number, texts in enumerate(self.texts) for _ in texts)
        pairs = zip(self.pairs, families, strict=True)
        return [Row(pair.ids, pair.start, family) for pair, family in pairs]

    def alike(self) -> Iterator[tuple[int, int, int]]:
        """Questions with two continuations of the same ids, and the numbers of the two."""
        pairs = iter(self.pairs)
        for number, texts in enumerate(self.texts):
            seen: dict[tuple[int, ...], int] = {}
            for at, pair in zip(range(len(texts)), pairs, strict=False):
                if pair.ids in seen:
                    yield number, seen[pair.ids], at
                seen.setdefault(pair.ids, at)

    def scores(self, rows: Sequence[RowScore]) -> list[list[Score]]:
        """The scores of each question, from those of the rows."""
        read = iter(zip(self.pairs, rows, strict=True))
        return [
            [_score(text, pair, row) for text, (pair, row) in zip(texts, read, strict=False)]
            for texts in self.texts
        ]


def asked_of(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    questions: Iterable[tuple[str, Sequence[str]]],
    *,
    most: int | None,
    lifted: bool = False,
) -> Asked:
    """Tokenise questions.

    Args:
        tokenizer, policy: Of what reads them.
        questions: Prompts, each with its continuations.
        most: Most ids of a prompt with a continuation.
        lifted: Whether control tokens are let through.

    Raises:
        GuardError: As `score`, of the texts.
    """
    asked = [(prompt, _texts(continuations)) for prompt, continuations in questions]
    flat = [(prompt, text) for prompt, texts in asked for text in texts]
    pairs = pairs_of(tokenizer, policy, flat, most=most, lifted=lifted)
    return Asked(tuple(tuple(texts) for _, texts in asked), tuple(pairs))


def _prepared(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Iterable[tuple[str, Sequence[str]]],
    special_tokens: SpecialTokens | None,
) -> Asked:
    state = state_of(model)
    policy = with_special_tokens(tokenizer, matching_policy(tokenizer, state), special_tokens)
    look_at(model)
    context = state.provenance.model.context
    # The last token is asked about and never read.
    most = None if context is None else context + 1
    return asked_of(tokenizer, policy, questions, most=most, lifted=is_lifted(state))


def _score(text: str, pair: Pair, row: RowScore) -> Score:
    return Score(
        continuation=text,
        context=pair.ids[: pair.start],
        ids=pair.ids[pair.start :],
        logprobs=row.logprobs,
        is_greedy=all(row.best),
        ties=row.ties,
        borrowed=pair.borrowed,
    )


def best_of(scores: Sequence[Score], by: Measure = "total") -> tuple[int, ...]:
    """The numbers of the most likely continuations: one, or all that share the first place.

    An argmax would take the first of them, and give a model that finds all alike the marks of
    whatever stands first.
    """
    values = [getattr(one, by) for one in scores]
    return tuple(number for number, value in enumerate(values) if value == max(values))


def _texts(continuations: Sequence[str]) -> list[str]:
    if isinstance(continuations, (str, bytes, Mapping)) or not isinstance(continuations, Iterable):
        raise SettingsError(
            f"continuations are {type(continuations).__name__}, not a list of texts",
            remedy="pass [continuation] for a single one",
        )
    found = list(continuations)
    if not found:
        raise SettingsError("there is no continuation", remedy="pass at least one text")
    return found


def refuse_size(batch_size: int | None) -> None:
    """Raise SettingsError for a batch size that is no whole number from 1."""
    if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
        raise SettingsError(
            f"batch_size={batch_size!r}", remedy="batch_size is a whole number from 1"
        )
