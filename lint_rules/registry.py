"""Every lint rule, in the order of the catalogue. A file that is not listed here fails a test."""

from __future__ import annotations

from lint_rules import (
    quantization_by_hand,
    raw_generate,
    raw_model_load,
    raw_tokenizer_load,
    stray_no_special_tokens,
    template_disabled_by_hand,
)
from lint_rules.rule import Rule

RULES: tuple[Rule, ...] = (
    raw_model_load.RULE,
    raw_tokenizer_load.RULE,
    template_disabled_by_hand.RULE,
    quantization_by_hand.RULE,
    stray_no_special_tokens.RULE,
    raw_generate.RULE,
)
