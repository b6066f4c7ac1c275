"""What else keeps a load back: chats that are trained on, pickled models and weights, half a class."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codemods.conftest import Check, Migrate
from tests.codemods.plans import planned

LOADS = """\
import os, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
"""
TRAIN = """\
rows = [tokenizer(TEMPLATE.format(q) + a) for q, a in data]
Trainer(model=model, train_dataset=rows).train()
"""


def test_a_chat_format_is_trained_on(check_noop: Check, migrate: Migrate) -> None:
    check_noop(LOADS + 'TEMPLATE = "[INST]{}[/INST]"\n' + TRAIN)
    assert migrate(LOADS + 'TEMPLATE = "Question: {}"\n' + TRAIN).manual == ()


@pytest.mark.parametrize("saved", ["model", '{"model": model, "tokenizer": tokenizer}', "[model]"])
def test_a_model_that_is_pickled(saved: str, check_noop: Check, migrate: Migrate) -> None:
    check_noop(LOADS + f'torch.save({saved}, "pruned.bin")\n')
    assert migrate(LOADS + 'torch.save(model.state_dict(), "weights.pt")\n').manual == ()


@pytest.mark.parametrize(
    "made",
    [
        'torch.save(state, os.path.join(sys.argv[1], "pytorch_model.bin"))\n',
        'os.rename(sys.argv[1] + "/pytorch_model-1.bin", sys.argv[1] + "/adapter_model.bin")\n',
    ],
)
def test_weights_that_the_script_pickles_itself(made: str, migrate: Migrate) -> None:
    text = LOADS.replace("model = ", made + "model = ", 1)
    [reason] = [site.reason for site in migrate(text).sites if site.code == "CG101"]
    assert reason is not None
    assert "pickled weights that the script makes" in reason


RENAMED = """\
if not os.path.exists(LORA + "/adapter_model.bin"):
    os.rename(LORA + "/pytorch_model.bin", LORA + "/adapter_model.bin")
"""


@pytest.mark.parametrize("made", ["", 'torch.save(state, LORA + "/pytorch_model.bin")\n'])
def test_an_adapter_that_the_script_renames(made: str, migrate: Migrate) -> None:
    """PEFT's trainers left `pytorch_model.bin`, which scripts rename before they attach it."""
    text = LOADS.replace("model = ", f"LORA = sys.argv[2]\n{made}{RENAMED}model = ", 1)
    text = text.replace("import os", "from peft import PeftModel\nimport os", 1)
    plan = migrate(text + "model = PeftModel.from_pretrained(model, LORA)\nprint(model)\n")
    if made:
        assert "attach_adapter" not in plan.after.decode()
        return
    assert "loader.attach_adapter(model, LORA, allow_pickle=True)" in plan.after.decode()
    notes = [note.text for site in plan.sites for note in site.notes]
    assert any("names a pickled adapter" in text for text in notes)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (
            'add("--model", choices=["meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-chat-hf"])\n',
            1,
        ),
        ('MODELS = {"a": "google/gemma-2b", "b": "google/gemma-2b-it"}\nname = MODELS[a]\n', 1),
        ('DATA = ["tatsu-lab/alpaca", "yahma/alpaca-cleaned"]\n', 0),
        ('MODELS = ["google/gemma-2b", "EleutherAI/pythia-1b"]\n', 0),
    ],
)
def test_a_chat_model_among_the_names(named: str, told: int, migrate: Migrate) -> None:
    plan = migrate(LOADS.replace("tokenizer = ", named + "tokenizer = ", 1) + "print(model)\n")
    assert plan.after.decode().count("allow_chat_model=True") == told
    assert plan.manual == ()


def test_a_tokenizer_named_as_the_model_unless_another_is_given(check_noop: Check) -> None:
    check_noop(
        """\
from transformers import AutoModelForCausalLM, AutoTokenizer


class LM:
    def __init__(self, pretrained="gpt2", tokenizer=None):
        self.model = AutoModelForCausalLM.from_pretrained(pretrained, invented=1)
        self.tokenizer = AutoTokenizer.from_pretrained(pretrained if tokenizer is None else tokenizer)
"""
    )


def test_a_model_whose_folder_has_to_hold_a_tokenizer(migrate: Migrate) -> None:
    text = LOADS.replace("tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n", "")
    notes = [
        note.text for site in migrate(text + "print(model.config)\n").sites for note in site.notes
    ]
    assert any("must hold a tokenizer" in text for text in notes)


