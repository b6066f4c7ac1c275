"""What is computed when it is asked for is asked for as often, and in the same order, as before."""

from __future__ import annotations

import pytest

from tests.codemods.conftest import Migrate

LAZY = """\
from functools import cached_property
from transformers import AutoModelForCausalLM, AutoTokenizer

class Lazy:
    {}
    def model(self):
        return AutoModelForCausalLM.from_pretrained("gpt2")

    {}
    def tokenizer(self):
        return AutoTokenizer.from_pretrained("gpt2")

    def ask(self, prompt):
        x = {}(prompt, return_tensors="pt")
        y = {}.generate(**x, max_new_tokens=4, do_sample=False)
        return {}.decode(y[0], skip_special_tokens=True)
"""


@pytest.mark.parametrize("mark", ["@property", "@cached_property", ""])
def test_a_property_is_read_where_it_was(mark: str, migrate: Migrate) -> None:
    call = "" if mark else "()"
    tokenizer, model = f"self.tokenizer{call}", f"self.model{call}"
    text = LAZY.format(*([mark or "# none"] * 2), tokenizer, model, tokenizer)
    after = migrate(text).after.decode()
    assert after.index(f"x = {tokenizer}(") < after.index(model)
    assert after.count(tokenizer) == 2
