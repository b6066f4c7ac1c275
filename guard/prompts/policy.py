"""What a prompt for a tokenizer must look like, measured on the tokenizer itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from guard.base.vocabulary import Vocabulary
from guard.errors import SettingsError
from guard.files.request import BosChoice, SpecialTokens
from guard.prompts.bos import BosSource, decide_bos
from guard.prompts.choice import choice_of
from guard.prompts.control_tokens import ControlSet, control_set_of
from guard.prompts.families import family_by_tokens
from guard.prompts.templates import template_hashes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class PromptPolicy:
    """The rules for prompts of one tokenizer.

    Attributes:
        family: The family that its tokens show; None if they tell nothing.
        prefix: The ids that every prompt begins with: the family's BOS, once, or nothing. Several ids
            belong together.
        bos_source: The tokenizer adds BOS itself, it was inserted because the family needs it and
            this file does not add it, the caller asked for it, or there is none.
        eos_id: The end-of-text id; None if unknown.
        pad_id: The id that fills a batch; None if the tokenizer has none.
        control: What must not occur in a prompt.
        digest: sha256 of the tokenizer without its padding and truncation state.
        bos_asked: What the caller said: `auto`, `add` or `none`.
        bos_evidence: What was weighed for BOS, in words.
        bos_doubt: What that evidence leaves open; empty if it agrees.
        special_tokens: Whether the spelling of a special token is refused in a prompt, or is text.
    """

    family: str | None
    prefix: tuple[int, ...]
    bos_source: BosSource
    eos_id: int | None
    pad_id: int | None
    control: ControlSet
    digest: str
    bos_asked: BosChoice = "auto"
    bos_evidence: tuple[str, ...] = ()
    bos_doubt: str = ""
    special_tokens: SpecialTokens = "refuse"

    @property
    def bos_id(self) -> int | None:
        """The first id of every prompt; None where the family has none."""
        return self.prefix[0] if self.prefix else None


_known: WeakKeyDictionary[Any, tuple[object, PromptPolicy]] = WeakKeyDictionary()
# By content: the same tokenizer loaded again need not be measured again.
_measured: dict[object, PromptPolicy] = {}
_MOST_KEPT = 32


def policy_of(tokenizer: PreTrainedTokenizerBase) -> PromptPolicy:
    """Measure a tokenizer; measured once while its tokens and templates stay the same.

    Raises:
        SettingsError: It is no tokenizer of transformers.
    """
    if not callable(tokenizer) or not hasattr(tokenizer, "added_tokens_decoder"):
        raise SettingsError(
            f"{type(tokenizer).__name__} was passed as the tokenizer",
            remedy="the order is model, tokenizer, prompt, and encode takes tokenizer, prompt",
        )
    known = _known.get(tokenizer)
    if known is not None and known[0] == _state(tokenizer):
        return known[1]
    digest = tokenizer_digest(tokenizer)
    content = (type(tokenizer), digest, _state(tokenizer))
    policy = _measured.get(content)
    if policy is None:
        with _as_left(tokenizer):
            policy = _measure(tokenizer, digest)
        if len(_measured) >= _MOST_KEPT:
            _measured.clear()
        _measured[content] = policy
    remember(tokenizer, policy)
    return policy


def remember(tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy) -> None:
    """Let a policy stand for a tokenizer as it is now."""
    _known[tokenizer] = (_state(tokenizer), policy)


@contextmanager
def _as_left(tokenizer: PreTrainedTokenizerBase) -> Iterator[None]:
    """Put back the padding and truncation of the last call, with which a tokenizer is saved."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        yield
        return
    truncation, padding = backend.truncation, backend.padding
    try:
        yield
    finally:
        backend.no_truncation()
        backend.no_padding()
        if truncation is not None:
            backend.enable_truncation(**truncation)
        if padding is not None:
            backend.enable_padding(**padding)


def _state(tokenizer: PreTrainedTokenizerBase) -> object:
    return (
        len(tokenizer),
        tuple(sorted(tokenizer.special_tokens_map.items(), key=str)).__repr__(),
        tuple(template_hashes(tokenizer).items()),
        getattr(tokenizer, "add_bos_token", None),
        choice_of(tokenizer),
    )


def _measure(tokenizer: PreTrainedTokenizerBase, digest: str) -> PromptPolicy:
    family = family_by_tokens(Vocabulary(tokenizer))
    control = control_set_of(tokenizer, family)
    choice = choice_of(tokenizer)
    bos = decide_bos(tokenizer, family, control, choice)
    return PromptPolicy(
        family=family.name if family else None,
        prefix=bos.prefix,
        bos_source=bos.source,
        eos_id=tokenizer.eos_token_id,
        pad_id=tokenizer.pad_token_id,
        # What every prompt begins with would be refused in all of them; a second one is a doubled BOS.
        control=control.without(bos.prefix),
        digest=digest,
        bos_asked=choice.bos,
        bos_evidence=bos.evidence,
        bos_doubt=bos.doubt,
        special_tokens=choice.special_tokens,
    )


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """sha256 of what decides a text's ids, without padding and truncation state, as hex.

    Chat templates are not part of it; they have hashes of their own.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        with _as_left(tokenizer):
            backend.no_truncation()
            backend.no_padding()
            canonical = backend.to_str()
    else:
        content = {"class": type(tokenizer).__name__, "vocabulary": tokenizer.get_vocab()}
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
