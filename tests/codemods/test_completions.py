"""Generations of which more than the text is used: `complete`."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

HEAD = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME)


def answer(prompt: str):
    inputs = tokenizer(prompt, return_tensors="pt")
"""
CALL = "    out = model.generate(**inputs, max_new_tokens=6, do_sample=False)\n"
BODIES = {
    "the tokens of a named row": CALL
    + '    new = out[0][inputs["input_ids"].shape[1]:]\n'
    + "    return tokenizer.decode(new, skip_special_tokens=True), len(new)\n",
    "a difference of lengths": "    n = inputs.input_ids.shape[-1]\n"
    + CALL
    + "    text = tokenizer.decode(out[0, n:], skip_special_tokens=True)\n"
    + "    return text, out.shape[1] - n, n\n",
    "the length of the whole row": CALL
    + "    text = tokenizer.decode(out[0], skip_special_tokens=True)\n"
    + "    return text, len(out[0]), out.shape[-1], out.size(1)\n",
    "the ids as a list": CALL
    + "    new = out[0][inputs.input_ids.shape[1]:]\n"
    + "    ids = new.tolist()\n"
    + "    return tokenizer.decode(new, skip_special_tokens=True), ids\n",
    "how it ended": CALL
    + "    new = out[0][inputs.input_ids.shape[1]:]\n"
    + "    done = new[-1].item() == tokenizer.eos_token_id\n"
    + "    return tokenizer.decode(new, skip_special_tokens=True), done\n",
    "a batch of one": CALL
    + "    rows = out[:, inputs.input_ids.shape[1]:]\n"
    + "    texts = tokenizer.batch_decode(rows, skip_special_tokens=True)\n"
    + "    return texts[0], rows.shape[1], rows[0].numel()\n",
}

# More than a completion has.
IDS = {
    "the ids go elsewhere": CALL + "    return tokenizer.decode(out[0]), out.tolist()\n",
    "the rows are counted": CALL + "    return tokenizer.decode(out[0]), len(out)\n",
    "a fixed part": CALL + "    return tokenizer.decode(out[0]), out[0][3:].tolist()\n",
    "decoded in two ways": CALL
    + "    new = out[0][inputs.input_ids.shape[1]:]\n"
    + "    return tokenizer.decode(out[0]), tokenizer.decode(new), len(out[0])\n",
    "several texts": CALL.replace("do_sample=False", "num_return_sequences=2, num_beams=2")
    + "    return tokenizer.batch_decode(out, skip_special_tokens=True), len(out[0])\n",
    "the name is given another value": CALL
    + "    out = out.cpu()\n    return tokenizer.decode(out[0]), len(out[0])\n",
    "a part of the prompt": "    cut = inputs.input_ids[:, :2]\n"
    + CALL.replace("**inputs", "cut")
    + "    return out.tolist()\n",
    "more of transformers' settings": CALL.replace(
        "do_sample=False", "min_length=9, bad_words_ids=[[1], [5, 6]], pad_token_id=3"
    )
    + "    return out.tolist()\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_it_becomes_a_completion(body, migrate):
    plan = migrate(HEAD + body)
    assert plan.manual == ()
    after = plan.after.decode()
    assert ".complete(" in after
    assert "model.generate(" not in after
    assert migrate(after).after == plan.after


@pytest.mark.slow
@pytest.mark.parametrize("body", [*BODIES.values(), *IDS.values()], ids=[*BODIES, *IDS])
def test_it_gives_the_same(body, migrate, model_folder):
    """The function before and after, on a real model with real guarded loads."""
    text = HEAD.replace("NAME", repr(str(model_folder))) + body
    results = []
    for source in (text, migrate(text).after.decode()):
        names: dict[str, object] = {}
        with contextlib.redirect_stderr(io.StringIO()):
            exec(compile(source, "script", "exec"), names)
            results.append([names["answer"](prompt) for prompt in ("The capital of", "1 + 1 =")])  # type: ignore[operator]
    assert results[0] == results[1]


@pytest.fixture(scope="module")
def model_folder() -> Path:
    pytest.importorskip("torch")
    from stages.tiny import model_path

    return model_path()


@pytest.mark.parametrize("body", IDS.values(), ids=IDS)
def test_what_a_completion_has_not_stays_in_ids(body, check_ids):
    check_ids(HEAD.partition("\n\n\n")[0] + "\n\n\n", HEAD.partition("\n\n\n")[2] + body)


def test_a_batch_stays_in_ids(check_ids):
    check_ids(
        HEAD.partition("\n\n\n")[0] + "\n\n\n",
        HEAD.partition("\n\n\n")[2]
        .replace("prompt: str", "prompts: list[str]")
        .replace("tokenizer(prompt,", "tokenizer(prompts, padding=True,")
        + CALL
        + "    return tokenizer.decode(out[0], skip_special_tokens=True), len(out[0])\n",
    )
