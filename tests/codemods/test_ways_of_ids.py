"""Ids on their way from the tokenizer to the model: through views, masks and joins, and who else gets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codemods.migration import Migration
from tests.codemods.plans import planned

Migrate = Callable[[str], Migration]
LOADS = """\
import sys
import torch
import numpy as np
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-3.2-1B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.2-1B")
"""
ENCODES = 'enc = tokenizer(sys.argv[1], return_tensors="pt")\n'
ASKS = """\
out = model.generate(**enc, max_new_tokens=4, do_sample=False)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""
MASKED = """\
out = model.generate(enc.input_ids, attention_mask=mask, max_new_tokens=4, do_sample=False)
print(tokenizer.decode(out[0], skip_special_tokens=True))
"""
_IDS = 'enc["input_ids"]'


def reasons_of(plan: Migration) -> str:
    return "\n".join(site.reason or "" for site in plan.manual)


def notes_of(plan: Migration) -> list[str]:
    return [note.text for site in plan.sites for note in site.notes]


@pytest.mark.parametrize(
    "changes",
    [
        f"for row in {_IDS}:\n    row[2] = 9\n",
        f"for at, row in enumerate({_IDS}):\n    row[at] = 9\n",
        "for value in enc.values():\n    value[0, 2] = 9\n",
        f"flat = {_IDS}.squeeze()\nflat[2] = 9\n",
        f"flat = np.asarray({_IDS})\nflat[0, 2] = 9\n",
        f"{_IDS}.view(-1)[2] = 9\n",
        f"(row,) = {_IDS}\nrow[2] = 9\n",
        f"if (row := {_IDS}[0]) is not None:\n    row[2] = 9\n",
        f"ids = {_IDS}\ntorch.add(ids, 1, out=ids)\n",
        f"torch.Tensor.index_fill_({_IDS}, 1, torch.tensor([2]), 9)\n",
        f"row = {_IDS}[0]\nrow[1], row[2] = 8, 9\n",
        f"def noise(batch):\n    for row in batch:\n        row[2] = 9\n\nnoise({_IDS})\n",
    ],
)
def test_ids_that_are_changed_through_a_view_stay(migrate: Migrate, changes: str) -> None:
    plan = migrate(LOADS + ENCODES + changes + ASKS)
    assert not plan.changed
    assert "changes the ids between their tokenisation and the call" in reasons_of(plan)


@pytest.mark.parametrize(
    ("mask", "same"),
    [
        ("mask = enc.attention_mask.clone()\n", True),
        ("mask = torch.ones_like(enc.input_ids)\n", True),
        ("mask = enc.attention_mask.clone()\nmask[0, 1] = 0\n", False),
        ("mask = enc.attention_mask.to('cpu')\nmask[:, 1:3].fill_(0)\n", False),
        ("mask = enc.attention_mask\nmask *= 0\n", False),
        ("def hide(m):\n    m[0, 1] = 0\n\nmask = enc.attention_mask.clone()\nhide(mask)\n", False),
    ],
)
def test_a_mask_with_holes_stays(migrate: Migrate, mask: str, same: bool) -> None:
    plan = migrate(LOADS + ENCODES + mask + MASKED)
    assert plan.refusal is None
    assert ("loader.generate" in plan.after.decode()) is same
    assert plan.changed is same
    changes = ("attention mask is changed by hand", "line 10 changes the ids")
    assert same or any(words in reasons_of(plan) for words in changes)


def test_reading_a_view_changes_nothing(migrate: Migrate) -> None:
    shown = f"for row in {_IDS}:\n    print(len(row), row.tolist())\n"
    assert "loader.generate" in migrate(LOADS + ENCODES + shown + ASKS).after.decode()


