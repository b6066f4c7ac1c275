"""Settings that the guard refuses at run time: the call stays, and a proof of the migrated one fails."""

from __future__ import annotations

import pytest

from codemods.proof.prove import compare_runs

LOAD = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
inputs = tokenizer("a", return_tensors="pt")
"""
BEAMS = "it samples with `num_beams`, which the guard refuses; choose one: beams, or do_sample"


def source(arguments: str) -> str:
    call = f"out = model.generate(**inputs, {arguments})\n"
    return f"{LOAD}{call}print(tokenizer.decode(out[0], skip_special_tokens=True))\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("max_new_tokens=5, do_sample=True, num_beams=2, temperature=0.5", BEAMS),
        ("max_new_tokens=5, do_sample=s, num_beams=n", BEAMS),
        ('**{"max_new_tokens": 5, "do_sample": True}, num_beams=2', BEAMS),
        ('max_new_tokens=5, do_sample=True, **({"num_beams": 2} if s else {})', BEAMS),
        (
            "max_new_tokens=5, min_new_tokens=7",
            "it asks for min_new_tokens=7 with max_new_tokens=5",
        ),
        (
            "max_new_tokens=5, do_sample=True, temperature=0",
            "it samples with temperature=0, which the guard refuses",
        ),
        ("max_new_tokens=5, do_sample=True, top_p=2.0", "the guard refuses top_p=2.0"),
        ("max_new_tokens=0", "the guard refuses max_new_tokens=0"),
        ("max_new_tokens=5, do_sample=1", "the guard refuses do_sample=1"),
    ],
)
def test_it_stays(arguments, reason, migrate):
    plan = migrate(source(arguments))
    assert plan.refusal is None
    assert [site.reason for site in plan.manual if site.code == "CG301"] == [reason]


@pytest.mark.parametrize("more", ["", ", num_beams=2", ", temperature=0.5, num_beams=1"])
def test_the_same_text_several_times_stays(more, migrate):
    before = (
        f"{LOAD}out = model.generate(**inputs, max_new_tokens=5, num_return_sequences=3{more})\n"
    )
    plan = migrate(f"{before}texts = tokenizer.batch_decode(out)\n")
    [reason] = [site.reason for site in plan.manual if site.code == "CG301"]
    assert reason == "3 texts from a greedy call are the same text"


@pytest.mark.parametrize("beams", ["n = 1\n", "n = 1\nif s:\n    n = None\n"])
def test_beams_that_are_certainly_one(beams, migrate):
    text = source("max_new_tokens=5, do_sample=s, num_beams=n").replace(
        "inputs =", f"{beams}inputs =", 1
    )
    assert migrate(text).manual == ()


def test_beams_that_are_perhaps_one(migrate):
    text = source("max_new_tokens=5, do_sample=s, num_beams=n")
    text = text.replace("inputs =", "n = 1\nif s:\n    n = compute()\ninputs =", 1)
    left = migrate(text).manual
    assert [site.reason for site in left if site.code == "CG301"] == [BEAMS]


@pytest.mark.parametrize(
    "arguments",
    [
        "max_new_tokens=5, num_beams=n",
        "max_new_tokens=5, do_sample=False, num_beams=4",
        "max_new_tokens=5, do_sample=s, num_beams=1",
        "max_new_tokens=5, min_new_tokens=5",
        "max_new_tokens=5, do_sample=True, temperature=t",
    ],
)
def test_it_is_rewritten(arguments, migrate):
    assert migrate(source(arguments)).manual == ()


@pytest.mark.parametrize("name", ["max_new_tokens", "max_length", "min_new_tokens", "num_beams",
                                  "num_return_sequences", "temperature", "top_p", "min_p",
                                  "repetition_penalty"])  # fmt: skip
def test_the_ranges_are_those_of_the_guard(name):
    in_range = pytest.importorskip("guard.settings.ranges").in_range
    from codemods.settings.contradictions import _RANGES

    least, most = _RANGES[name]
    assert in_range({name: least if least < 1 and least > 0 else int(least)})
    outside = [value for value in (least - 1, most + 1) if value != float("inf")]
    for value in outside:
        with pytest.raises(ValueError, match=name):
            in_range({name: value if name == "top_p" else int(value)})


@pytest.mark.slow
def test_a_proof_of_settings_that_the_guard_refuses_fails(tmp_path, migrate):
    path = tmp_path / "script.py"
    before = source("max_new_tokens=5, do_sample=True, top_k=50")
    path.write_text(before)
    plan = migrate(before)
    after = plan.after.decode().replace("top_k=50", "top_k=50, num_beams=2").encode()
    outcome = compare_runs(path, plan.before, after)
    assert "did not run after its migration" in outcome.verdict
    assert "num_beams > 1" in outcome.verdict
