"""Doubts that no line of a load itself shows: such loads are not guarded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration
from codemods.planning import Planner
from tests.codemods.conftest import Check, Migrate

TRAINING = """\
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

tokenizer = AutoTokenizer.from_pretrained("google/gemma-7b")
model = AutoModelForCausalLM.from_pretrained("google/gemma-7b")
rows = [tokenizer(row[COLUMN]) for row in load()]
Trainer(model=model, train_dataset=rows).train()
"""


@pytest.mark.parametrize("column", ['"messages"', '"conversations"', 'messages or "chatml"'])
def test_rows_that_may_be_chats(check_noop: Check, migrate: Migrate, column: str) -> None:
    check_noop(TRAINING.replace("COLUMN", column))
    assert migrate(TRAINING.replace("COLUMN", '"text"')).changed


CODE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(NAME, trust_remote_code=True)
model = AutoModelForCausalLM.from_pretrained(NAME)
print(model, tokenizer)
"""


def test_code_that_only_the_tokenizer_may_run(check_noop: Check, migrate: Migrate) -> None:
    check_noop(CODE)
    both = CODE.replace(
        "CausalLM.from_pretrained(NAME", "CausalLM.from_pretrained(NAME, trust_remote_code=True"
    )
    assert migrate(both).changed


@pytest.mark.parametrize(
    ("name", "dropped"),
    [("meta-llama/Llama-2-7b-hf", True), ("gpt2", True), ("somebody/Llama-2-7b-AQLM", False)],
)
def test_code_of_a_repository_that_is_only_named_like_a_family(
    migrate: Migrate, name: str, dropped: bool
) -> None:
    text = CODE.replace("NAME", f'"{name}"').replace('hf")', 'hf", trust_remote_code=True)')
    text = text.replace(f'"{name}")', f'"{name}", trust_remote_code=True)')
    plan = migrate(text)
    assert plan.changed is dropped
    assert ("trust_remote_code" in plan.after.decode()) is not dropped


def test_a_library_that_a_test_patches(check_noop: Check) -> None:
    check_noop(
        "from unittest.mock import patch\nfrom transformers import AutoTokenizer\n\n"
        "plain = AutoTokenizer.from_pretrained\n\n\ndef ours(*args, **kwargs):\n"
        "    return plain(*args, **kwargs)\n\n\ndef test_it():\n"
        '    with patch("transformers.AutoTokenizer.from_pretrained", ours):\n'
        '        print(AutoTokenizer.from_pretrained("gpt2"))\n'
    )


SCORING = """\
import json
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf")
model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-2-7b-hf")
for prompt in prompts:
    inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
    logits = model(**inputs).logits
    print(json.dumps({"KEY": logits.log_softmax(-1).max(-1).values.tolist()}))
"""


def test_records_of_single_tokens(check_noop: Check, migrate: Migrate) -> None:
    check_noop(SCORING.replace("KEY", "token_logprobs"))
    assert migrate(SCORING.replace("KEY", "best")).changed


@pytest.fixture
def plans(tmp_path: Path) -> Callable[[dict[str, str]], dict[str, Migration]]:
    def made(files: dict[str, str]) -> dict[str, Migration]:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        given = [SourceFile(name, tmp_path / name) for name in files]
        found = Planner(given, Settings()).plans()
        return {one.filename: one for one in found if isinstance(one, Migration)}

    return made


def test_a_model_that_its_user_hands_on(plans: Callable[..., dict[str, Migration]]) -> None:
    files = {
        "loading.py": "from transformers import AutoModelForCausalLM\n\n\ndef get(name):\n"
        "    return AutoModelForCausalLM.from_pretrained(name)\n",
        "scoring.py": "def loss_of(model, rows):\n    return [model(r, labels=r).loss for r in rows]\n",
        "main.py": "from loading import get\nfrom scoring import loss_of\n\n"
        "print(loss_of(get(NAME), windows))\n",
    }
    plan = plans(files)["loading.py"]
    assert not plan.changed
    assert "main.py may hand its model to scoring.py" in str([one.reason for one in plan.sites])


def test_rows_that_its_user_pads(plans: Callable[..., dict[str, Migration]]) -> None:
    files = {
        "loading.py": "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n\ndef get(name):\n"
        "    return AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)\n",
        "main.py": "from loading import get\n\nmodel, tokenizer = get(NAME)\n"
        'rows = tokenizer(texts, padding=True, return_tensors="pt")\nprint(model(**rows).logits)\n',
    }
    plan = plans(files)["loading.py"]
    assert not plan.changed
    alone = plans({"loading.py": files["loading.py"]})["loading.py"]  # its user lies beside it
    assert not alone.changed
    assert "main.py pads and scores rows" in str([one.reason for one in alone.sites])


