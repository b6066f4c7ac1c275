"""The keyword tables are copies of the guard's: they must say the same."""

from __future__ import annotations

import pytest

from lint_rules._questions.loader_signature import LOADER_KEYWORDS, SETTINGS

# What a raw load has no keyword of the same name and meaning for.
_OWN = {
    "model_id",
    "load_in_8bit",
    "load_in_4bit",
    "for_training",
    "padding_side",
    "trust_remote_code",
    "bos",
    "special_tokens",
    "padding",
    "model_class",
    "config",
}
# Those are keywords of a BitsAndBytesConfig.
_ELSEWHERE = ("allow_", "llm_int8_", "bnb_4bit_")
CARRIED = sorted(name for name in LOADER_KEYWORDS - _OWN if not name.startswith(_ELSEWHERE))
OPTIONS = sorted(name for name in LOADER_KEYWORDS if name.startswith(_ELSEWHERE[1:]))


def test_generate_takes_what_is_written_for_it():
    settings = pytest.importorskip("guard.settings.settled")
    ours = {*SETTINGS, "num_return_sequences"}
    assert ours <= settings.GENERATION_KEYWORDS
    decided = {
        "pad_token_id",
        "skip_special_tokens",
        "clean_up_tokenization_spaces",
        "return_full_text",
        "seed",
        "special_tokens",
    }
    assert settings.GENERATION_KEYWORDS - ours == decided


@pytest.mark.parametrize("keyword", CARRIED)
def test_a_keyword_of_the_load_is_carried(keyword, migrate):
    plan = migrate(
        "from transformers import AutoModelForCausalLM\n"
        f'model = AutoModelForCausalLM.from_pretrained("gpt2", {keyword}=VALUE)\n'
    )
    assert f'CleanModelLoader("gpt2", {keyword}=VALUE)'.encode() in plan.after


@pytest.mark.parametrize("keyword", OPTIONS)
def test_an_option_of_bitsandbytes_is_carried(keyword, migrate):
    bits = "4" if keyword.startswith("bnb_4bit") else "8"
    plan = migrate(
        "from transformers import AutoModelForCausalLM, BitsAndBytesConfig\n"
        f"config = BitsAndBytesConfig(load_in_{bits}bit=True, {keyword}=VALUE)\n"
        'model = AutoModelForCausalLM.from_pretrained("gpt2", quantization_config=config)\n'
    )
    assert f"{keyword}=VALUE".encode() in plan.after
    assert plan.manual == ()


def test_every_option_that_bitsandbytes_has_is_one_of_the_loader():
    transformers = pytest.importorskip("transformers")
    named = set(transformers.BitsAndBytesConfig().to_dict()) - {"quant_method"}
    public = {name for name in named if not name.startswith("_")}
    assert public - {"load_in_8bit", "load_in_4bit"} == set(OPTIONS)


@pytest.mark.parametrize("keyword", sorted(SETTINGS))
def test_a_keyword_of_generate_is_carried(keyword, migrate):
    length = "" if keyword in ("max_new_tokens", "max_length") else "max_new_tokens=5, "
    plan = migrate(
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
        'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
        'inputs = tokenizer("a", return_tensors="pt")\n'
        f"out = model.generate(**inputs, {length}{keyword}=VALUE)\n"
        "print(tokenizer.decode(out[0]))\n"
    )
    assert f"{keyword}=VALUE".encode() in plan.after
    assert plan.manual == ()
