"""BOS and chat formats that code writes into a prompt: taken out where that is certain, else left with the reason."""

from __future__ import annotations

import pytest

LLAMA = "meta-llama/Llama-3.1-8B"
SOURCE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tok = AutoTokenizer.from_pretrained("{name}")
model = AutoModelForCausalLM.from_pretrained("{name}")
prefix = tok.bos_token or ""
HEAD = f"{{tok.bos_token}}"


def with_bos(text):
    return tok.bos_token + text


def framed(text, start):
    return start + text


class Prompts:
    def __init__(self):
        self.start = tok.bos_token


parts = []
parts.append(tok.bos_token)
parts.append(p)
ids = tok({prompt}, return_tensors="pt"{keywords})
out = model.generate(**ids, max_new_tokens=5)
print(tok.decode(out[0], skip_special_tokens=True))
"""
BARE = ", add_special_tokens=False"
TAKEN_OUT = {
    "tok.bos_token + p": "p",
    'tok.bos_token + "Q: " + p + "\\nA:"': '"Q: " + p + "\\nA:"',
    'f"{tok.bos_token}{p}"': 'f"{p}"',
    'f"{tok.bos_token}Q: {p}"': 'f"Q: {p}"',
    "[tok.bos_token + p]": "p",
}
LEFT = [
    '"{}{}".format(tok.bos_token, p)',
    '"%s%s" % (tok.bos_token, p)',
    "prefix + p",
    "HEAD + p",
    '"".join([tok.bos_token, p])',
    '"".join(parts)',
    'tok.special_tokens_map["bos_token"] + p',
    'getattr(tok, "bos_token") + p',
    "tok.decode([tok.bos_token_id]) + p",
    "with_bos(p)",
    "framed(p, tok.bos_token)",
    "Prompts().start + p",
    '"<|begin_of_text|>" + p',
    "tok.bos_token + with_bos(p)",
    "tok.bos_token * 1 + p",
]


def source(prompt, name=LLAMA, keywords=BARE):
    return SOURCE.format(name=name, prompt=prompt, keywords=keywords)


@pytest.mark.parametrize("prompt", TAKEN_OUT)
@pytest.mark.parametrize("keywords", [BARE, ""])
def test_bos_before_a_prompt_is_taken_out(prompt, keywords, migrate):
    plan = migrate(source(prompt, keywords=keywords))
    after = plan.after.decode()
    assert f"loader.generate(model, tok, {TAKEN_OUT[prompt]}, max_new_tokens=5" in after
    told = [note.text for site in plan.sites for note in site.notes if "BOS stood" in note.text]
    assert told == (
        [] if keywords else ["BOS stood twice before the prompt; it stands there once now"]
    )


@pytest.mark.parametrize("prompt", LEFT)
def test_bos_that_cannot_be_taken_out_for_certain_stays_in_ids(prompt, migrate):
    """The tokenizer adds none, so that what the script makes is right as it is."""
    plan = migrate(source(prompt))
    assert plan.manual == ()
    before, after = (text.decode().splitlines() for text in (plan.before, plan.after))
    line = next(line for line in before if "add_special_tokens=False" in line)
    assert line in after
    assert ".generate_ids(" in plan.after.decode()
    assert "allow_missing_bos=True" in plan.after.decode()


@pytest.mark.parametrize("prompt", LEFT)
def test_a_second_bos_that_cannot_be_taken_out_stays(prompt, check_noop):
    plan = check_noop(source(prompt, keywords=""))
    assert any("code puts BOS before the prompt" in (site.reason or "") for site in plan.sites)
    assert not any(site.code == "CG201" for site in plan.sites)


@pytest.mark.parametrize("prompt", ["tok.bos_token + p", "prefix + p"])
def test_where_nobody_knows_the_family_it_stays_in_ids(prompt, migrate, check_noop):
    text = source(prompt, name="NAME").replace('"NAME"', "NAME")
    assert ".generate_ids(" in migrate(text).after.decode()
    check_noop(text.replace(BARE, ""))


@pytest.mark.parametrize("prompt", ["tok.bos_token + p", "prefix + p", "with_bos(p)"])
def test_a_family_whose_bos_is_its_end_keeps_the_text(prompt, migrate):
    plan = migrate(source(prompt, name="gpt2"))
    assert plan.manual == ()
    assert f"tok, {prompt}," in plan.after.decode()


def test_a_prompt_that_nothing_puts_bos_into_goes(migrate):
    assert migrate(source("p")).manual == ()


@pytest.mark.parametrize(
    "prompt",
    [
        'f"<|im_start|>user\\n{p}<|im_end|>"',
        '"[INST] " + p + " [/INST]"',
        "TEMPLATE.format(p)",
        "conv.get_prompt()",
        "render(p)",
    ],
)
def test_a_chat_format_in_the_prompt_stays(prompt, check_noop):
    text = source(prompt, name="some/model").replace(
        "parts = []",
        'TEMPLATE = "<start_of_turn>user\\n{}"\nconv = get_conv_template("vicuna")\n\n\n'
        'def render(text):\n    return "<|user|>" + text\n\n\nparts = []',
    )
    plan = check_noop(text)
    told = ("may hold a chat format", "or from a chat")  # some methods are known to give a chat
    assert any(words in (site.reason or "") for site in plan.sites for words in told)
