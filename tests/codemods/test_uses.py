"""A model is guarded where all that a script does with it is known; what else is done with it is watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.plan.options import WATCHING
from tests.codemods.conftest import Migrate
from tests.codemods.plans import planned

HEAD = "import sys\nimport torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
LOADS = f"""{HEAD}tok = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
enc = tok(sys.argv[2], return_tensors="pt")
"""
WRAPPED = f"""{HEAD}
class Reward(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        return self.model.transformer(ids)[0]

tok = AutoTokenizer.from_pretrained(sys.argv[1])
reward = Reward(AutoModelForCausalLM.from_pretrained(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"{LOADS}print(model.model(enc.input_ids))\n", "line 8 asks for `.model` of it"),
        (f"{LOADS}model.load_state_dict(torch.load(sys.argv[3]))\n", "asks for `.load_state_dict`"),
        (f"{LOADS}h = [m.lm_head for m in (model,)]\n", "reaches for `.lm_head`"),
        (WRAPPED, "line 12 reaches for `.transformer`"),
        (
            f"{LOADS}MyThread(target=model.generate, kwargs=sys.argv).start()\n",
            "for `.generate` of it",
        ),
        (f"from x import hit\n{LOADS}hit(model, 'a')\n", "`x.hit` gets the model"),
        (f"{LOADS}torch.nn.DataParallel(model)\n", "`torch.nn.DataParallel` gets the model"),
        (
            f"{LOADS}batch = sys.stdin\nprint(model(**batch))\n",
            "a batch is scored of which nothing",
        ),
    ],
)
def test_other_uses_are_watched(migrate: Migrate, script: str, why: str) -> None:
    plan = migrate(script, wishes=WATCHING)
    assert "load_watched(" in plan.after.decode()
    assert why in "\n".join(note.text for site in plan.done for note in site.notes)


@pytest.mark.parametrize(
    "uses",
    [
        "model.to(0).eval()\nprint(model.config.vocab_size, model.device, model.num_parameters())\n",
        "torch.save(model.state_dict(), sys.argv[3])\n",
        "print(model(**enc).logits)\n",
        "print(sum(p.numel() for p in model.parameters()))\nmodel.save_pretrained(sys.argv[3])\ntok.save_pretrained(sys.argv[3])\n",
    ],
)
def test_known_uses_are_guarded(migrate: Migrate, uses: str) -> None:
    assert "CleanModelLoader(" in migrate(LOADS + uses).after.decode()


def test_a_tokenizer_that_stays_under_another_name(tmp_path: Path) -> None:
    """It may be the model's, and pads its batches in another file on the side that its files name."""
    score = f"""{HEAD}from rows import rows_of

class Scores:
    def __init__(self, place, words=None):
        self.tok = AutoTokenizer.from_pretrained(words)
        self.model = AutoModelForCausalLM.from_pretrained(place)

    def of(self, texts):
        return [self.model(**batch).logits for batch in rows_of(texts, self.tok)]
"""
    rows = (
        "def rows_of(texts, tok):\n    return [tok(text, padding='max_length') for text in texts]\n"
    )
    plan = planned(tmp_path, {"score.py": score, "rows.py": rows})["score.py"]
    assert b"CleanModelLoader(" not in plan.after


@pytest.mark.parametrize(
    ("saves", "watched"), [("", True), ("    tok.save_pretrained(place)\n", False)]
)
def test_a_folder_that_another_function_writes(
    migrate: Migrate, saves: str, *, watched: bool
) -> None:
    script = f"""{HEAD}
def double(name, place):
    tok = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name)
    for weight in model.parameters():
        weight.data *= 2
    model.save_pretrained(place)
{saves}
def compare(one):
    model = AutoModelForCausalLM.from_pretrained(one)
    print(model.state_dict().keys())
"""
    after = migrate(script).after.decode()
    assert ("from_pretrained(one)" in after) is watched
    assert "load_watched(one)" in migrate(script, wishes=WATCHING).after.decode()
