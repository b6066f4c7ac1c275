"""`trust_remote_code=True` falls away where transformers has the model itself; an option for it is kept."""

from __future__ import annotations

import pytest

IMPORTS = """\
import argparse
import os
from dataclasses import dataclass
from transformers import AutoModelForCausalLM, AutoTokenizer

"""
LOAD = """\
tokenizer = AutoTokenizer.from_pretrained({id}, trust_remote_code={remote})
model = AutoModelForCausalLM.from_pretrained({id}, trust_remote_code={remote})
"""


@pytest.mark.parametrize(
    ("before", "model_id"),
    [
        pytest.param(
            'parser = argparse.ArgumentParser()\nparser.add_argument("--model", default="Qwen/Qwen2.5-7B")\n'
            "args = parser.parse_args()\n",
            "args.model",
            id="an option",
        ),
        pytest.param('name = os.environ.get("MODEL", "gpt2")\n', "name", id="the environment"),
        pytest.param('name = os.getenv("MODEL") or "gpt2"\n', "name", id="or a default"),
        pytest.param(
            '@dataclass\nclass Args:\n    model: str = "gpt2"\n\n\nargs = Args()\n',
            "args.model",
            id="a field",
        ),
    ],
)
def test_an_option_is_kept_where_a_default_may_be_another_model(before, model_id, migrate):
    remote = "flags.trust_remote_code"
    plan = migrate(IMPORTS + before + LOAD.format(id=model_id, remote=remote))
    assert plan.manual == ()
    assert f"CleanModelLoader({model_id}, trust_remote_code={remote})" in plan.after.decode()
    # Written out, it was for the default; the loader names what another model needs.
    plan = migrate(IMPORTS + before + LOAD.format(id=model_id, remote="True"))
    assert f"CleanModelLoader({model_id})" in plan.after.decode()
    (note,) = [n for site in plan.sites for n in site.notes if "trust_remote_code" in n.text]
    assert note.text.endswith(
        "the loader refuses another model that brings code, and says what to name"
    )


@pytest.mark.parametrize(
    ("remote", "kept"), [("True", ""), ("remote", ", trust_remote_code=remote")]
)
def test_a_parameter_may_be_another_model(remote, kept, migrate):
    body = "".join(f"    {line}\n" for line in LOAD.splitlines()).format(id="name", remote=remote)
    plan = migrate(f'{IMPORTS}def load(remote, name="gpt2"):\n{body}    return model, tokenizer\n')
    assert f"CleanModelLoader(name{kept})" in plan.after.decode()


def test_a_name_that_is_certain(migrate):
    plan = migrate(f'{IMPORTS}NAME = "gpt2"\n{LOAD.format(id="NAME", remote="True")}')
    assert b"CleanModelLoader(NAME)" in plan.after
