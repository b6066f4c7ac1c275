"""Perplexity of texts by token and by byte, with a window that rolls over longer ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guard.enforcing.passing import is_lifted
from guard.errors import SettingsError
from guard.files.request import SpecialTokens
from guard.prompts.encoding import encode_rows, with_special_tokens
from guard.prompts.pairing import matching_policy
from guard.prompts.state import look_at, state_of
from guard.scoring.boundary import first_context
from guard.scoring.continuations import refuse_size
from guard.scoring.rows import Row, RowScore, score_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from guard.prompts.policy import PromptPolicy

_USUAL_WINDOW = 2048


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely a text is, or several together.

    Attributes:
        logprob: The natural logarithm of its probability, the sum over its tokens.
        tokens: How many were scored: all of the text, BOS not.
        bytes: Bytes of the text in UTF-8.
        windows: In how many windows it was read.
    """

    logprob: float
    tokens: int
    bytes: int
    windows: int

    @property
    def by_token(self) -> float:
        """Perplexity by token; another tokenizer makes it another number."""
        return _exp(-self.logprob / self.tokens)

    @property
    def by_byte(self) -> float:
        """Perplexity by byte: comparable between tokenizers."""
        return _exp(-self.logprob / self.bytes)

    @property
    def bits_per_byte(self) -> float:
        """The binary logarithm of `by_byte`."""
        return -self.logprob / self.bytes / math.log(2)


@dataclass(frozen=True, slots=True)
class Perplexity(Likelihood):
    """The texts of a call together, weighted by their tokens (or bytes), and each by itself.

    Attributes:
        texts: One for each text, in their order.
        window: Most positions that were read at once.
        overlap: Tokens of the text that a later window reads before the first one that it scores.
    """

    texts: tuple[Likelihood, ...]
    window: int
    overlap: int


def perplexity(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    window: int | None = None,
    overlap: int | None = None,
    batch_size: int | None = None,
    special_tokens: SpecialTokens | None = None,
) -> Perplexity:
    """Score whole texts, every token of them once.

    The first token of a text comes after BOS, or after the end of a text where the family has no BOS.
    A text longer than the window is read in several, each of which begins with BOS where the family
    has it, and reads some tokens again before those that it scores.

    Args:
        model, tokenizer: As `load()` returned them, or a model with adapters.
        texts: Plain texts, none empty.
        window: Most positions at once; None takes the model's context, at most 2048.
        overlap: Tokens that a later window reads again, 1 or more; None is half of the window. 1
            is what lm-evaluation-harness does.
        batch_size: Windows at a time; None begins with 32. Halved when memory is full.
        special_tokens: As in `encode`.

    Raises:
        SettingsError: A text is none or empty; a window that holds no token beyond its overlap, or
            more positions than the model was made for.
        ContaminationError, DoubledBosError: A text holds control tokens, or spells out BOS.
        BrokenModelError: The model's scores are NaN or infinite; the layer is named.
        TokenizerMismatchError, UnguardedModelError: The tokenizer or model is another one.
        MemoryFullError: One window alone does not fit.
    """
    state = state_of(model)
    refuse_size(batch_size)
    read = _prepared(model, tokenizer, texts, window, overlap, special_tokens)
    policy = matching_policy(tokenizer, state)
    return read.perplexity(score_rows(model, read.rows, policy.pad_id or 0, batch_size=batch_size))


def check_texts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    window: int | None = None,
    overlap: int | None = None,
    special_tokens: SpecialTokens | None = None,
) -> None:
    """Raise what `perplexity` would of its texts, without asking the model."""
    _prepared(model, tokenizer, texts, window, overlap, special_tokens)