INSIDE = (
    "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
    'tok = AutoTokenizer.from_pretrained("gpt2")\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    'print(model(**tok("a", return_tensors="pt")).logits)\n'
)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("model.transformer.h[3].register_forward_hook(keep)\n", "looks into a model"),
        ("with FlopCounterMode() as flops:\n    pass\n", "looks into a model"),
        ("from baukit import TraceDict\n", "looks into a model"),
        ("model.transformer.h[0] = Wrapped(model.transformer.h[0])\n", "changed inside"),
        ("block.mlp.forward = patched\n", "changed inside"),
        ("model = torch.compile(model)\n", "compiled or traced"),
        ("torch.export.export(model, (ids,))\n", "compiled or traced"),
        ("model.compile(dynamic=True)\n", "compiled or traced"),
        ('print(len(model.transformer.h), re.compile("a"), model.norm == 3)\n', None),
    ],
)
def test_models_that_are_looked_into(migrate: Migrate, line: str, why: str | None) -> None:
    plan = migrate(INSIDE + line)
    reasons = " ".join(site.reason or "" for site in plan.manual)
    assert (why is not None) is ("line 5: " in reasons)
    assert (why or "") in reasons


LABELS = (
    "from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForLanguageModeling, Trainer\n"
    'tok = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B")\n{}'
    'model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")\n'
    "Trainer(model, train_dataset=rows, data_collator=DataCollatorForLanguageModeling(tok, mlm=False)).train()\n"
)


def test_labels_that_mask_the_pad_token(migrate: Migrate) -> None:
    held = migrate(LABELS.format(""))
    assert any("masks the pad token in its labels" in (site.reason or "") for site in held.manual)
    assert b"CleanModelLoader(" in migrate(LABELS.format("tok.pad_token = tok.eos_token\n")).after


def test_rows_that_begin_with_cls(migrate: Migrate) -> None:
    held = migrate(INSIDE + "ids = [tok.cls_token_id] + ids\n")
    assert any("puts `[CLS]` before rows" in (site.reason or "") for site in held.manual)


def test_a_bos_that_a_class_keeps(migrate: Migrate) -> None:
    kept = 'class Config:\n    prefix: str = "<s>"\n'
    held = migrate(INSIDE.replace('"gpt2"', "NAME") + kept)
    assert any("line 6 keeps BOS in a class" in (site.reason or "") for site in held.manual)


def test_a_user_that_puts_an_engine_around_the_model(
    plans: Callable[..., dict[str, Migration]],
) -> None:
    load = "from transformers import AutoModelForCausalLM\n\ndef load(n):\n    return AutoModelForCausalLM.from_pretrained(n)\n"
    use = "import deepspeed\nfrom loading import load\nmodel, *_ = deepspeed.initialize(model=load(NAME))\n"
    held = plans({"loading.py": load, "using.py": use})["loading.py"]
    assert any(
        "using.py puts a model into `deepspeed.initialize`" in (s.reason or "") for s in held.manual
    )
    free = plans(
        {"loading.py": load, "using.py": use.replace("deepspeed.initialize", "mine.initialize")}
    )
    assert not any("deepspeed" in (site.reason or "") for site in free["loading.py"].manual)


def test_labels_that_a_file_of_the_run_masks(plans: Callable[..., dict[str, Migration]]) -> None:
    collate = "def collate(tok, ids):\n    pad = tok.pad_token_id\n    return ids.masked_fill(ids == pad, -100)\n"
    train = (
        "from data import collate\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
        'tok = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B")\n{}'
        'model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")\nmodel.train()\n'
        "loss = model(input_ids=IDS, labels=collate(tok, IDS)).loss\nloss.backward()\nsteps.step()\n"
    )
    held = plans({"data.py": collate, "train.py": train.format("")})["train.py"]
    assert any("masks the pad token in its labels" in (s.reason or "") for s in held.manual)
    said = plans({"data.py": collate, "train.py": train.format("tok.pad_token = tok.eos_token\n")})
    assert not any("masks the pad token" in (s.reason or "") for s in said["train.py"].manual)


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("print(tok)\n", True),
        ('print(f"with {tok!r}")\n', True),
        ("said = {n: getattr(tok, n) for n in NAMES}\n", True),
        ("new = tok.train_new_from_iterator(texts, 300)\n", True),
        ('print(tok.name_or_path, getattr(tok, "vocab_size"))\n', False),
    ],
)
def test_a_tokenizer_that_is_shown_as_a_whole(migrate: Migrate, line: str, held: bool) -> None:
    plan = migrate(INSIDE + line)
    assert any("shows all of the tokenizer" in (site.reason or "") for site in plan.manual) is held


def test_a_side_that_another_file_reads(plans: Callable[..., dict[str, Migration]]) -> None:
    checks = 'def check(tok):\n    assert tok.padding_side == "right"\n'
    files = {"checks.py": checks, "main.py": "from checks import check\n" + INSIDE + "check(tok)\n"}
    held = plans(files)["main.py"]
    assert any("checks.py reads `padding_side`" in (site.reason or "") for site in held.manual)


def test_what_is_put_into_the_librarys_modules(migrate: Migrate) -> None:
    patch = (
        "import transformers.models.gpt2.modeling_gpt2 as ml\nml.eager_attention_forward = mine\n"
    )
    plan = migrate(patch + INSIDE)
    assert any(
        "line 2: what is put into the library" in (site.reason or "") for site in plan.manual
    )