@pytest.mark.parametrize(
    "joins",
    [
        "ids = torch.cat([enc.input_ids, best[None, :1]], dim=-1)\n",
        "ids = torch.cat((enc.input_ids.to(model.device), best.view(1, -1)), 1)\n",
    ],
)
def test_ids_that_are_put_together_go_on_as_ids(migrate: Migrate, joins: str) -> None:
    scored = "best = model(**enc).logits[0, -1].argsort(descending=True)\n"
    asks = "out = model.generate(ids, max_new_tokens=4, do_sample=False)\nprint(tokenizer.decode(out[0]))\n"
    plan = migrate(LOADS + ENCODES + scored + joins + asks)
    assert plan.manual == ()
    assert "loader.generate_ids(model, ids, max_new_tokens=4" in plan.after.decode()
    assert any(text.startswith("ids are put together before the call") for text in notes_of(plan))


def test_ids_with_other_ids_in_their_place_stay(migrate: Migrate) -> None:
    noise = "ids = torch.where(torch.rand(1, 4) > 0.5, enc.input_ids, 9)\n"
    asks = "out = model.generate(ids, max_new_tokens=4, do_sample=False)\nprint(tokenizer.decode(out[0]))\n"
    assert not migrate(LOADS + ENCODES + noise + asks).changed


def test_an_encoding_stays_that_a_setting_reads(migrate: Migrate) -> None:
    asks = ASKS.replace("max_new_tokens=4", 'max_length=enc["input_ids"].shape[1] + 5')
    plan = migrate(LOADS + ENCODES + asks)
    assert plan.refusal is None
    after = plan.after.decode()
    assert ENCODES in after
    assert 'max_length=enc["input_ids"].shape[1] + 5' in after


HELPER = """\
def ask(prompt):
    enc = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**enc, max_new_tokens=4, do_sample=False)
    return tokenizer.decode(out[0][enc["input_ids"].shape[1]:], skip_special_tokens=True)


"""


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        ('print(ask("a"))\n', True),
        ('print(ask("a"), ask(["b"]))\n', False),
        ('ROWS = ["a"]\nprint(ask("b"), ask(prompt=ROWS))\n', False),
    ],
)
def test_a_helper_that_is_given_a_list_keeps_its_ids(
    migrate: Migrate, calls: str, text: bool
) -> None:
    after = migrate(LOADS + HELPER + calls).after.decode()
    assert ("CleanModelLoader.generate(" in after) is text
    assert ("enc = tokenizer(prompt, " in after) is not text


MEASURES = """\
def measure(scores, tokenizer):
    return scores.argmax(-1), "generate", "input_ids"
"""


@pytest.mark.parametrize(
    ("given", "held"), [("out.logits", False), ("scores", False), ("model", True)]
)
def test_scores_are_no_model(tmp_path: Path, given: str, held: bool) -> None:
    main = LOADS + "from measures import measure\n" + ENCODES + "out = model(**enc)\n"
    main += f"scores = out.logits[0].log_softmax(-1)\nprint(measure({given}, tokenizer))\n"
    plan = planned(tmp_path, {"main.py": main, "measures.py": MEASURES})["main.py"]
    assert bool(plan.manual) is held
    assert ("of another file gets the model" in reasons_of(plan)) is held


@pytest.mark.parametrize("name", ["contrastive_search", "sample", "greedy_search"])
def test_searches_of_transformers_4_stay(migrate: Migrate, name: str) -> None:
    plan = migrate(LOADS + ENCODES + f"print(model.{name}(enc.input_ids, max_length=9))\n")
    assert not plan.changed
    assert f"`{name}` generates past the guard" in reasons_of(plan)
    assert migrate(LOADS + "import random\nprint(random.sample([1, 2], 1))\n").changed


def test_padding_in_the_words_of_transformers_3_stays(migrate: Migrate) -> None:
    rows = 'rows = tokenizer.batch_encode_plus(sys.argv, pad_to_max_length=True, return_tensors="pt")\n'
    plan = migrate(LOADS + rows + "print(model(**rows).logits.shape)\n")
    assert not plan.changed
    assert "it pads by `pad_to_max_length`" in reasons_of(plan)


