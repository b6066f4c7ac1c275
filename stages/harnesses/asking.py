"""Puts a harness' requests to a guarded model: pairs of texts, whole texts, prompts to go on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from guard.enforcing.passing import is_lifted
from guard.errors import GuardError, SettingsError
from guard.prompts.encoding import encode_rows
from guard.prompts.pairing import matching_policy
from guard.prompts.state import look_at, state_of
from guard.scoring.boundary import Pair, pairs_of
from guard.scoring.rows import Row, score_rows

if TYPE_CHECKING:
    from guard.prompts.policy import PromptPolicy

_Found = TypeVar("_Found")
# What a model may read where its config does not say; as lm-evaluation-harness has it.
USUAL_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class Asked:
    """A guarded model, its tokenizer, and how much it may read at once.

    Attributes:
        model, tokenizer: As `load()` returned them, or a model with adapters.
        length: Most positions, at most what the model was made for.
        batch_size: Rows at a time; None begins with the guard's own number.
    """

    model: Any
    tokenizer: Any
    length: int
    batch_size: int | None

    @property
    def policy(self) -> PromptPolicy:
        """The rules for prompts."""
        return matching_policy(self.tokenizer, state_of(self.model))


@dataclass(frozen=True, slots=True)
class Scored:
    """The log-likelihood of one continuation.

    Attributes:
        total: Its natural logarithm.
        greedy: No other token is more likely at any place.
        cut: How many ids of the context were left out, from the left.
    """

    total: float
    greedy: bool
    cut: int


def length_of(model: Any, asked: int | None) -> int:
    """How many positions to read: what was asked for, or what the model was made for.

    Raises:
        SettingsError: More than the model was made for.
    """
    made_for = state_of(model).provenance.model.context
    if asked is not None and made_for is not None and asked > made_for:
        raise SettingsError(
            f"max_length={asked}, and the model was made for {made_for} positions",
            remedy=f"max_length={made_for} or less, or leave it out",
        )
    return asked or made_for or USUAL_LENGTH


def score_pairs(
    asked: Asked, pairs: Sequence[tuple[str, str]], named: Callable[[int], str]
) -> list[Scored]:
    """Score continuations; a context that does not fit is cut from the left, behind BOS.

    Args:
        asked: The model.
        pairs: Contexts, which may be empty, and continuations.
        named: What a message calls the pair of a number.

    Raises:
        GuardError: As `guard.scoring.continuations.score`, with the name of the pair.
    """
    look_at(asked.model)
    policy, lifted = asked.policy, is_lifted(state_of(asked.model))

    def fitted(some: Sequence[tuple[str, str]]) -> list[tuple[Pair, int]]:
        made = pairs_of(asked.tokenizer, policy, some, lifted=lifted)
        return [_fitted(pair, policy.prefix, asked.length) for pair in made]

    try:
        found = fitted(pairs)
    except GuardError:
        # One by one only to say whose fault it is.
        for number, pair in enumerate(pairs):
            told(lambda _, number=number: named(number), lambda pair=pair: fitted([pair]))  # type: ignore[misc]
        raise
    # Continuations of one context begin alike, unless it was cut: then each begins elsewhere.
    families: dict[str, int] = {}
    rows = [
        Row(pair.ids, pair.start, None if cut else families.setdefault(context, len(families)))
        for (pair, cut), (context, _) in zip(found, pairs, strict=True)
    ]
    scored = score_rows(asked.model, rows, policy.pad_id or 0, batch_size=asked.batch_size)
    return [
        Scored(sum(row.logprobs), all(row.best), cut)
        for (_, cut), row in zip(found, scored, strict=True)
    ]


def fitting_prompt(asked: Asked, prompt: str, room: int) -> tuple[str, int]:
    """The end of a prompt that fits into `room` tokens, BOS included, and how many were left out.

    It is cut between tokens, and is a text again: the model sees what it sees of any other.

    Raises:
        GuardError: As `encode`.
        SettingsError: There is no room.
    """
    policy, lifted = asked.policy, is_lifted(state_of(asked.model))

    def length(text: str) -> int:
        return len(encode_rows(asked.tokenizer, policy, [text], lifted=lifted)[0])

    before = tokens = length(prompt)
    if tokens > room and room <= len(policy.prefix):
        raise SettingsError(
            f"there is no room for a prompt: the model reads {asked.length} positions",
            remedy="ask for fewer new tokens (max_gen_toks)",
        )
    while tokens > room:
        ends = _starts(asked.tokenizer, prompt)
        cut = next((at for at in ends[tokens - room :] if at), len(prompt))
        prompt = prompt[cut:]
        tokens = length(prompt)
    return prompt, before - tokens


def told(named: Callable[[int], str], ask: Callable[[], _Found]) -> _Found:
    """Do something; an error of the guard's says for what.

    Args:
        named: What to call the request of a number, as the error has it; 0 where it has none.
        ask: What is done.
    """
    try:
        return ask()
    except GuardError as error:
        number = error.evidence.get("prompt", 0)
        name = named(number if isinstance(number, int) else 0)
        said = f"{name}: {error.args[0]}"
        raise type(error)(said, evidence=error.evidence, remedy=error.remedy) from error


def _fitted(pair: Pair, prefix: tuple[int, ...], length: int) -> tuple[Pair, int]:
    # The last token is asked about and never read.
    cut = len(pair.ids) - (length + 1)
    if cut <= 0:
        return pair, 0
    kept = prefix if pair.ids[: len(prefix)] == prefix else ()
    start = pair.start - cut
    if start < max(1, len(kept)):
        raise SettingsError(
            f"the continuation has {len(pair.ids) - pair.start} tokens and the model reads {length}",
            remedy="score it as a whole text (loglikelihood_rolling), or shorten it",
        )
    return replace(pair, ids=(*kept, *pair.ids[len(kept) + cut :]), start=start), cut


def _starts(tokenizer: Any, text: str) -> list[int]:
    """Where each token begins, in characters."""
    if not getattr(tokenizer, "is_fast", False):
        raise SettingsError(
            "a prompt does not fit, and this tokenizer does not say where its tokens begin",
            remedy="shorten the prompts of the task, or install the model's fast tokenizer",
        )
    found = tokenizer(
        text, add_special_tokens=False, truncation=False, verbose=False, return_offsets_mapping=True
    )
    return [int(begin) for begin, _ in found["offset_mapping"]]
