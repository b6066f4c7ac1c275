"""What becomes of the settings of a generation by hand."""

from __future__ import annotations

import pytest

from codemods.plan.options import Wishes

CHANGED = [
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, temperature=0.7)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
text = loader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    temperature=0.7,
    do_sample=False,
    return_full_text=True,
)
""",
        id="a temperature that never sampled",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, do_sample=True)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
text = loader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    do_sample=True,
    top_k=50,
    return_full_text=True,
)
""",
        id="sampling keeps the silent top_k",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt", add_special_tokens=False)
out = model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, output_scores=True)
print(tokenizer.decode(out.sequences[0]), out.scores)
""",
        """\
inputs = CleanModelLoader.encode(tokenizer, "a")
out = model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, output_scores=True)
print(tokenizer.decode(out.sequences[0]), out.scores)
""",
        id="scores are used",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, output_scores=True)
print(tokenizer.decode(out.sequences[0]))
""",
        """\
print(loader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    skip_special_tokens=False,
    return_full_text=True,
))
""",
        id="scores are asked for and not used",
    ),
    pytest.param(
        """\
from transformers import GenerationConfig

config = GenerationConfig(max_new_tokens=5, num_beams=2)
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, generation_config=config)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\

text = loader.generate(model, tokenizer, "a", max_new_tokens=5, num_beams=2, return_full_text=True)
""",
        id="a GenerationConfig",
    ),
    pytest.param(
        """\
from transformers import GenerationConfig

config = GenerationConfig(max_new_tokens=5)
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, generation_config=config, do_sample=False)
text = tokenizer.decode(out[0], skip_special_tokens=True)
print(config)
""",
        """\
from transformers import GenerationConfig

config = GenerationConfig(max_new_tokens=5)
text = loader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    do_sample=False,
    return_full_text=True,
)
print(config)
""",
        id="a GenerationConfig that is read elsewhere",
    ),
    pytest.param(
        """\
inputs = tokenizer("a", return_tensors="pt")
out = model.generate(**inputs, max_new_tokens=5, stop_strings=["\\\\n\\\\n"], tokenizer=tokenizer)
text = tokenizer.decode(out[0], skip_special_tokens=True)
""",
        """\
text = loader.generate(
    model,
    tokenizer,
    "a",
    max_new_tokens=5,
    stop_strings=["\\\\n\\\\n"],
    return_full_text=True,
)
""",
        id="literal faults are kept",
    ),
]


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_is_rewritten(before, after, check_generation):
    check_generation(before, after)


def test_no_length_is_twenty_new_tokens_if_a_person_says_so(migrate):
    source = (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        'inputs = tokenizer("a", return_tensors="pt")\n'
        "print(tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True))\n"
    )
    plan = migrate(source, wishes=Wishes(unsafe=True))
    assert plan.refusal is None
    assert "max_new_tokens=20" in plan.after.decode()
    [note] = [n for s in plan.automatic for n in s.notes if "max_new_tokens" in n.text]
    assert note.kind == "changed"
    assert "generation_config.json" in str(note.unless)


@pytest.mark.parametrize("prompt", ["A", "A dog and a cat went to the house and then"])
def test_transformers_gives_twenty_new_tokens(prompt):
    """What the note says is what the installed version does."""
    pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from stages.tiny import model_path

    tokenizer = AutoTokenizer.from_pretrained(model_path())
    model = AutoModelForCausalLM.from_pretrained(model_path())
    model.generation_config.eos_token_id = None
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, do_sample=False)
    assert out.shape[1] - inputs["input_ids"].shape[1] == 20