@dataclass(frozen=True, slots=True)
class Windows:
    """Texts as ids, cut into windows, whatever is to read them.

    Attributes:
        texts: The texts.
        parts: The windows of each.
        window, overlap: As in `Perplexity`.
    """

    texts: tuple[str, ...]
    parts: tuple[tuple[Row, ...], ...]
    window: int
    overlap: int

    @property
    def rows(self) -> list[Row]:
        """All windows, one text after the other; no row has more than `window` + 1 ids."""
        return [row for part in self.parts for row in part]

    def perplexity(self, rows: Sequence[RowScore]) -> Perplexity:
        """The likelihoods of the texts, from the scores of the windows."""
        scored = iter(rows)
        found = []
        for text, part in zip(self.texts, self.parts, strict=True):
            logprobs = [value for _ in part for value in next(scored).logprobs]
            whole = math.fsum(logprobs)
            found.append(Likelihood(whole, len(logprobs), len(text.encode()), len(part)))
        return Perplexity(
            logprob=math.fsum(one.logprob for one in found),
            tokens=sum(one.tokens for one in found),
            bytes=sum(one.bytes for one in found),
            windows=sum(one.windows for one in found),
            texts=tuple(found),
            window=self.window,
            overlap=self.overlap,
        )


def windows_of(
    tokenizer: PreTrainedTokenizerBase,
    policy: PromptPolicy,
    texts: Sequence[str],
    window: int | None,
    overlap: int | None,
    *,
    most: int | None,
    reads: str = "the model was made for",
    lifted: bool = False,
) -> Windows:
    """Tokenise texts and cut them into windows.

    Args:
        tokenizer, policy: Of what reads them.
        texts, window, overlap: As in `perplexity`.
        most: The largest window that can be read.
        reads: Whose limit that is, for the message.
        lifted: Whether control tokens are let through.

    Raises:
        GuardError: As `perplexity`, of the texts and sizes.
    """
    given = _given(texts)
    window, overlap = _sizes(window, overlap, most, len(policy.prefix), reads)
    encoded = encode_rows(tokenizer, policy, given, lifted=lifted)
    begin = list(policy.prefix) or [first_context(policy)]
    parts = (
        tuple(_windows(row[len(policy.prefix) :], begin, list(policy.prefix), window, overlap))
        for row in encoded
    )
    return Windows(tuple(given), tuple(parts), window, overlap)


def _prepared(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    window: int | None,
    overlap: int | None,
    special_tokens: SpecialTokens | None,
) -> Windows:
    state = state_of(model)
    policy = with_special_tokens(tokenizer, matching_policy(tokenizer, state), special_tokens)
    look_at(model)
    context = state.provenance.model.context
    return windows_of(
        tokenizer, policy, texts, window, overlap, most=context, lifted=is_lifted(state)
    )


def _windows(
    ids: list[int], begin: list[int], prefix: list[int], window: int, overlap: int
) -> Iterator[Row]:
    """Rows that score every id once; the last id of a row is not read, so one more fits than `window`."""
    done = min(len(ids), window - len(begin) + 1)
    yield Row((*begin, *ids[:done]), len(begin))
    room = window - len(prefix)
    while done < len(ids):
        end = min(len(ids), done + room - overlap + 1)
        start = max(0, end - room - 1)
        yield Row((*prefix, *ids[start:end]), len(prefix) + done - start)
        done = end


def _sizes(
    window: int | None, overlap: int | None, context: int | None, prefix: int, reads: str
) -> tuple[int, int]:
    for name, value in (("window", window), ("overlap", overlap)):
        if value is not None and (type(value) is not int or value < 1):
            raise SettingsError(f"{name}={value!r}", remedy=f"{name} is a whole number from 1")
    if window is not None and context is not None and window > context:
        raise SettingsError(
            f"window={window}, and {reads} {context} positions",
            remedy=f"window={context} or less",
        )
    width = window or min(context or _USUAL_WINDOW, _USUAL_WINDOW)
    again = max(1, width // 2) if overlap is None else overlap
    if width < prefix + again:
        raise SettingsError(
            f"window={width} with overlap={again}: no room for a token that is scored",
            remedy="take a larger window or a smaller overlap",
        )
    return width, again


def _given(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise SettingsError(
            f"texts are {type(texts).__name__}, not a list", remedy="pass [text] for a single one"
        )
    found = list(texts)
    if not found:
        raise SettingsError("there is no text", remedy="pass at least one")
    for number, text in enumerate(found):
        if not isinstance(text, str) or not text:
            raise SettingsError(f"text {number} is {text!r}", remedy="pass plain texts, none empty")
    return found


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
