"""Generations from ids whose settings switch something off, whose ids no tokenizer gave, or of which all is read."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import BEFORE, Check, Migrate

HERD = BEFORE.replace('"gpt2"', '"meta-llama/Llama-3.2-1B"')


def _left(migrate: Migrate, text: str) -> str:
    """The reasons why a script stays as it is."""
    plan = migrate(text)
    assert not plan.changed
    return " ".join(site.reason or "" for site in plan.sites)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("", "eos_token_id=None"),
        ("", "eos_token_id=None if tokenizer else 5"),
        ("ends = None\n", "eos_token_id=ends"),
        ("import sys\n", "eos_token_id=vars(sys).get('ends')"),
        ('more = {"eos_token_id": None}\n', "**more"),
    ],
)
def test_no_end_is_said_to_ids(head: str, said: str, check_ids: Check) -> None:
    body = f"""\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, do_sample=False, {said})
print(tokenizer.decode(out[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""
    check_ids(BEFORE, head + body)


@pytest.mark.parametrize(
    "end",
    ["5", "[5, 6]", "tokenizer.eos_token_id", "tokenizer.encode('b')[-1]", "end"],
)
def test_an_end_that_is_certain_is_said_to_the_text(end: str, migrate: Migrate) -> None:
    body = f"""\
end = tokenizer.convert_tokens_to_ids("b")
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, do_sample=False, eos_token_id={end})
print(tokenizer.decode(out[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""
    assert "loader.generate(" in migrate(BEFORE + body).after.decode()


def test_no_end_unless_a_caller_says(check_ids: Check) -> None:
    body = """\
def ask(prompt, *, ends=None):
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5, do_sample=False, eos_token_id=ends)
    return tokenizer.decode(out[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True)
"""
    check_ids(BEFORE, body)


@pytest.mark.parametrize("said", ["eos_token_id=-1", "pad_token_id=-1"])
def test_ids_below_zero_stay(said: str, migrate: Migrate) -> None:
    body = f"""\
ids = tokenizer("a b c", return_tensors="pt").input_ids
print(model.generate(ids, max_new_tokens=5, do_sample=False, {said}))
"""
    migrated = migrate(BEFORE + body)
    assert not migrated.changed


@pytest.mark.parametrize(
    "made",
    [
        "torch.randint(0, 90, (2, 6))",
        "torch.arange(12).view(2, 6)",
        "torch.tensor(np.random.randint(0, 9, size=(1, 4)))",
        "torch.ones((1, 5), dtype=torch.long)",
    ],
)
def test_ids_that_are_drawn_or_counted_stay(made: str, migrate: Migrate) -> None:
    body = f"ids = {made}\nprint(model.generate(ids, max_new_tokens=5, do_sample=False))\n"
    assert "drawn or counted" in _left(migrate, BEFORE + body)


def test_a_drawn_place_is_no_id(check_ids: Check) -> None:
    body = """\
ids = tokenizer("a b c d", return_tensors="pt").input_ids
start = torch.randint(0, 2, (1,)).item()
print(model.generate(ids[:, start:start + 2], max_new_tokens=5, do_sample=False))
"""
    check_ids(BEFORE, body)


AGAIN = """\
text = "a"
for _ in range(2):
    inputs = tokenizer(text, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    text = tokenizer.decode(out[0]{0})
print(text)
"""


def test_a_text_with_its_bos_that_is_a_prompt_again_stays(migrate: Migrate) -> None:
    reasons = _left(migrate, HERD + AGAIN.format(""))
    assert "with a second BOS" in reasons
    assert "skip_special_tokens=True" in reasons
    ids = 'ids = tokenizer(tokenizer.decode(tokenizer("a").input_ids), return_tensors="pt").input_ids\n'
    ids += "print(model.generate(ids, max_new_tokens=5, do_sample=False))\n"
    assert "with a second BOS" in _left(migrate, HERD + ids)


@pytest.mark.parametrize(
    ("head", "more"),
    [(BEFORE, ""), (HERD, ", skip_special_tokens=True")],
    ids=["no BOS", "without its BOS"],
)
def test_a_text_without_bos_that_is_a_prompt_again(head: str, more: str, migrate: Migrate) -> None:
    plan = migrate(head + AGAIN.format(more))
    assert not plan.manual


def test_a_decoded_text_that_is_only_shown(migrate: Migrate) -> None:
    body = """\
def ask(text):
    inputs = tokenizer(text, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    return tokenizer.decode(out[0])


print(ask("a"))
"""
    assert not migrate(HERD + body).manual


CUT = """\
ids = tokenizer("a b c", return_tensors="pt").input_ids[:, :2]
out = model.generate(ids, max_new_tokens=5, do_sample={0}, return_dict_in_generate=True, output_scores=True)
"""


@pytest.mark.parametrize(
    "read", ["print(out.keys())", "first, *rest = out.to_tuple()", "print(out[0])", "keep(out)"]
)
def test_scores_that_may_be_read_are_asked_for(read: str, migrate: Migrate) -> None:
    plan = migrate(f"{BEFORE}{CUT.format(False)}{read}\n")
    assert "output_scores=True" in plan.after.decode()
    assert plan.changed
    assert not migrate(f"{BEFORE}{CUT.format(True)}{read}\n").changed


def test_scores_of_sampled_texts_of_which_ids_alone_are_read(migrate: Migrate) -> None:
    plan = migrate(f'{BEFORE}{CUT.format(True)}print(out.sequences, out["sequences"])\n')
    assert not plan.manual
    assert "output_scores" not in plan.after.decode()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("model.train()", "model.eval()", True),
        ("model.train(mode=True)", "model.train(mode=False)", True),
        ("model.eval()", "model.train()", True),
        ("model.train(False)", "model.eval()", False),
    ],
)
def test_training_mode_in_force_at_the_call(
    before: str, after: str, told: bool, migrate: Migrate
) -> None:
    body = f"""\
{before}
ids = tokenizer("a b c", return_tensors="pt").input_ids[:, :2]
print(model.generate(ids, max_new_tokens=5, do_sample=False))
{after}
"""
    plan = migrate(BEFORE + body)
    assert not plan.manual
    notes = [note for site in plan.sites for note in site.notes if "training mode" in note.text]
    assert bool(notes) == told


@pytest.mark.parametrize("prepared", ["model.train()", "prepare(model)"])
def test_eval_behind_training_mode_is_not_needless(prepared: str, migrate: Migrate) -> None:
    body = f"""\
def prepare(one):
    one.train()


{BEFORE}{prepared}
model.eval()
ids = tokenizer("a b c", return_tensors="pt").input_ids[:, :2]
print(model.generate(ids, max_new_tokens=5, do_sample=False))
"""
    assert "model.eval()" in migrate(body).after.decode()
