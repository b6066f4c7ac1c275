from __future__ import annotations

import copy
from typing import Any

from guard.base.checks import CheckList
from guard.prompts.policy import policy_of
from guard.prompts.sentinels import run_token_sentinels


def verdicts(tokenizer: Any) -> dict[str, str]:
    checks = CheckList()
    run_token_sentinels(tokenizer, policy_of(tokenizer), checks)
    return {check.name: check.verdict for check in checks.done()}


def test_the_embedded_model_passes(raw: tuple[Any, Any]) -> None:
    assert verdicts(raw[1])["rendered-chat-is-caught"] == "pass"
    # This tokenizer was loaded by hand, so its template is not blocked.
    assert verdicts(raw[1])["chat-template-is-blocked"] == "skipped"


def test_a_template_that_looks_like_prose_is_said_to_be_missed(raw: tuple[Any, Any]) -> None:
    tokenizer = copy.deepcopy(raw[1])
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }} {% endfor %}"
    assert verdicts(tokenizer)["rendered-chat-is-caught"] == "recorded"
    tokenizer.chat_template = "{{ raise_exception('no') }}"  # nobody knows what it would write
    assert verdicts(tokenizer)["rendered-chat-is-caught"] == "recorded"