TRANSLATES = """\
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("google/flan-t5-base")
model = AutoModelForSeq2SeqLM.from_pretrained("google/flan-t5-base")


def collate(rows):
    rows = tokenizer(rows, add_special_tokens=False, return_tensors="pt", padding=True)
    return {"input_ids": rows.input_ids, "attention_mask": rows.attention_mask}


def evaluate(model, data):
    return [model(**batch).loss for batch in data]


for batch in torch.utils.data.DataLoader(["a", "b"], collate_fn=collate):
    print(evaluate(model, [batch]))
    model(**batch).loss.backward()
    model.save_pretrained("out")
"""


def test_the_tokenizer_calls_of_another_kind_of_model_stay(migrate: Migrate) -> None:
    assert not migrate(TRANSLATES).changed


HANDS = """\
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(path):
    tokenizer = AutoTokenizer.from_pretrained(path, model_max_length=64)
    return AutoModelForCausalLM.from_pretrained(path), tokenizer
"""


@pytest.mark.parametrize("taken", [False, True])
def test_a_length_that_others_cut_to_is_set(tmp_path: Path, taken: bool) -> None:
    texts = {"loads.py": HANDS, "main.py": "from loads import load\n" if taken else "print(1)\n"}
    after = planned(tmp_path, texts)["loads.py"].after.decode()
    assert ("tokenizer.model_max_length = 64" in after) is taken


def test_a_padded_batch_may_come_to_its_model_through_a_helper(tmp_path: Path) -> None:
    main = LOADS + "from helpers import moved\n"
    main += "rows = moved(tokenizer(sys.argv, padding=True, return_tensors='pt'))\n"
    main += "print(model(**rows).logits.shape)\n"
    texts = {"main.py": main, "helpers.py": "def moved(rows):\n    return dict(rows)\n"}
    plan = planned(tmp_path, texts)["main.py"]
    assert "a padded batch is scored" in reasons_of(plan)


BUILDS = """\
def rows(tokenizer, text):
    text = tokenizer.decode(tokenizer(text)["input_ids"][:8])
    return tokenizer(text)
"""
SHOWS = """\
def rows(tokenizer, text):
    found = tokenizer(text)
    print(tokenizer.decode(found["input_ids"]))
    return found
"""


@pytest.mark.parametrize(("does", "held"), [(BUILDS, True), (SHOWS, False)])
def test_windows_that_another_file_decodes_with_their_bos(
    tmp_path: Path, does: str, held: bool
) -> None:
    main = LOADS + "from transformers import Trainer\nfrom windows import rows\n"
    main += "Trainer(model=model, train_dataset=[rows(tokenizer, 'a')]).train()\n"
    plan = planned(tmp_path, {"main.py": main, "windows.py": does})["main.py"]
    assert ("what windows decodes with its BOS may become a row again" in reasons_of(plan)) is held
    assert plan.changed is not held


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("model = get_peft_model(model, config)\n", "may put"),
        ("trainer.train()\n", "may put"),
        ("model.train()\n", "puts"),
        ("model = get_peft_model(model, config)\nmodel.eval()\n", None),
        ("", None),
    ],
)
def test_a_mode_that_may_be_training_is_told(migrate: Migrate, mode: str, told: str | None) -> None:
    start = "from peft import get_peft_model\nfrom mine import config, trainer\n"
    notes = [
        text
        for text in notes_of(migrate(start + LOADS + mode + ENCODES + ASKS))
        if "training mode" in text
    ]
    assert len(notes) == (told is not None)
    assert told is None or f"{told} the model into training mode" in notes[0]


@pytest.mark.parametrize(("token", "held"), [("!", True), ("<pad>", False), ("[PAD]", False)])
def test_a_word_that_a_load_makes_the_pad_token(migrate: Migrate, token: str, held: bool) -> None:
    loads = LOADS.replace('-1B")\nmodel', f'-1B", pad_token="{token}")\nmodel')
    plan = migrate(loads + ENCODES + ASKS)
    assert ("a word is made the `pad_token`" in reasons_of(plan)) is held


