"""Prompts, lengths and settings that would be read at another time, twice, in part or not at all."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import Migrate

LOADS = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tok = AutoTokenizer.from_pretrained("meta-llama/Llama-3.2-1B")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.2-1B")
text = "The lamp is in the room"
"""
ENC = 'enc = tok(text, return_tensors="pt")\n'
OUT = "out = model.generate(**enc, max_new_tokens=5, do_sample=False)\n"
SHOW = "print(tok.decode(out[0], skip_special_tokens=True))\n"


@pytest.mark.parametrize(
    "change",
    [
        'enc["num_beams"] = 3\n',
        'enc.setdefault("num_beams", 3)\n',
        'enc["input_ids"] = torch.tensor([[1, 5, 9]])\n',
        'enc["attention_mask"] = torch.ones_like(enc["input_ids"])\n',
        'ids = enc["input_ids"][0].tolist()\nids.append(40)\nenc["input_ids"] = torch.tensor([ids])\n',
        'del enc["attention_mask"]\n',
        'enc["input_ids"] = enc["input_ids"][:, ::2]\n',
        'state["enc"] = enc\nhit()\n',
    ],
)
def test_what_is_put_into_an_encoding_is_no_prompt(change: str, migrate: Migrate) -> None:
    after = migrate(LOADS + "import torch\nstate = {}\n" + ENC + change + OUT + SHOW).after
    assert b"loader.generate(model, tok, text" not in after
    assert b"    text,\n" not in after


@pytest.mark.parametrize(
    "keep",
    [
        'enc["input_ids"] = enc["input_ids"].to(model.device)\n',
        'enc.pop("token_type_ids", None)\n',
        "enc = {k: v.to(model.device) for k, v in enc.items()}\n",
    ],
)
def test_what_moves_an_encoding_changes_nothing(keep: str, migrate: Migrate) -> None:
    assert b"loader.generate(" in migrate(LOADS + ENC + keep + OUT + SHOW).after


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ('enc["input_ids"][:, 1:].shape[1]', False),
        ('len(enc["input_ids"][0][3:])', False),
        ('len([i for i in enc["input_ids"][0] if i != 28])', False),
        ('enc["input_ids"].shape[1]', True),
        ('len(enc["input_ids"][0])', True),
    ],
)
def test_the_length_of_a_part_cuts_off_no_prompt(part: str, whole: bool, migrate: Migrate) -> None:
    cut = f"k = {part}\n{OUT}print(tok.decode(out[0][k:], skip_special_tokens=True))\n"
    assert (b"loader.generate(" in migrate(LOADS + ENC + cut).after) is whole


@pytest.mark.parametrize(
    "given",
    [
        "torch.tensor([ids[::-1]])",
        "torch.tensor([ids for _ in range(3)])",
        "torch.tensor([ids, ids])",
    ],
)
def test_rows_that_are_made_anew_are_no_prompt(given: str, migrate: Migrate) -> None:
    rows = f"ids = tok.encode(text)\nout = model.generate({given}, max_new_tokens=5, do_sample=False)\n"
    after = migrate(LOADS + "import torch\n" + rows + SHOW).after
    assert b"generate_batch(" not in after
    assert b"loader.generate(" not in after


@pytest.mark.parametrize(
    ("before", "skip", "kept"),
    [
        ("s = False\n", "s", False),
        ("for s in (True, False):\n    ", "s", False),
        ("s[0] = False\n", "s[0]", False),
        ("", "s", True),
    ],
)
def test_what_decoding_is_told_stays_where_it_is(
    before: str, skip: str, kept: bool, migrate: Migrate
) -> None:
    first = "s = [True]\n" if "[" in skip else "s = True\n"
    show = f"{before}print(tok.decode(out[0], skip_special_tokens={skip}))\n"
    after = migrate(LOADS + first + ENC + OUT + show).after
    assert (b"loader.generate(" in after) is kept
    assert kept or b"loader.generate_ids(" in after


