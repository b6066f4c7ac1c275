"""Ids that a script changes, or of which it takes a part, are not those of the prompt."""

from __future__ import annotations

from typing import Any

import pytest

from codemods.facts import intact_ids
from tests.codemods.conftest import Migrate

LOAD = (
    "import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
    'tok = AutoTokenizer.from_pretrained("meta-llama/Llama-3.2-1B")\n'
    'model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-3.2-1B")\n'
)
ENC = 'enc = tok("The lamp", return_tensors="pt")\n'
END = "print(tok.decode(out[0], skip_special_tokens=True))\n"
ASK = "out = model.generate(**enc, max_new_tokens=4)\n" + END
HELPER = "def move(enc):\n    return {k: v%s.to(model.device) for k, v in enc.items()}\n\n"


@pytest.mark.parametrize(
    "rest",
    [
        ENC + "enc = {k: v[:, -6:] for k, v in enc.items()}\n" + ASK,
        ENC + 'enc["input_ids"] = enc["input_ids"][:, :4]\n' + ASK,
        'class Asks:\n    def cut(self, e):\n        return {k: v[:, :3] for k, v in e.items()}\n\n    def ask(self, p):\n'
        '        enc = self.cut(tok(p, return_tensors="pt"))\n        out = model.generate(**enc, max_new_tokens=4)\n'
        "        return tok.decode(out[0], skip_special_tokens=True)\n",
        HELPER % "[:, :4]" + ENC.replace("tok(", "move(tok(").replace(")\n", "))\n") + ASK,
        'ids = tok("The lamp")["input_ids"][:5]\nout = model.generate(torch.tensor([ids]), max_new_tokens=4)\n' + END,
        'ids = tok("The lamp", return_tensors="pt").input_ids[..., 1:]\nout = model.generate(ids, max_new_tokens=4)\n' + END,
    ],
    ids=["dict", "entry", "method", "helper", "list", "dots"],
)  # fmt: skip
def test_a_part_of_them_stays_in_ids(rest, check_ids):
    assert "allow_missing_bos=True" in check_ids(LOAD, rest).after.decode()


@pytest.mark.parametrize(
    "rest",
    [
        ENC + 'enc["input_ids"][0, 1] = 7\n' + ASK,
        ENC + "enc.input_ids[:, 1] += 1\n" + ASK,
        ENC + "enc.input_ids.fill_(3)\n" + ASK,
        ENC + 'enc.update({"input_ids": enc["input_ids"] * 0})\n' + ASK,
        ENC + "ids = enc.input_ids\nids.data = ids.data * 0\n" + ASK,
        ENC + 'row = enc["input_ids"]\nrow[0, -1] = 9\n' + ASK,
        'def spoil(e):\n    e["input_ids"][0, 1] = 9\n\n' + ENC + "spoil(enc)\n" + ASK,
        'ids = tok.encode("The lamp", return_tensors="pt").repeat(2, 1)\nout = model.generate(ids, max_new_tokens=4)\n' + END,
        'ids = torch.tensor([tok("The lamp").input_ids + [13]])\nout = model.generate(ids, max_new_tokens=4)\n' + END,
        "from helpers import spoil\n" + ENC + "spoil(enc)\n" + ASK,
        'spoil = lambda e: e["input_ids"].fill_(9)\n' + ENC + "spoil(enc)\n" + ASK,
        ENC + 'list(map(lambda t: t.fill_(1), [enc["input_ids"]]))\n' + ASK,
        'enc = tok(["The lamp", "A"], return_tensors="pt", padding=True)\nfor i in range(2):\n'
        "    out = model.generate(enc.input_ids[i].unsqueeze(0), max_new_tokens=4)\n    " + END,
    ],
    ids=["token", "added", "filled", "update", "data", "alias", "function", "rows", "more", "imported", "lambda", "map", "row"],
)  # fmt: skip
def test_what_is_changed_stays(rest, migrate):
    plan = migrate(LOAD + rest)
    assert plan.after == plan.before
    [reason] = [site.reason for site in plan.manual if site.code == "CG301"]
    told = ("a part of what was tokenised", "changes the ids", "cannot be followed to this call")
    assert any(one in reason for one in told)


def test_ids_that_are_changed_and_scored_may_lack_bos(migrate):
    rest = ENC + 'enc["input_ids"][:, 0] = 9\nprint(model(**enc).logits)\n'
    assert "allow_missing_bos=True" in migrate(LOAD + rest).after.decode()
    assert "allow_missing_bos" not in migrate(LOAD + ENC + "model(**enc)\n").after.decode()


