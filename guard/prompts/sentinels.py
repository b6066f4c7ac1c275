"""Token-level sentinels, at every load: plain prompts go in clean and chat is caught."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cleanguard.catalogue import hazards
from guard.base.checks import CheckList
from guard.errors import ContaminationError, DoubledBosError, GuardWarning, MissingBosError
from guard.prompts.encoding import encode_rows
from guard.prompts.policy import PromptPolicy
from guard.prompts.templates import GAP, chats_of, is_blocked, templates_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PROMPTS = ("The capital of France is", "2 + 2 =", "Instruction: Name two colors.\nResponse:")
_WORDS = "Name two colors."


def run_token_sentinels(
    tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy, checks: CheckList
) -> None:
    """Encode plain and rendered prompts and check what comes out.

    Raises:
        MissingBosError, DoubledBosError: A plain prompt does not begin with exactly the family's
            BOS.
    """
    for row in encode_rows(tokenizer, policy, _PROMPTS):
        wanted = len(policy.prefix)
        if tuple(row[:wanted]) != policy.prefix:
            raise MissingBosError("a plain prompt lost its BOS", evidence={"ids": row[:4]})
        if set(policy.prefix) & set(row[wanted:]):
            raise DoubledBosError("a plain prompt has two BOS", evidence={"ids": row[:4]})
    checks.add("plain-prompts-encode-clean", hazards.STRAY_NO_SPECIAL_TOKENS)
    _tell_bos(policy, checks)
    missed = [name for name in templates_of(tokenizer) if not _is_caught(tokenizer, policy, name)]
    silent = [
        name for name, text in templates_of(tokenizer).items() if not chats_of(tokenizer, text)
    ]
    if silent:
        said = (
            f"the template {', '.join(silent)} renders no chat here, so what it writes is not known"
        )
        checks.add("rendered-chat-is-caught", hazards.CONTROL_TOKEN_LITERAL, said, "recorded")
    elif missed:
        said = f"text rendered by the template {', '.join(missed)} is not told from plain text"
        checks.add("rendered-chat-is-caught", hazards.CONTROL_TOKEN_LITERAL, said, "recorded")
    else:
        checks.add("rendered-chat-is-caught", hazards.CONTROL_TOKEN_LITERAL)
    checks.add(
        "chat-template-is-blocked",
        hazards.TEMPLATE_ON_BASE,
        verdict="pass" if is_blocked(tokenizer) else "skipped",
    )


def _tell_bos(policy: PromptPolicy, checks: CheckList) -> None:
    """Record what BOS was decided by where that is open or was asked for; a doubt is also said aloud."""
    told = policy.bos_doubt or (
        "; ".join(policy.bos_evidence) if policy.bos_asked != "auto" else ""
    )
    checks.add(
        "bos-is-certain", hazards.STRAY_NO_SPECIAL_TOKENS, told, "recorded" if told else "pass"
    )
    if policy.bos_doubt and policy.bos_asked == "auto":
        warnings.warn(
            f'{policy.bos_doubt}; say bos="add" or bos="none" to settle it',
            GuardWarning,
            stacklevel=2,
        )


def _is_caught(tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy, name: str) -> bool:
    """Whether every chat that a template renders is refused as a prompt."""
    chats = chats_of(tokenizer, templates_of(tokenizer)[name])
    return all(_is_refused(tokenizer, policy, chat.replace(GAP, _WORDS)) for chat in chats)


def _is_refused(tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy, text: str) -> bool:
    try:
        # Without the BOS that opens it: that alone would be refused as doubled.
        encode_rows(tokenizer, policy, [text.removeprefix(tokenizer.bos_token or "")])
    except (ContaminationError, DoubledBosError):
        return True
    return False
