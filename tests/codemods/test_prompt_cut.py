"""Ways to cut the prompt off a generated row: by its number of tokens, and by what only looks like it."""

from __future__ import annotations

import pytest

HEAD = (
    "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
    'tok = AutoTokenizer.from_pretrained("gpt2")\n'
    'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    'inputs = tok("2 + 2 =", return_tensors="pt")\n'
)
GENERATE = "out = model.generate(**inputs, max_new_tokens=5, do_sample=False)\n"
ANSWER = 'print(loader.generate(model, tok, "2 + 2 =", max_new_tokens=5, do_sample=False))\n'


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs["input_ids"].shape[-1]:], skip_special_tokens=True))\n', id='shape -1'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.shape[1]:], skip_special_tokens=True))\n', id='shape 1'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids[0].shape[0]:], skip_special_tokens=True))\n', id='row shape 0'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.size()[1]:], skip_special_tokens=True))\n', id='size()[1]'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.size(1):], skip_special_tokens=True))\n', id='size(1)'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.size(-1):], skip_special_tokens=True))\n', id='size(-1)'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][len(inputs.input_ids[0]):], skip_special_tokens=True))\n', id='len of the row'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.numel():], skip_special_tokens=True))\n', id='numel'),
        pytest.param('n = inputs.input_ids.shape[1]\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='named'),
        pytest.param('n = inputs.input_ids.shape[1]\nn = inputs.input_ids.shape[-1]\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='named twice'),
        pytest.param('ids = inputs.input_ids\nn = ids.shape[1]\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='through another name'),
        pytest.param('rows, n = inputs.input_ids.shape\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='unpacked shape'),
        pytest.param('_, n = inputs.input_ids.size()\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='unpacked size()'),
        pytest.param(GENERATE + 'rows = out[:, inputs.input_ids.shape[1]:]\n' + 'print(tok.decode(rows[0], skip_special_tokens=True))\n', id='slice of the batch'),
        pytest.param(GENERATE + 'print(tok.batch_decode(out[:, inputs.input_ids.shape[1]:], skip_special_tokens=True)[0])\n', id='batch_decode'),
    ],
)  # fmt: skip
def test_the_prompts_own_length_is_cut_off(rest, migrate):
    plan = migrate(HEAD + rest)
    assert (plan.refusal, plan.manual) == (None, ())
    assert plan.after.decode().endswith(ANSWER)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.size(0):], skip_special_tokens=True))\n', id='size(0) of the batch'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][len(inputs.input_ids):], skip_special_tokens=True))\n', id='len of the batch'),
        pytest.param('n, length = inputs.input_ids.shape\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='unpacked first'),
        pytest.param('a, n, b = inputs.input_ids.shape + (1,)\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='unpacked of three'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.shape[0]:], skip_special_tokens=True))\n', id='shape 0 of the batch'),
        pytest.param('n = tok("x", return_tensors="pt").input_ids.shape[1]\n' + GENERATE + 'print(tok.decode(out[0][n:], skip_special_tokens=True))\n', id='another text'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][5:], skip_special_tokens=True))\n', id='a number'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.attention_mask.sum():], skip_special_tokens=True))\n', id='attention mask sum'),
        pytest.param(GENERATE + 'print(tok.decode(out[0][inputs.input_ids.shape[0, 1]:], skip_special_tokens=True))\n', id='two dims'),
    ],
)  # fmt: skip
def test_anything_else_goes_on_with_ids(rest, check_ids):
    check_ids(HEAD, rest)