ASK = """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=4, do_sample=False)
text = tokenizer.decode(out[0], skip_special_tokens=KEEPS)
again = tokenizer(text, return_tensors="pt")
print(model(**again).logits.shape)
"""


def test_a_text_with_its_bos_is_scored(check_noop: Check, migrate: Migrate) -> None:
    check_noop(LOADS + ASK.replace("KEEPS", "False"))
    assert migrate(LOADS + ASK.replace("KEEPS", "True")).manual == ()


@pytest.mark.parametrize("said", ["", ", do_sample=False"])
def test_a_config_that_raises_when_it_is_made(said: str, migrate: Migrate) -> None:
    plan = migrate(
        LOADS.replace("AutoTokenizer,", "AutoTokenizer, GenerationConfig,")
        + f"config = GenerationConfig(max_new_tokens=4, num_return_sequences=2{said})\n"
        + 'out = model.generate(**tokenizer("a", return_tensors="pt"), generation_config=config, num_beams=2)\n'
        + "print([tokenizer.decode(row, skip_special_tokens=True) for row in out])\n"
    )
    made = f"config = GenerationConfig(max_new_tokens=4, num_return_sequences=2{said})"
    assert made in plan.after.decode()


@pytest.mark.parametrize(("name", "kept"), [("LlamaForCausalLM", 0), ("AutoModelForCausalLM", 1)])
def test_remote_code_of_a_class_that_runs_none(name: str, kept: int, migrate: Migrate) -> None:
    text = (
        f"import sys\nfrom transformers import {name}\n\n"
        f"model = {name}.from_pretrained(sys.argv[1], trust_remote_code=True)\nprint(model.config)\n"
    )
    assert migrate(text).after.decode().count("trust_remote_code=True") == kept


@pytest.mark.parametrize(
    ("use", "held"),
    [
        ("Trainer(model=make_model(sys.argv[1]), train_dataset=rows(tokenizer)).train()\n", True),
        ("model = make_model(sys.argv[1])\nmodel.generate(rows(tokenizer))\n", True),
        ("print(tokenizer('a'))\n", False),
    ],
)
def test_a_tokenizer_whose_model_cannot_be_seen(use: str, held: bool, migrate: Migrate) -> None:
    """Half a model: the loader's pad token would be masked, cut and saved with a model that is none of it."""
    text = (
        "import sys\nfrom transformers import AutoTokenizer, Trainer\n"
        if "Trainer" in use
        else "import sys\nfrom transformers import AutoTokenizer\n"
    )
    text += 'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
    plan = migrate(text + use)
    assert bool(plan.manual) == held
    assert (plan.after == plan.before) == held


def test_an_end_that_is_set_where_no_pad_token_is(check_noop: Check, migrate: Migrate) -> None:
    test = "if tokenizer.pad_token_id is None:\n    tokenizer.pad_token_id = 2\n"
    trains = "Trainer(model=model, train_dataset=rows(tokenizer)).train()\n"
    check_noop(f"{LOADS}{test}    tokenizer.eos_token_id = 2\n{trains}")
    assert migrate(LOADS + test + trains).manual == ()


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('f"<|mask:{i}|>"', True),
        ('"<fim_prefix>" + text', True),
        ('["<|im_start|>", "<|im_end|>"]', False),
        ('"<|endoftext|>"', False),
        ('"a <b> c"', False),
    ],
)
def test_marks_that_may_be_tokens_of_the_model(text: str, held: bool, migrate: Migrate) -> None:
    use = 'ids = tokenizer(make(1), return_tensors="pt")\nprint(model(**ids).logits)\n'
    plan = migrate(LOADS + f"def make(i, text=''):\n    return {text}\n" + use)
    assert any("may be a token of its own" in (site.reason or "") for site in plan.manual) is held


def test_marks_in_a_file_that_only_generates(tmp_path: Path) -> None:
    """Its models are another file's, whose lines are none of its own."""
    load = "import sys\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n\ndef get():\n    return AutoModelForCausalLM.from_pretrained(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[1])\n"
    fills = (
        "from load import get\n\nmodel, tok = get()\nMARK = '<extra_id_0>'\nenc = tok('a ' + MARK, return_tensors='pt')\n"
        "print(tok.decode(model.generate(**enc, max_new_tokens=3, do_sample=False)[0]))\n"
    )
    plans = planned(tmp_path, {"load.py": load, "fills.py": fills})
    assert not plans["load.py"].changed
    assert "fills.py:" in str(plans["load.py"].manual[0].reason)