def test_another_revision_of_the_tokenizer_is_told(migrate: Migrate) -> None:
    other = LOADS.replace('-1B")\n', '-1B", revision="float16")\n').replace(
        '-1B", revision="float16")\nmodel', '-1B")\nmodel'
    )
    said = [text.startswith("the model's folder must hold") for text in notes_of(migrate(other))]
    assert any(said)
    assert not any(
        text.startswith("the model's folder must hold")
        for text in notes_of(migrate(LOADS + ENCODES + ASKS))
    )


def test_a_block_that_loses_its_last_lines_is_proven(migrate: Migrate) -> None:
    loads = LOADS.replace(
        "model =",
        "n = 0\nif tokenizer.pad_token_id is None:\n    n += 1\n    tokenizer.pad_token = tokenizer.eos_token\nmodel =",
    )
    plan = migrate(loads + ENCODES + ASKS)
    assert plan.refusal is None
    assert "    n += 1\nloader =" in plan.after.decode()


@pytest.mark.parametrize(
    "changes",
    [
        f"def row():\n    return {_IDS}[0]\n\nrow()[2] = 9\n",
        f"row = lambda: {_IDS}[0]\nrow()[2] = 9\n",
        f"def poke(row={_IDS}[0]):\n    row[2] = 9\n\npoke()\n",
        f"fill = {_IDS}[0, 2:3].fill_\nfill(9)\n",
        "match enc:\n    case {'input_ids': ids}:\n        ids[0, 2] = 9\n",
        f"def rows():\n    yield {_IDS}[0]\n\nfor row in rows():\n    row[2] = 9\n",
    ],
)
def test_ids_that_are_changed_by_another_way_to_them_stay(migrate: Migrate, changes: str) -> None:
    assert not migrate(LOADS + ENCODES + changes + ASKS).changed


@pytest.mark.parametrize(
    "cuts",
    [
        "tail = lambda ids: ids[:, -3:]\nids = tail(enc.input_ids)\n",
        "CUTS = {'tail': lambda ids: ids[:, -3:]}\nids = CUTS['tail'](enc.input_ids)\n",
        "def whole(ids):\n    return ids\n\ndef tail(ids):\n    return ids[:, -3:]\n\n"
        "for cut in (whole, tail):\n    ids = cut(enc.input_ids)\n",
    ],
)
def test_ids_that_go_through_a_function_that_is_held_are_no_text(
    migrate: Migrate, cuts: str
) -> None:
    asks = "out = model.generate(ids, max_new_tokens=4, do_sample=False)\nprint(tokenizer.decode(out[0]))\n"
    after = migrate(LOADS + ENCODES + cuts + asks).after.decode()
    assert "loader.generate(model, tokenizer" not in after


@pytest.mark.parametrize("special", ["sys.argv[2] == 'x'", "not LEAN", "LEAN"])
def test_special_tokens_that_the_run_decides_on_leave_ids(migrate: Migrate, special: str) -> None:
    encodes = ENCODES.replace('"pt")', f'"pt", add_special_tokens={special})')
    plan = migrate(LOADS + "LEAN = bool(sys.argv[3:])\n" + encodes + ASKS)
    after = plan.after.decode()
    assert "allow_missing_bos=True" in after
    assert f"add_special_tokens={special})" in after
    assert "loader.generate_ids(model, **enc" in after


def test_one_name_of_two_encodings_may_lack_bos(migrate: Migrate) -> None:
    encodes = f"if sys.argv[2:]:\n    {ENCODES}else:\n    {ENCODES}"
    encodes = encodes.replace('"pt")\n', '"pt", add_special_tokens=False)\n', 1)
    after = migrate(LOADS + encodes + ASKS).after.decode()
    assert ("allow_missing_bos=True" in after) is (".generate_ids(" in after)


