"""Damaged folders end in a GuardError or in a load that is what its record says; fuzz.py runs many more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from tests.guard.zoo.fuzz import run

CASES = 60
# What read_model makes of these is a matter of the weights, and tested beside them.
FAMILIES = ("llama", "gpt2", "gpt_neox")


@pytest.fixture(scope="session")
def folders(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("fuzz")
    found = [Path(shutil.copytree(tiny_dir, home / "plain"))]
    slow = Path(shutil.copytree(tiny_dir, home / "both"))
    model = json.loads((slow / "tokenizer.json").read_text())["model"]
    (slow / "vocab.json").write_text(json.dumps(model["vocab"]))
    (slow / "special_tokens_map.json").write_text('{"eos_token": "<|endoftext|>"}')
    more = Path(shutil.copytree(tiny_dir, home / "templates"))
    (more / "additional_chat_templates").mkdir()
    shutil.copy(more / "chat_template.jinja", more / "additional_chat_templates" / "tool.jinja")
    found += [slow, more]
    for kind in FAMILIES:
        folder = Path(shutil.copytree(tiny_dir, home / kind))
        (folder / "model.safetensors").unlink()
        (folder / "config.json").unlink()
        sizes = {
            "vocab_size": 702,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        }
        sizes |= {"intermediate_size": 16, "bos_token_id": None, "eos_token_id": 0}
        config = AutoConfig.for_model(kind, **sizes)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        found.append(folder)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_no_raw_exception_and_no_wrong_record(folders: list[Path], seed: int) -> None:
    ends, wrong = run(folders, CASES, seed)
    assert not wrong, "\n".join(wrong)
    assert ends["loaded"] > CASES // 10
    assert sum(ends.values()) == CASES
