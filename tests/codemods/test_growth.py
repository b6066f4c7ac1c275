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
        pytest.param(HELPED, id="nothing is trained"),
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
            TRAIN.replace("None", "held") + "resize({'bos_token': '</s>'}, tokenizer, model)\n",
            id="another BOS and an evaluation",
        ),
    ],
)
def test_other_tokens_keep_the_model_back(rest, check_noop):
    check_noop(HEAD + rest)
