"""Bytes outside the edits stay identical, whatever the file's style."""

from __future__ import annotations

import pytest

BODY = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

NAME = "caf\u00e9"  # \u00e9
tokenizer = AutoTokenizer.from_pretrained("gpt2")
tokenizer.chat_template = None
model = AutoModelForCausalLM.from_pretrained("gpt2")

def f(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5)
    return tokenizer.decode(out[0], skip_special_tokens=True)

x   =  {'a' : 1}   # odd   spacing
"""
WANTED = """\
import torch
from guard import CleanModelLoader

NAME = "caf\u00e9"  # \u00e9
loader = CleanModelLoader("gpt2")
model, tokenizer, provenance = loader.load()

def f(prompt):
    return CleanModelLoader.generate(
        model,
        tokenizer,
        prompt,
        max_new_tokens=5,
        return_full_text=True,
    )

x   =  {'a' : 1}   # odd   spacing
"""
STYLES = [
    pytest.param(lambda text: text.encode(), id="plain"),
    pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="crlf"),
    pytest.param(lambda text: text.replace("\n", "\r").encode(), id="cr"),
    pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="bom"),
    pytest.param(lambda text: b"# coding: latin-1\n" + text.encode("latin-1"), id="latin-1"),
    pytest.param(lambda text: text.replace("    ", "\t").encode(), id="tabs"),
    pytest.param(lambda text: text.replace("\ndef", "\n\x0cdef").encode(), id="form feed"),
    pytest.param(lambda text: text.rstrip("\n").encode(), id="no newline at the end"),
    pytest.param(lambda text: ("#!/usr/bin/env python\n" + text).encode(), id="shebang"),
]


@pytest.mark.parametrize("style", STYLES)
def test_the_style_is_kept(style, migrate):
    plan = migrate(style(BODY))
    assert plan.refusal is None
    assert plan.after == style(WANTED)


def test_mixed_line_ends_outside_the_edits_are_kept(migrate):
    raw = BODY.encode().replace(b"NAME =", b"A = 1\r\nNAME =")
    assert b"A = 1\r\nNAME" in migrate(raw).after


def test_a_decoding_at_the_very_end(migrate):
    raw = BODY.encode().partition(b"\n\nx ")[0]
    after = migrate(raw).after
    assert after.endswith(b"return_full_text=True,\n    )")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"# coding: utf-7\nx\n", id="an encoding that is not there"),
        pytest.param(b"x = '\xff'\n", id="not utf-8"),
        pytest.param(b"x = 1\0\n", id="a NUL byte"),
        pytest.param(b"def f(:\n", id="a syntax error"),
    ],
)
def test_what_cannot_be_read_says_so(raw, migrate):
    from lint_rules._run.source import SourceError

    if b"utf-7" in raw:
        assert migrate(raw).after == raw
    else:
        with pytest.raises(SourceError):
            migrate(raw)
