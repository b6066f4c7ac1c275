"""Tokens that a script adds to a model that it generates with or scores: its own ids go on, a chat's marks stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codemods.test_elsewhere import plan

LOADS = """\
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

BOS = "<s>"
tokenizer = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME)
"""
PAD = """\
if tokenizer.pad_token is None:
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    model.resize_token_embeddings(len(tokenizer))
"""
ASKS = """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""
SCORES = 'ids = tokenizer("a", return_tensors="pt").input_ids\nprint(model(ids).logits)\n'
LOADED = 'CleanModelLoader(NAME, padding="files")'
MAY_LACK = 'CleanModelLoader(NAME, padding="files", allow_missing_bos=True)'
HELPED = """\
def resize(special_tokens_dict, tokenizer, model):
    tokenizer.add_special_tokens(special_tokens_dict)
    model.resize_token_embeddings(len(tokenizer))


if tokenizer.pad_token is None:
    resize(dict(pad_token="[PAD]"), tokenizer, model)
"""


@pytest.mark.parametrize(
    ("grows", "loaded"),
    [
        pytest.param(PAD, LOADED, id="a pad token"),
        pytest.param(HELPED, LOADED, id="in a helper"),
        pytest.param(
            'tokenizer.add_special_tokens({"pad_token": tokenizer.unk_token})\n',
            LOADED,
            id="one that the tokenizer has",
        ),
        pytest.param(
            'tokenizer.add_special_tokens({"eos_token": "</s>", "bos_token": BOS})\n',
            MAY_LACK,
            id="another BOS",
        ),
        pytest.param(
            "tokenizer.add_tokens([' ' * n for n in range(2, 9)])\n", LOADED, id="runs of blanks"
        ),
        pytest.param(
            "def more(t, special=False):\n    t.add_tokens(['lamp'], special_tokens=special)\n\n\nmore(tokenizer)\n",
            LOADED,
            id="words, and a switch that is off",
        ),
    ],
)
@pytest.mark.parametrize("uses", [ASKS, SCORES])
def test_what_is_used_goes_along(grows, loaded, uses, migrate):
    done = migrate(LOADS + grows + uses)
    after = done.after.decode()
    assert loaded in after
    assert "for_training" not in after
    kept = uses.replace("model.generate(**", "loader.generate_ids(model, **")
    assert after.endswith(grows + kept)
    assert migrate(after).after.decode() == after


@pytest.mark.parametrize(
    ("grows", "reason"),
    [
        pytest.param(
            'tokenizer.add_special_tokens({"additional_special_tokens": ["<x>"]})\n',
            "line 7 adds `additional_special_tokens` to the tokenizer, which the guard would take for a chat's",
            id="further special tokens",
        ),
        pytest.param(
            'tokenizer.add_special_tokens({"pad_token": "<|im_end|>"})\n',
            "line 7 names a `pad_token` that may be a chat's",
            id="a mark of a chat that pads",
        ),
        pytest.param(
            'tokenizer.add_special_tokens({"pad_token": find(tokenizer)})\n',
            "line 7 names a `pad_token` that may be a chat's",
            id="a token that is computed",
        ),
        pytest.param("tokenizer.add_tokens(words)\n", None, id="words from elsewhere"),
        pytest.param('tokenizer.add_tokens(["<|user|>"])\n', None, id="a mark among words"),
        pytest.param('tokenizer.add_tokens(["lamp"], special_tokens=True)\n', None, id="a special word"),
        pytest.param('tokenizer.add_tokens(["lamp"], special_tokens=flag)\n', None, id="a word that may be special"),
        pytest.param("tokenizer.add_special_tokens(given)\n", None, id="a dict from elsewhere"),
        pytest.param('tokenizer.add_special_tokens({"pad_token": "[PAD]", **given})\n', None, id="a dict in the dict"),
    ],
)  # fmt: skip
def test_what_may_be_a_chats_stays(grows, reason, check_noop):
    done = check_noop(LOADS + grows + ASKS)
    unseen = (
        "line 7 adds tokens to the tokenizer that cannot be seen, and a chat's may be among them"
    )
    assert (reason or unseen) in {site.reason for site in done.sites}


def test_a_tokenizer_of_another_model_stays(check_noop):
    done = check_noop(LOADS.replace("AutoTokenizer.from_pretrained(NAME)", 'AutoTokenizer.from_pretrained("gpt2")') + PAD + ASKS)  # fmt: skip
    assert "tokens are added to the tokenizer of gpt2, which is not the model's own" in {
        site.reason for site in done.sites
    }


