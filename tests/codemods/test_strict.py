"""Where a call can be watched, a script is guarded only if nothing changes but what the guard is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanguard.files import SourceFile
from cleanguard.settings.config import Settings
from codemods.migration import Migration
from codemods.plan.options import WATCHING
from codemods.planning import Planner
from tests.codemods.conftest import Migrate

HEAD = "import sys, torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
LOADS = f"""{HEAD}tok = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
"""
ASKS = """\
enc = tok(sys.argv[1], return_tensors="pt")
out = model.generate(**enc, max_new_tokens=4, do_sample={})
print(tok.decode(out[0], skip_special_tokens=True))
"""


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"{LOADS}print(tok.pad_token)\n", "is read here"),
        (
            f"{LOADS}rows = tok(sys.argv, padding=True)\nprint(rows.input_ids)\n",
            "a batch is padded",
        ),
        (f"{LOADS}torch.manual_seed(3)\n{ASKS.format(True)}", "sampled texts are drawn anew"),
        (f"{LOADS}print(tok('a<sep>b').input_ids)\n", "writes `<sep>`"),
        (
            f"{LOADS}print(model(tok('a', return_tensors='pt').input_ids))\n",
            "that the guard would make",
        ),
        (
            f"{LOADS}model.save_pretrained('b')\ntok.save_pretrained('b')\n",
            "that the guard would make",
        ),
        (f"{LOADS}import time\nt = time.perf_counter()\n{ASKS.format(False)}", "takes times"),
        (
            f"import pytest\n{HEAD}\n@pytest.fixture\ndef model():\n    return AutoModelForCausalLM.from_pretrained('gpt2')\n",
            "makes a fixture",
        ),
        (f"{LOADS}del model\n", "is freed when the garbage"),
        (
            f"{LOADS}\ndef done():\n    global model\n    model = None\n",
            "is freed when the garbage",
        ),
        (
            f"{HEAD}m = AutoModelForCausalLM.from_pretrained(sys.argv[1])\nprint(m.config)\n",
            "must hold a tokenizer",
        ),
        (
            LOADS.replace('"gpt2"', "sys.argv[1]").replace("1])\n", "1], revision=sys.argv[2])\n"),
            "read as sentencepiece reads it",
        ),
        (
            "import argparse\n"
            + LOADS
            + "p = argparse.ArgumentParser()\np.add_argument('--n', type=int)\n"
            "args = p.parse_args()\n" + ASKS.format(False).replace("=4", "=args.n"),
            "may be None",
        ),
    ],
)
def test_watched_instead(migrate: Migrate, script: str, why: str) -> None:
    plan = migrate(script, wishes=WATCHING)
    assert "CleanModelLoader.load_watched(" in plan.after.decode()
    assert "CleanModelLoader(" not in plan.after.decode()
    assert why in "\n".join(note.text for site in plan.done for note in site.notes)


@pytest.mark.parametrize("sampled", [True, False])
def test_guarded_still(migrate: Migrate, *, sampled: bool) -> None:
    after = migrate(LOADS + ASKS.format(sampled), wishes=WATCHING).after.decode()
    assert "loader.generate(" in after


@pytest.mark.parametrize(
    "uses",
    [
        "del model\n",
        f"torch.manual_seed(3)\n{ASKS.format(True)}",
        "print(tok.pad_token)\n",
    ],
)
def test_who_takes_templates_off_by_hand_is_guarded_and_told(migrate: Migrate, uses: str) -> None:
    plan = migrate(f"{LOADS}tok.chat_template = None\n{uses}", wishes=WATCHING)
    assert "CleanModelLoader(" in plan.after.decode()
    assert not any(site.watched for site in plan.done)


HELPERS = f"{HEAD}\ndef get():\n    return AutoModelForCausalLM.from_pretrained('gpt2'), AutoTokenizer.from_pretrained('gpt2')\n"


@pytest.mark.parametrize(
    ("uses", "guarded"),
    [
        (f"from helpers import get\nimport sys\n\nmodel, tok = get()\n{ASKS.format(False)}", True),
        ("from helpers import get\nimport reading\n\nreading.read(*get())\n", False),
        ("import helpers\n\npair = helpers.get()\nprint(len(pair))\n", False),
    ],
)
def test_who_takes_a_model_is_to_follow_it(tmp_path: Path, uses: str, *, guarded: bool) -> None:
    texts = {
        "helpers.py": HELPERS,
        "main.py": uses,
        "reading.py": "def read(m, t):\n    return m\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files = [SourceFile(name, tmp_path / name) for name in texts]
    plans = [
        one for one in Planner(files, Settings()).plans(WATCHING) if isinstance(one, Migration)
    ]
    helpers = next(one for one in plans if one.filename == "helpers.py")
    assert (b"load_watched" not in helpers.after) is guarded
    assert helpers.changed


PADS = """\
def many(model, tokenizer, prompts):
    rows = tokenizer(prompts, padding=True, return_tensors="pt")
    return tokenizer.batch_decode(model.generate(**rows, max_new_tokens=4, do_sample=False))
"""
CUTS = """\
def many(model, tokenizer, prompt):
    row = tokenizer(prompt, truncation=True, max_length=6, return_tensors="pt")
    return tokenizer.decode(model.generate(**row, max_new_tokens=4, do_sample=False)[0])
