"""Every lint rule, in the order of the catalogue. A file that is not listed here fails a test."""

from __future__ import annotations

from lint_rules import (
    chat_model_as_base,
    control_token_literal,
    double_bos,
    pickle_weights,
    quantization_by_hand,
    raw_generate,
    raw_model_load,
    raw_tokenizer_load,
    remote_code,
    silent_truncation,
    stray_no_special_tokens,
    template_disabled_by_hand,
    template_on_base,
    unpinned_revision,
)
from lint_rules.rule import Rule

RULES: tuple[Rule, ...] = (
    raw_model_load.RULE,
    raw_tokenizer_load.RULE,
    template_disabled_by_hand.RULE,
    quantization_by_hand.RULE,
    unpinned_revision.RULE,
    remote_code.RULE,
    pickle_weights.RULE,
    chat_model_as_base.RULE,
    stray_no_special_tokens.RULE,
    double_bos.RULE,
    template_on_base.RULE,
    control_token_literal.RULE,
    silent_truncation.RULE,
    raw_generate.RULE,
)