def test_lines_about_padding_stay_with_the_tokenizer(migrate):
    lines = 'tokenizer.add_tokens(["lamp"])\ntokenizer.pad_token = tokenizer.eos_token\n'
    after = migrate(LOADS + lines + 'tokenizer.padding_side = "left"\n' + ASKS).after.decode()
    assert lines in after
    assert "padding_side" not in after  # the loader's own side
    notes = migrate(LOADS + PAD + ASKS).sites
    assert not any("pad token is there now" in site.summary for site in notes)


def test_what_another_file_may_take_stays(tmp_path: Path):
    files = (("here.py", LOADS + PAD + ASKS), ("there.py", "from here import tokenizer\n"))
    assert not plan(tmp_path, *files)["here.py"].changed


def test_a_generation_that_stays_keeps_its_tokenizer(tmp_path: Path):
    """The tokenizer alone would be half of what it is used with."""
    loads = LOADS.replace("model = AutoModelForCausalLM.from_pretrained(NAME)\n", "").replace("import torch\n", "from made import model\n")  # fmt: skip
    made = "from transformers import AutoModelForCausalLM\n\nmodel = AutoModelForCausalLM.from_pretrained(NAME, invented=1)\n"
    assert not plan(tmp_path, ("made.py", made), ("use.py", loads + PAD + ASKS))["use.py"].changed


def test_rows_that_a_model_only_gets_more_of_fold_as_ever(migrate):
    after = migrate(LOADS + "model.resize_token_embeddings(32001)\n" + ASKS).after.decode()
    assert "CleanModelLoader(NAME)" in after
    assert 'loader.generate(model, tokenizer, "a"' in after.replace("\n    ", " ").replace(
        "( ", "("
    )


@pytest.mark.parametrize("name", ["bos_token_id", "add_bos_token", "add_eos_token"])
def test_what_a_script_tells_its_tokenizer_holds_for_its_ids(name, migrate):
    told = f"tokenizer.{name} = given\n"
    after = migrate(LOADS + told + ASKS).after.decode()
    assert after.endswith(told + ASKS.replace("model.generate(**", "loader.generate_ids(model, **"))
    assert "allow_missing_bos=True" in after


def test_a_bos_that_another_file_generates_with_stays(tmp_path: Path):
    here = LOADS + "tokenizer.bos_token_id = 1\n"
    there = 'from here import model, tokenizer\nout = model.generate(**tokenizer("a", return_tensors="pt"))\n'
    assert not plan(tmp_path, ("here.py", here), ("there.py", there))["here.py"].changed


def test_a_dict_of_ids_goes_along(migrate):
    asks = ASKS.replace("=5)", "=5, return_dict_in_generate=True)").replace(
        "out[0]", "out.sequences[0]"
    )
    after = migrate(LOADS + PAD + asks).after.decode()
    assert "decode(out.sequences[0]" in after
    assert "loader.generate_ids(" in after


COLLATES = """\
class Collator:
    def __call__(self, rows):
        n = max(map(len, rows))
        full = torch.full((len(rows), n), tokenizer.pad_token_id)
        for i, row in enumerate(rows):
            {store}
        return {{"input_ids": full, "attention_mask": full.ne(tokenizer.pad_token_id)}}


for batch in DataLoader(rows, collate_fn=Collator()):
    ids = batch["input_ids"]
    out = model.generate(input_ids=ids, attention_mask=batch["attention_mask"], max_new_tokens=5)
    print(tokenizer.batch_decode(out))
"""
LEFT = "full[i, -len(row):] = row"


def test_batches_that_a_script_pads_on_the_left_go(migrate):
    after = migrate(LOADS + PAD + COLLATES.format(store=LEFT)).after.decode()
    assert "loader.generate_ids(" in after.replace("CleanModelLoader.generate_ids", "loader.generate_ids")  # fmt: skip
    assert MAY_LACK in after


@pytest.mark.parametrize(
    "rest",
    [
        COLLATES.format(store="full[i, :len(row)] = row"),
        COLLATES.format(store=LEFT + "\n            full[i, :1] = 5"),
        COLLATES.format(store=LEFT).replace("rows, collate", "pad_sequence(rows), collate"),
        "from transformers import DataCollatorWithPadding\n" + COLLATES.format(store=LEFT),
    ],
)
def test_batches_that_may_be_padded_on_the_right_stay(rest, check_noop):
    check_noop(LOADS + PAD + rest)


def test_a_bos_that_is_only_named_among_added_tokens_is_in_no_prompt(migrate, check_noop):
    names = 'tokenizer.add_special_tokens({"pad_token": "[PAD]", "bos_token": BOS})\n'
    asks = "for ids in rows:\n    out = model.generate(ids, max_new_tokens=5)\n    print(tokenizer.decode(out[0]))\n"
    assert ".generate_ids(" in migrate(LOADS + names + asks).after.decode()
    check_noop(LOADS + names + "rows = make(BOS + text)\n" + asks)