@pytest.mark.parametrize(
    "rest",
    [
        ENC + "enc = {k: v.to(model.device) for k, v in enc.items()}\n" + ASK,
        ENC + 'enc.pop("token_type_ids", None)\n' + ASK,
        HELPER % "" + ENC + "enc = move(enc)\n" + ASK,
        ENC + 'print(len(enc.input_ids[0]), enc)\nrows = [enc["input_ids"]]\n' + ASK,
        'ids = tok.encode("The lamp", return_tensors="pt").to(model.device)\nout = model.generate(ids, max_new_tokens=4)\n' + END,
    ],
    ids=["moved", "popped", "helper", "shown", "ids"],
)  # fmt: skip
def test_what_is_only_moved_goes(rest, migrate):
    sites = [site for site in migrate(LOAD + rest).sites if site.code == "CG301"]
    assert [site.reason for site in sites] == [None]


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("from functools import partial\ngo = partial(model.generate, max_new_tokens=4)\n" + ENC + "out = go(**enc)\n" + END, "stands for the model's `generate`"),
        ('go = getattr(model, "generate")\n' + ENC + "out = go(**enc, max_new_tokens=4)\n" + END, "stands for the model's `generate`"),
        ("go = model.generate\n" + ENC + "out = go(**enc, max_new_tokens=4)\n" + END, "stands for the model's `generate`"),
        ('from functools import partial\nto = partial(tok, return_tensors="pt")\nenc = to("The lamp")\n' + ASK, "`to` stands for a call"),
    ],
    ids=["partial", "getattr", "bound", "tokenizer"],
)  # fmt: skip
def test_what_a_name_stands_for(rest, reason, migrate):
    plan = migrate(LOAD + rest)
    assert plan.after == plan.before
    [found] = [site.reason for site in plan.manual if site.code == "CG301"]
    assert reason in found


@pytest.mark.parametrize(
    ("name", "text", "goes"),
    [
        ("meta-llama/Llama-2-7b-hf", 'tok.bos_token + "The lamp"', False),
        ("meta-llama/Llama-2-7b-hf", 'f"{tok.bos_token} The lamp"', True),
        ("mistralai/Mistral-7B-v0.1", 'tok.bos_token + "The lamp"', False),
        ("meta-llama/Llama-3.2-1B", 'tok.bos_token + "The lamp"', True),
    ],
)
def test_the_first_word_behind_a_bos(name, text, goes, migrate):
    """Sentencepiece's mark of a beginning is not put behind a special token."""
    rest = ENC.replace('"The lamp"', text).replace(")\n", ", add_special_tokens=False)\n") + ASK
    plan = migrate(LOAD.replace("meta-llama/Llama-3.2-1B", name) + rest)
    assert ("bos_token" not in plan.after.decode()) == goes


@pytest.mark.parametrize("shown", ["next(it)", "left", "len(left)"])
def test_a_prompt_with_effects_is_made_where_it_was(shown, migrate):
    rest = (
        'it = left = iter(["a", "b"])\nenc = tok(next(it), return_tensors="pt")\n'
        "out = model.generate(**enc, max_new_tokens=4)\n"
        f"print({shown}, tok.decode(out[0], skip_special_tokens=True))\n"
    )
    after = migrate(LOAD + rest).after.decode()
    assert "generate(model, tok, next(it)" in after
    assert after.endswith(f"print({shown}, text)\n")


def test_names_that_are_set_again_and_again_are_followed_once_each(
    monkeypatch: pytest.MonkeyPatch, migrate: Migrate
) -> None:
    """Each further pair of lines in a notebook took sixteen times as long: four of them half a minute."""
    steps: list[int] = []
    plain = intact_ids._Way.follow

    def counted(self: Any, *given: Any) -> None:
        steps.append(1)
        plain(self, *given)

    monkeypatch.setattr(intact_ids._Way, "follow", counted)
    head = 'from transformers import AutoModelForCausalLM\nimport sys\nfrom x import tok\nmodel = AutoModelForCausalLM.from_pretrained("gpt2")\n'
    again = "inputs = tok.of(sys.argv)\ninputs = inputs.to(0)\n"
    counts = []
    for times in (4, 8):
        steps.clear()
        migrate(f"{head}{again * times}print(model(inputs))\nprint(model.generate(inputs))\n")
        counts.append(len(steps))
    assert counts[1] < 8 * counts[0]
