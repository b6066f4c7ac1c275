"""What the catalogue calls measured about first tokens, measured: templates that trl ships, mistral-common."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cleanguard.catalogue.begin_tokens import _PUBLISHED, beginning_of

# Found and not imported: that would load torch for a few small files.
_TRL = find_spec("trl")
COPIES = Path(str(_TRL.origin if _TRL else "")).parent / "chat_templates"
TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]


def rendered(name: str) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = ValueError
    environment.globals["strftime_now"] = lambda _: "1 January 2026"
    template = environment.from_string((COPIES / f"{name}.jinja").read_text(encoding="utf-8"))
    return template.render(messages=TURNS, bos_token="<BOS>", eos_token="<EOS>")


@pytest.mark.skipif(_TRL is None, reason="trl, which ships the templates, is not installed")
@pytest.mark.parametrize(
    ("copy", "model"),
    [
        ("llama3", "meta-llama/Meta-Llama-3-8B-Instruct"),
        ("llama3_1", "meta-llama/Llama-3.1-8B-Instruct"),
        ("llama3_2", "meta-llama/Llama-3.2-1B-Instruct"),
        ("gemma", "google/gemma-2-9b-it"),
        ("gemma3", "google/gemma-3-4b-it"),
        ("cohere", "CohereForAI/c4ai-command-r-v01"),
        ("qwen2_5", "Qwen/Qwen2.5-7B-Instruct"),
        ("qwen3", "Qwen/Qwen3-8B"),
    ],
)
def test_a_published_template(copy: str, model: str) -> None:
    writes = "yes" if rendered(copy).startswith("<BOS>") else "no"
    assert beginning_of(model).template == writes


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_mistrals_own_encoding_begins_with_bos(version: str) -> None:
    pytest.importorskip("mistral_common")
    from mistral_common.protocol.instruct.messages import UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    tokenizer = getattr(MistralTokenizer, version)()
    asked = ChatCompletionRequest(messages=[UserMessage(content="Hi")])
    ids = tokenizer.encode_chat_completion(asked).tokens
    assert ids[0] == tokenizer.instruct_tokenizer.tokenizer.bos_id
    assert ids.count(ids[0]) == 1
    assert beginning_of(f"mistralai/Mistral-7B-Instruct-v0.{version[1]}").template == "yes"


def test_every_entry_says_how_it_is_known() -> None:
    for pattern, found in _PUBLISHED:
        assert found.source, pattern
        if found.evidence == "stated":
            assert any(
                len(word) >= 10 and word.strip(",").isalnum() for word in found.source.split()
            )
        assert found.is_sure == (found.evidence != "remembered")
    sure = [found for _, found in _PUBLISHED if found.is_sure]
    assert len(sure) >= 6
    # What nobody looked at is no error: the rules ask `is_sure`.
    assert not beginning_of("openchat/openchat-3.5-0106").is_sure
