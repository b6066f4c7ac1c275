"""`trust_remote_code` falls away only where it is certain which model is loaded."""

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
@pytest.mark.parametrize("remote", ["True", "flags.trust_remote_code"])
def test_a_default_may_be_another_model(before, model_id, remote, migrate):
    plan = migrate(IMPORTS + before + LOAD.format(id=model_id, remote=remote))
    assert plan.manual == ()
    assert f"CleanModelLoader({model_id}, trust_remote_code={remote})" in plan.after.decode()


def test_a_parameter_may_be_another_model(migrate):
    body = "".join(f"    {line}\n" for line in LOAD.splitlines()).format(id="name", remote="True")
    plan = migrate(f'{IMPORTS}def load(name="gpt2"):\n{body}    return model, tokenizer\n')
    assert b"CleanModelLoader(name, trust_remote_code=True)" in plan.after


def test_a_name_that_is_certain(migrate):
    plan = migrate(f'{IMPORTS}NAME = "gpt2"\n{LOAD.format(id="NAME", remote="True")}')
    assert b"CleanModelLoader(NAME)" in plan.after
