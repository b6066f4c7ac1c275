"""Whether a tokenizer is the one that a model was loaded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.errors import TokenizerMismatchError
from guard.prompts.policy import PromptPolicy, policy_of
from guard.prompts.state import GuardState

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def matching_policy(tokenizer: PreTrainedTokenizerBase, state: GuardState) -> PromptPolicy:
    """The rules for prompts of a tokenizer, which must be that of the load.

    Raises:
        TokenizerMismatchError: It is another one.
    """
    policy = policy_of(tokenizer)
    if policy.digest != state.policy.digest:
        raise TokenizerMismatchError(
            "this tokenizer is not the one that the model was loaded with",
            evidence={"tokenizer": policy.digest, "expected": state.policy.digest},
            remedy="use the tokenizer that `load()` returned with the model",
        )
    return policy