@pytest.mark.parametrize(
    "applies",
    [
        "print(list(map(model, [enc.input_ids[:, 1:]])))\n",
        "print(torch.func.functional_call(model, {}, (enc.input_ids[:, 1:],)))\n",
    ],
)
def test_a_model_that_others_call_may_get_rows_without_bos(migrate: Migrate, applies: str) -> None:
    plan = migrate(LOADS + ENCODES + applies)
    assert "allow_missing_bos=True" in plan.after.decode()


def test_a_prompt_that_a_pattern_names_anew(migrate: Migrate) -> None:
    before = 'prompt = "a"\nenc = tokenizer(prompt, return_tensors="pt")\nmatch sys.argv:\n    case [prompt]:\n        pass\n'
    after = migrate(LOADS + before + ASKS).after.decode()
    assert "loader.generate(model, tokenizer, prompt" not in after


OPTIONS = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--prompt", nargs="+")
args = parser.parse_args()
"""


@pytest.mark.parametrize(
    ("before", "prompt"),
    [
        (OPTIONS, "args.prompt"),
        ("import csv\n", "row"),
        ("from torch.utils.data import DataLoader\n", "row"),
    ],
)
def test_prompts_that_may_be_lists_keep_their_tokenisation(
    migrate: Migrate, before: str, prompt: str
) -> None:
    over = "DataLoader(sys.argv)" if "DataLoader" in before else "csv.reader(sys.stdin)"
    asks = f'enc = tokenizer({prompt}, return_tensors="pt")\n{ASKS}'
    if prompt == "row":
        asks = f"for row in {over}:\n" + "".join(f"    {line}\n" for line in asks.splitlines())
    after = migrate(before + LOADS + asks).after.decode()
    assert f"enc = tokenizer({prompt}, " in after
    assert ".generate_ids(" in after


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ('ask(model, tokenizer, "a")', True),
        ('ask(model, tokenizer, ["a"])', False),
        ('TEXTS = ["a"]\nask(model=model, tokenizer=tokenizer, prompt=TEXTS)', False),
    ],
)
def test_a_helper_of_another_file_that_is_given_a_list(
    tmp_path: Path, call: str, text: bool
) -> None:
    helper = HELPER.replace("def ask(prompt)", "def ask(model, tokenizer, prompt)")
    texts = {"helpers.py": helper, "main.py": f"{LOADS}from helpers import ask\n{call}\n"}
    after = planned(tmp_path, texts)["helpers.py"].after.decode()
    assert "generate" in after
    assert ("CleanModelLoader.generate(" in after) is text


def test_labels_that_are_tokenised_apart_keep_both(migrate: Migrate) -> None:
    rows = 'tokenizer(sys.argv[1], return_tensors="pt", add_special_tokens=False).input_ids'
    plan = migrate(LOADS + f"print(model({rows}, labels={rows}).loss)\n")
    assert plan.after.decode().count("add_special_tokens=False") == 2
    assert "its labels are tokenised apart" in reasons_of(plan)


def test_several_texts_of_a_config_stay_ids(migrate: Migrate) -> None:
    asks = """\
config = GenerationConfig(max_new_tokens=4, num_beams=2, num_return_sequences=2)
out = model.generate(**enc, generation_config=config)
print(len(out[0]), tokenizer.decode(out[0], skip_special_tokens=True))
"""
    after = migrate("from transformers import GenerationConfig\n" + LOADS + ENCODES + asks).after
    assert b".complete(" not in after
    assert b".generate_ids(" in after


@pytest.mark.parametrize(
    ("kind", "told"), [("PrefixTuningConfig", True), ("LoraConfig", False), ("PeftModel", True)]
)
def test_a_learned_prompt_is_told(migrate: Migrate, kind: str, told: bool) -> None:
    imports = (
        f"from peft import PeftModel, {kind}\n"
        if kind != "PeftModel"
        else "from peft import PeftModel\n"
    )
    plan = migrate(imports + LOADS + 'model = PeftModel.from_pretrained(model, "adapter")\n')
    assert any(text.startswith("a learned prompt") for text in notes_of(plan)) is told