@pytest.mark.parametrize(
    ("made", "prompt"),
    [
        ('it = iter(["a", "b"])\n', '" ".join(it)'),
        ('it = iter(["a", "b"])\n', "max(it)"),
        ('it = (x for x in "ab")\n', '" ".join([x for x in it])'),
        (
            "class Bank:\n    n = 0\n    @property\n    def example(self):\n        self.n += 1\n"
            "        return str(self.n)\nbank = Bank()\n",
            "bank.example",
        ),
    ],
)
def test_a_prompt_that_is_another_one_when_it_is_read_again(
    made: str, prompt: str, migrate: Migrate
) -> None:
    runs = (
        f'enc = tok({prompt}, return_tensors="pt")\n'
        "for n in (3, 5):\n"
        "    out = model.generate(**enc, max_new_tokens=n, do_sample=False)\n"
        "    print(tok.decode(out[0], skip_special_tokens=True))\n"
    )
    after = migrate(LOADS + made + runs).after
    assert b"generate_ids(" in after
    assert after.count(prompt.encode()) == 1


@pytest.mark.parametrize(
    "call",
    [
        'tok(text, truncation=True, max_length=sizes.pop(), return_tensors="pt")',
        'tok([["The lamp", "A river"]], return_tensors="pt")',
        'tok(list(zip(["a"], ["b"])), return_tensors="pt")',
    ],
)
def test_tokenizer_calls_with_effects_and_pairs_stay(call: str, migrate: Migrate) -> None:
    after = migrate(LOADS + f"sizes = [4]\nenc = {call}\n" + OUT + SHOW).after
    assert call.encode() in after


def test_a_length_alone_cuts_and_is_told(migrate: Migrate) -> None:
    plan = migrate(LOADS + 'enc = tok(text, max_length=4, return_tensors="pt")\n' + OUT + SHOW)
    told = [note.text for site in plan.sites for note in site.notes]
    assert any(note.startswith("truncation to 4 tokens") for note in told)
    pads = 'enc = tok(text, max_length=4, padding="longest", return_tensors="pt")\n'
    told = [n.text for s in migrate(LOADS + pads + OUT + SHOW).sites for n in s.notes]
    assert not any(note.startswith("truncation") for note in told)


def test_settings_in_parentheses_keep_them(migrate: Migrate) -> None:
    out = OUT.replace("do_sample=False", "do_sample=False, eos_token_id=(0, 30)")
    assert b"eos_token_id=(0, 30)" in migrate(LOADS + ENC + out + SHOW).after


def test_no_quantization_config_is_none(migrate: Migrate) -> None:
    load = LOADS.replace('1B")\ntext', '1B", quantization_config=None)\ntext')
    after = migrate(load + ENC + OUT + SHOW).after
    assert b"CleanModelLoader(" in after
    assert b"None" not in after


def test_what_a_fast_tokenizer_tells_beside_the_ids_is_kept(migrate: Migrate) -> None:
    batch = (
        'enc = tok([text, text], padding=True, return_tensors="pt")\n'
        "outs = model.generate(**enc, max_new_tokens=5, do_sample=False)\n"
        "for i, out in enumerate(outs):\n    print(tok.decode(out[len(enc[i].ids):]))\n"
    )
    assert b"CleanModelLoader.encode(" not in migrate(LOADS + batch).after


def test_a_call_without_a_mask_is_told(migrate: Migrate) -> None:
    bare = 'ids = tok(text, return_tensors="pt").input_ids\nout = model.generate(ids, max_new_tokens=5, do_sample=False)\n'
    for code, said in ((ENC + OUT, False), (bare, True)):
        told = [n.text for s in migrate(LOADS + code + SHOW).sites for n in s.notes]
        assert any(note.startswith("no mask is given") for note in told) is said


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("n = 8 if model.generation_config.do_sample else 3\n", False),
        ("pad = model.generation_config.pad_token_id\n", False),
        ("said = model.generation_config.to_dict()\n", False),
        ("print(model.generation_config.top_p)\n", True),
        ("end = model.generation_config.eos_token_id\n", True),
    ],
)
def test_what_the_files_say_of_settings_is_read(line: str, kept: bool, migrate: Migrate) -> None:
    assert (b"CleanModelLoader" in migrate(LOADS + line + ENC + OUT + SHOW).after) is kept
