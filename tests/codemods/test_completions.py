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


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_it_becomes_a_completion(body, migrate):
    plan = migrate(HEAD + body)
    assert plan.manual == ()
    after = plan.after.decode()
    assert ".complete(" in after
    assert "model.generate(" not in after
    assert migrate(after).after == plan.after


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
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


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(CALL + "    return tokenizer.decode(out[0]), score(out)\n", id="the ids go elsewhere"),
        pytest.param(CALL + "    return tokenizer.decode(out[0]), len(out)\n", id="the rows are counted"),
        pytest.param(CALL + "    return tokenizer.decode(out[0]), out[0][3:]\n", id="a fixed part"),
        pytest.param(CALL + "    return tokenizer.decode(out[0]), tokenizer.decode(out[0][inputs.input_ids.shape[1]:]), len(out[0])\n", id="decoded in two ways"),
        pytest.param(CALL.replace("do_sample=False", "num_return_sequences=2, num_beams=2") + "    return tokenizer.decode(out[0]), len(out[0])\n", id="several texts"),
        pytest.param(CALL + "    out = out.cpu()\n    return tokenizer.decode(out[0]), len(out[0])\n", id="the name is given another value"),
    ],
)  # fmt: skip
def test_it_stays(body, check_noop):
    check_noop(HEAD + body)


def test_a_batch_is_none(check_noop):
    check_noop(
        HEAD.replace("prompt: str", "prompts: list[str]").replace(
            "tokenizer(prompt,", "tokenizer(prompts, padding=True,"
        )
        + CALL
        + "    return tokenizer.decode(out[0], skip_special_tokens=True), len(out[0])\n"
    )