"""
DRAWS = """\
def many(model, tokenizer, prompt):
    row = tokenizer(prompt, return_tensors="pt")
    return tokenizer.decode(model.generate(**row, max_new_tokens=4, do_sample=True)[0])
"""
PLAIN = DRAWS.replace("do_sample=True", "do_sample=False")


@pytest.mark.parametrize(
    ("helper", "first", "guarded"),
    [
        (PADS, "", False),
        (CUTS, "", False),
        (DRAWS, "torch.manual_seed(0)\n", False),
        (PLAIN, "", True),
    ],
)
def test_a_generation_in_another_file(
    tmp_path: Path, helper: str, first: str, *, guarded: bool
) -> None:
    """What would be otherwise there is a reason to watch the load here."""
    main = f"import helper\n{LOADS}{first}print(helper.many(model, tok, sys.argv[1]))\n"
    (tmp_path / "helper.py").write_text(helper)
    (tmp_path / "main.py").write_text(main)
    files = [SourceFile(name, tmp_path / name) for name in ("main.py", "helper.py")]
    plans = [
        one for one in Planner(files, Settings()).plans(WATCHING) if isinstance(one, Migration)
    ]
    assert all(one.changed for one in plans)
    assert (b"_watched(" not in plans[0].after + plans[1].after) is guarded


def test_a_tokenizer_alone_whose_batch_would_be_padded_otherwise(migrate: Migrate) -> None:
    script = f"{HEAD}tok = AutoTokenizer.from_pretrained('gpt2')\nprint(tok(['a', 'b c'], padding=True))\n"
    assert migrate(script).changed
    plan = migrate(script, wishes=WATCHING)
    assert not plan.changed
    assert any("a batch is padded" in str(site.reason) for site in plan.manual)


def test_a_folder_may_lack_a_tokenizer(migrate: Migrate) -> None:
    script = f"{HEAD}model = AutoModelForCausalLM.from_pretrained('{{}}')\nprint(model.config)\n"
    names = (
        "../out/checkpoint-9",
        "models/poems",
        "gpt2_finetuned",
        "gpt2",
        "openai-community/gpt2",
    )
    found = [migrate(script.format(name), wishes=WATCHING) for name in names]
    assert [b"load_watched" in one.after for one in found] == [True, True, True, False, False]


def test_a_tokenizer_of_another_name(migrate: Migrate) -> None:
    """The weights may lie alone."""
    script = f"{LOADS}{ASKS.format(False)}".replace(
        'Tokenizer.from_pretrained("gpt2")', 'Tokenizer.from_pretrained("gpt2-large")'
    )
    assert "gpt2-large" in script
    after = migrate(script, wishes=WATCHING).after
    assert b"load_watched" in after


@pytest.mark.parametrize(
    ("checks", "touched"),
    [
        ("import hashlib\nprint(hashlib.sha256(open(__file__, 'rb').read()).hexdigest())\n", False),
        ("import hashlib\nprint(hashlib.sha256(b'key').hexdigest())\n", True),
    ],
)
def test_a_file_whose_bytes_are_checked(migrate: Migrate, checks: str, *, touched: bool) -> None:
    plan = migrate(f"{LOADS}{checks}{ASKS.format(False)}", wishes=WATCHING)
    assert plan.changed is touched
    if not touched:
        assert all("hash source files" in str(site.reason) for site in plan.manual)


@pytest.mark.parametrize(
    "purge",
    [
        "for name in list(sys.modules):\n    if name.startswith('transformers'):\n        del sys.modules[name]\n",
        "sys.modules.pop('transformers', None)\n",
        "import importlib\nimport transformers\nimportlib.reload(transformers)\n",
    ],
)
def test_a_file_that_exchanges_the_library(migrate: Migrate, purge: str) -> None:
    """The loader would go on with the one that it has."""
    plan = migrate(f"import sys\n{purge}{LOADS}{ASKS.format(False)}", wishes=WATCHING)
    assert not plan.changed
    assert all("imported anew" in str(site.reason) for site in plan.manual)


def test_a_file_that_another_checks(tmp_path: Path) -> None:
    pins = "import hashlib, score\nfrom pathlib import Path\n\nprint(hashlib.md5(Path('score.py').read_bytes()))\n"
    (tmp_path / "score.py").write_text(LOADS + ASKS.format(False))
    (tmp_path / "pins.py").write_text(pins)
    files = [SourceFile(name, tmp_path / name) for name in ("score.py", "pins.py")]
    plans = [
        one for one in Planner(files, Settings()).plans(WATCHING) if isinstance(one, Migration)
    ]
    assert not any(one.changed for one in plans)


@pytest.mark.parametrize(
    "remark",
    [
        "# torch.manual_seed(3)",
        "# t = time.perf_counter()",
        "# model.transformer(ids)",
        "# handle = model.register_forward_hook(look)",
        "# print('a<sep>b')",
    ],
)
def test_a_remark_is_no_reason(migrate: Migrate, remark: str) -> None:
    plain = migrate(f"{LOADS}{ASKS.format(True)}", wishes=WATCHING)
    assert "CleanModelLoader(" in plain.after.decode()
    found = migrate(f"{LOADS}{remark}\n{ASKS.format(True)}", wishes=WATCHING)
    assert found.after.decode().replace(f"{remark}\n", "") == plain.after.decode()
