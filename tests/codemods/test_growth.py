"""Tokens that a script adds: a training script's own pad token goes along, all others keep the model back."""

from __future__ import annotations

import pytest

HEAD = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

PAD = "[PAD]"


def resize(special_tokens_dict, tokenizer, model):
    added = tokenizer.add_special_tokens(special_tokens_dict)
    model.resize_token_embeddings(len(tokenizer))


model = AutoModelForCausalLM.from_pretrained(NAME)
tokenizer = AutoTokenizer.from_pretrained(NAME)
"""
TRAIN = "Trainer(model=model, train_dataset=rows, eval_dataset=None).train()\n"
LOADED = b'CleanModelLoader(NAME, for_training=True, padding="files")'
HELPED = "if tokenizer.pad_token is None:\n    resize(dict(pad_token=PAD), tokenizer, model)\n"
FILLED = """\
special = {}
if tokenizer.pad_token is None:
    special["pad_token"] = PAD
if tokenizer.eos_token is None:
    special["eos_token"] = "</s>"
resize(special_tokens_dict=special, tokenizer=tokenizer, model=model)
"""


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(HELPED, id="a helper"),
        pytest.param(FILLED, id="a dict that is filled"),
        pytest.param(
            "resize({}, tokenizer, model)\ntokenizer.add_special_tokens({'pad_token': PAD})\n",
            id="a dict in the call",
        ),
        pytest.param(
            "resize({}, tokenizer, model)\ntokenizer.add_special_tokens({'bos_token': '</s>', 'unk_token': '</s>'})\n",
            id="other ends",
        ),
    ],
)
def test_a_training_script_keeps_its_pad_token(rest, migrate):
    plan = migrate(HEAD + rest + TRAIN)
    assert LOADED in plan.after
    assert not any("pad token is there now" in site.summary for site in plan.sites)


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(TRAIN + HELPED + "model.generate(ids)\n", id="it generates as well"),
        pytest.param(TRAIN + HELPED + "tokenizer.add_tokens(['new'])\n", id="other words"),
        pytest.param(
            TRAIN + "resize({'additional_special_tokens': ['<|user|>']}, tokenizer, model)\n",
            id="turns of a chat",
        ),
        pytest.param(TRAIN + "resize(given, tokenizer, model)\n", id="a dict from elsewhere"),
        pytest.param(
            TRAIN + FILLED.replace("resize(", "special.update(more)\nresize("), id="an updated dict"
        ),
        pytest.param(TRAIN + "resize({key: PAD}, tokenizer, model)\n", id="an unknown key"),
        pytest.param(TRAIN + "resize(*given)\n", id="arguments from elsewhere"),
        pytest.param(
            TRAIN
            + "resize({'bos_token': '</s>'}, tokenizer, model)\nargs.predict_with_generate = True\n",
            id="another BOS and a trainer that generates",
        ),
    ],
)
def test_other_tokens_keep_the_model_back(rest, check_noop):
    check_noop(HEAD + rest)


def test_another_bos_and_an_evaluation_go_along(migrate):
    rest = TRAIN.replace("None", "held") + "resize({'bos_token': '</s>'}, tokenizer, model)\n"
    assert LOADED in migrate(HEAD + rest).after


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param("", id="nothing more"),
        pytest.param("model.save_pretrained(OUT)\ntokenizer.save_pretrained(OUT)\n", id="both are saved"),
        pytest.param("for name, rows in model.state_dict().items():\n    rows += own[name]\n", id="weights are added"),
        pytest.param("tokenizer.add_tokens(['new'])\nprint(len(tokenizer))\n", id="other words"),
        pytest.param("whole = model.to('cpu')\nwhole.save_pretrained(OUT)\n", id="by another name"),
    ],
)  # fmt: skip
def test_tokens_of_a_script_that_only_saves_go_along(rest, migrate):
    after = migrate(HEAD + HELPED + rest).after
    assert b'for_training=True, padding="files"' in after.replace(b"\n    ", b"").replace(
        b",)", b")"
    )
    assert b"model.eval()" in after


def test_a_pair_beside_the_one_that_grows_generates(migrate):
    rest = (
        HELPED
        + """\
tuned = AutoModelForCausalLM.from_pretrained("gpt2-xl")
words = AutoTokenizer.from_pretrained("gpt2-xl")
inputs = words("a", return_tensors="pt")
out = tuned.generate(**inputs, max_new_tokens=5)
print(words.decode(out[0], skip_special_tokens=True))
"""
    )
    plan = migrate(HEAD + rest)
    assert plan.after.count(b'padding="files"') == 1
    assert b".generate(tuned, words, " in plan.after


LOOP = """\
import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2"){chain}
{then}
optimizer = torch.optim.SGD(model.parameters())
model(**rows).loss.backward()
optimizer.step()
"""


@pytest.mark.parametrize(
    ("chain", "then", "evaluates"),
    [
        ("", "", True),
        ("", "model.eval()", True),
        (".eval()", "", True),
        ("", "model.train()", False),
        (".eval()", "model.train()", True),
    ],
)
def test_a_loop_keeps_the_mode_that_its_model_had(chain, then, evaluates, migrate):
    after = migrate(LOOP.format(chain=chain, then=then)).after
    assert b"for_training=True" in after
    assert (b".eval()" in after) is evaluates
