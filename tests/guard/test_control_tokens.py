from __future__ import annotations

import copy
from typing import Any

import pytest

from guard.errors import ContaminationError, GuardWarning
from guard.prompts.control_tokens import control_set_of, ends_a_turn
from guard.prompts.encoding import encode_rows
from guard.prompts.names import is_pretrained
from guard.prompts.policy import policy_of


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("<|im_end|>", True),
        ("<|eot_id|>", True),
        ("<end_of_turn>", True),
        ("<｜User｜>", True),
        ("[/INST]", True),
        ("<|endoftext|>", False),
        ("<|end_of_text|>", False),
        ("</s>", False),
        ("<bos>", False),
        ("<｜end▁of▁sentence｜>", False),
        (None, False),
    ],
)
def test_turn_tokens_are_told_from_document_ends(token: str | None, expected: bool) -> None:
    assert ends_a_turn(token) is expected


def test_the_embedded_models_control_tokens(raw: tuple[Any, Any]) -> None:
    control = control_set_of(raw[1])
    assert dict(control.tokens) == {1: "<|im_start|>", 2: "<|im_end|>"}
    assert control.markers == ()


def with_template(tokenizer: Any, template: str) -> Any:
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = template
    return changed


def test_a_template_without_ids_is_told_by_its_text(raw: tuple[Any, Any]) -> None:
    template = "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{% endif %}{% endfor %}"
    tokenizer = with_template(raw[1], template)
    policy = policy_of(tokenizer)
    assert policy.control.markers == ("[/INST]", "[INST]")
    with pytest.raises(ContaminationError):
        encode_rows(tokenizer, policy, ["[INST] hello [/INST]"])
    with pytest.warns(GuardWarning, match="INST"):
        encode_rows(tokenizer, policy, ["The marker [INST] opens an instruction."])


def test_a_template_that_refuses_everything_gives_nothing(raw: tuple[Any, Any]) -> None:
    tokenizer = with_template(raw[1], "{{ raise_exception('no') }}")
    assert [i for i, _ in control_set_of(tokenizer).tokens] == [1, 2]


def test_infilling_and_document_tokens_are_no_control_tokens(raw: tuple[Any, Any]) -> None:
    tokenizer = copy.deepcopy(raw[1])
    tokenizer.add_tokens(["<|fim_prefix|>", "<|repo_name|>", "<think>"])
    names = {name for _, name in control_set_of(tokenizer).tokens}
    assert names == {"<|im_start|>", "<|im_end|>", "<think>"}


@pytest.mark.parametrize(
    "token",
    ["<pr>", "<pr_diff_hunk>", "<issue_start>", "<jupyter_script>", "<code_to_intermediate>", "<EMAIL>", "<|startofpiece|>"],
)  # fmt: skip
def test_tokens_of_pretraining_formats_are_no_control_tokens(token: str) -> None:
    """StarCoder 2's pull requests and placeholders, GLM's pieces: base prompts hold them."""
    assert is_pretrained(token)
    assert not ends_a_turn(token)
