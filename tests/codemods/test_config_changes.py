"""A GenerationConfig that is changed after it was made: carried where certain, else the call stays."""

from __future__ import annotations

import pytest

SOURCE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")


def answer(prompt: str, hot=False):
    config = GenerationConfig(max_new_tokens=5)
{lines}
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, generation_config=config)
    return tokenizer.decode(out[0], skip_special_tokens=True)


def tighten(c):
    c.repetition_penalty = 1.2
"""


def source(*lines):
    return SOURCE.format(lines="\n".join(f"    {line}" for line in lines))


@pytest.mark.parametrize(
    ("lines", "carried"),
    [
        (["config.repetition_penalty = 1.2"], "repetition_penalty=1.2"),
        (["config.do_sample = True", "config.temperature = 0.5"], "do_sample=True"),
        (["config.max_new_tokens = 7"], "max_new_tokens=7"),
        (["print(config.max_new_tokens)", "config.num_beams = 2"], "num_beams=2"),
        (['print(f"{config}")'], "max_new_tokens=5"),
    ],
)
def test_what_lies_on_the_only_way_is_carried(lines, carried, migrate):
    plan = migrate(source(*lines))
    assert [site.reason for site in plan.manual] == []
    call = plan.after.decode().partition("CleanModelLoader.generate(")[2]
    assert carried in call.partition("return_full_text")[0]
    assert call.count("max_new_tokens=") == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["if hot:", "    config.temperature = 0.9"],
        ["for _ in range(2):", "    config.top_k = 4"],
        ["config.update(top_k=2)"],
        ["same = config", "same.top_k = 4"],
        ['setattr(config, "top_k", 4)'],
        ["tighten(config)"],
        ['config.__dict__["top_k"] = 4'],
        ['vars(config)["top_k"] = 4'],
        ["config.top_k += 4"],
        ["with_settings = [config]", "with_settings[0].top_k = 4"],
        ["config.top_k = ask()"],
    ],
    ids=lambda lines: lines[-1].strip(),
)
def test_what_may_change_it_goes_with_it(lines, migrate):
    """The config itself goes to `generate_ids`, which takes it as transformers does."""
    plan = migrate(source(*lines))
    assert plan.manual == ()
    after = plan.after.decode()
    assert ".generate_ids(" in after
    assert "generation_config=config" in after
    assert all(line in after for line in lines)
    assert any("come" in note.text for site in plan.sites for note in site.notes)


@pytest.mark.parametrize(
    "lines", [["config = change(config)"], ["config.update(num_beams=2, do_sample=True)"], ["config.penalty_alpha = 2"]]
)  # fmt: skip
def test_what_may_make_another_of_it_leaves_the_call(lines, check_noop):
    check_noop(source(*lines))


@pytest.mark.parametrize(
    "line",
    [
        "model.generation_config.top_k = 4",
        'setattr(model.generation_config, "top_k", 4)',
        "model.generation_config.update(top_k=4)",
        "c = model.generation_config",
        'setattr(model, "generation_config", c)',
        "model.generation_config.top_k += 1",
        "tighten(model.generation_config)",
        'model.generation_config.__dict__["top_k"] = 4',
    ],
)
def test_the_models_own_settings_leave_the_call(line, check_noop):
    check_noop(source("pass").replace("\n\ndef answer", f"\n{line}\n\n\ndef answer", 1))


@pytest.mark.parametrize(
    "line", ["print(model.generation_config)", "print(model.generation_config.to_dict())"]
)
def test_a_look_at_them_does_not(line, migrate):
    text = source("pass").replace("\n\ndef answer", f"\n{line}\n\n\ndef answer", 1)
    left = [s.reason for s in migrate(text).manual]
    assert left == [] if "to_dict" in line else True
