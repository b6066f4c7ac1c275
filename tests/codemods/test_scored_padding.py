"""A padded batch that is scored: the loader pads on the left, so the script must have, too."""

from __future__ import annotations

import pytest

TOP = "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained("gpt2")\n'
MODEL = 'model = AutoModelForCausalLM.from_pretrained("gpt2")\n'
SCORE = (
    'batch = tokenizer(texts, return_tensors="pt", padding=True)\nlogits = model(**batch).logits\n'
)
# Of a family with rotary positions.
LEFT = (
    'tokenizer = AutoTokenizer.from_pretrained("Qwen/Qwen2.5-0.5B", padding_side="left")\n'
    'model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen2.5-0.5B")\n'
)
LAST = "last = logits[range(2), batch['attention_mask'].sum(1) - 1]\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(TOKENIZER + MODEL + SCORE + LAST, id="the tokenizer's own side"),
        pytest.param(TOKENIZER + 'tokenizer.padding_side = "right"\n' + MODEL + SCORE + LAST, id="put right"),
        pytest.param(TOKENIZER.replace(")", ", padding_side=side)") + MODEL + SCORE, id="a side that is not known"),
        pytest.param(TOKENIZER + MODEL + SCORE.replace("padding=True", 'padding="max_length", max_length=9'), id="to one length"),
        pytest.param(TOKENIZER + MODEL + SCORE.replace("padding=True", "padding=True, add_special_tokens=False"), id="with a finding of its own"),
        pytest.param(TOKENIZER + "use(tokenizer)\n" + MODEL + SCORE, id="loaded alone"),
        pytest.param(TOKENIZER + MODEL + SCORE.replace("padding=True", "**said"), id="by a dict of the run"),
    ],
)  # fmt: skip
def test_the_tokenizer_is_left_to_a_person(body, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert "AutoTokenizer.from_pretrained" in plan.after.decode()
    assert "tokenizer(texts, " in plan.after.decode()
    [reason] = [site.reason for site in plan.manual if site.code == "CG102"]
    assert "pads on the left" in str(reason)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(LEFT + SCORE, id="left by keyword"),
        pytest.param(LEFT.replace(', padding_side="left")', ')\ntokenizer.padding_side = "left"') + SCORE, id="left by attribute"),
        pytest.param(TOKENIZER + MODEL + SCORE.replace("padding=True", "padding=False"), id="not padded"),
        pytest.param(LEFT.replace(', padding_side="left"', "") + SCORE.replace("padding=True", 'padding=True, padding_side="left"'), id="left in the call"),
        pytest.param(TOKENIZER.replace(")", ', padding_side="left")') + MODEL + SCORE.replace("**batch", "**batch, position_ids=places"), id="positions that are said"),
        pytest.param(TOKENIZER + MODEL + SCORE.replace("model(**batch).logits", "count(batch)"), id="not scored"),
        pytest.param(TOKENIZER + MODEL + SCORE + "Trainer(model)\n", id="a training keeps its side"),
    ],
)  # fmt: skip
def test_the_tokenizer_is_migrated(body, migrate):
    plan = migrate(TOP + body)
    assert plan.refusal is None
    assert [site.reason for site in plan.manual if site.code == "CG102"] == []


@pytest.mark.parametrize("said", ['tokenizer.padding_side = "left"\n', ""])
def test_models_that_count_positions_are_not_given_rows_padded_on_the_left(said, migrate):
    score = SCORE if said else SCORE.replace("padding=True", 'padding=True, padding_side="left"')
    plan = migrate(TOP + TOKENIZER + said + MODEL + score)
    [reason] = [site.reason for site in plan.manual if site.code == "CG102"]
    assert "without `position_ids`" in str(reason)
