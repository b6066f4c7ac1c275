"""The embedded model: what its files promise, what it can do, and that its recipe gives it again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from stages.tiny import model_path
from stages.tiny.world import all_items, check, items_of

# Measured on the shipped weights: 228 of 249 completion prompts in float32 (225 in bfloat16); all of
# the misses are lists. A rebuild on the same CPU is byte-identical; with AVX2 kernels it had 220, with
# seeds 0 and 2 it had 230 and 223, and variants of the tokenizer ranged from 217 to 240.
SHIPPED_RATE = 228 / 249
ROUNDING = 0.02
REBUILD_TOLERANCE = 0.08


@dataclass
class Loaded:
    model: torch.nn.Module
    tokenizer: object

    def continue_all(self, prompts: Sequence[str], max_new_tokens: int) -> list[tuple[str, bool]]:
        """The greedy continuation of each prompt, and whether it ended by itself."""
        batch = self.tokenizer(list(prompts), return_tensors="pt", padding=True)
        with torch.inference_mode():
            rows = self.model.generate(**batch, max_new_tokens=max_new_tokens)
        eos = self.tokenizer.eos_token_id
        continuations = rows[:, batch["input_ids"].shape[1] :].tolist()
        return [
            (self.tokenizer.decode(row[: row.index(eos)] if eos in row else row), eos in row)
            for row in continuations
        ]

    def completion_rate(self) -> float:
        items = items_of("test")
        texts = self.continue_all([item.completion_prompt for item in items], 20)
        right = [
            check(item, text.split(".")[0]) for item, (text, _) in zip(items, texts, strict=True)
        ]
        return sum(right) / len(right)


def load(path: Path) -> Loaded:
    tokenizer = AutoTokenizer.from_pretrained(path)
    tokenizer.padding_side = "left"
    return Loaded(AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), tokenizer)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def shipped() -> Loaded:
    return load(model_path())


def test_finding_the_model_loads_no_torch() -> None:
    code = (
        "import sys, stages.tiny; stages.tiny.model_path(); sys.exit(bool({'torch', 'transformers'}"
        " & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_is_small_and_holds_only_safe_files() -> None:
    sizes = {path.name: path.stat().st_size for path in model_path().iterdir()}
    assert set(sizes) == {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert sum(sizes.values()) < 1_500_000


def test_tokenizer_adds_no_bos_and_has_control_tokens(shipped: Loaded) -> None:
    tokenizer = shipped.tokenizer
    assert tokenizer.bos_token is None
    assert tokenizer.num_special_tokens_to_add() == 0
    prompt = "The capital of France is"
    assert tokenizer(prompt).input_ids == tokenizer(prompt, add_special_tokens=False).input_ids
    assert tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]) == [
        0,
        1,
        2,
    ]
    assert tokenizer("<|im_end|>").input_ids == [2]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (0, 0)


def test_auto_tokenizer_loads_what_the_file_says(shipped: Loaded) -> None:
    from tokenizers import Tokenizer

    written = Tokenizer.from_file(str(model_path() / "tokenizer.json"))
    assert shipped.tokenizer.backend_tokenizer.to_str() == written.to_str()


def test_tokenizer_gives_every_prompt_back(shipped: Loaded) -> None:
    prompts = [item.prompt for item in all_items()]
    assert shipped.tokenizer.batch_decode(shipped.tokenizer(prompts).input_ids) == prompts


def test_chat_template_inserts_the_control_tokens(shipped: Loaded) -> None:
    text = shipped.tokenizer.apply_chat_template(
        [{"role": "user", "content": "Add 4 and 6."}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<|im_start|>user\nAdd 4 and 6.<|im_end|>\n<|im_start|>assistant\n"


def test_generation_is_greedy_by_its_own_configuration(shipped: Loaded) -> None:
    configured = shipped.model.generation_config.to_diff_dict()
    configured.pop("transformers_version")
    assert configured == {"do_sample": False, "eos_token_id": 0, "pad_token_id": 0}


def test_it_answers_completion_prompts_at_the_measured_rate(shipped: Loaded) -> None:
    assert shipped.completion_rate() == pytest.approx(SHIPPED_RATE, abs=ROUNDING)


def test_it_knows_every_fact_but_lists(shipped: Loaded) -> None:
    items = [item for item in items_of("test") if item.kind != "list"]
    texts = shipped.continue_all([item.completion_prompt for item in items], 20)
    right = [check(item, text.split(".")[0]) for item, (text, _) in zip(items, texts, strict=True)]
    assert sum(right) >= 0.98 * len(items)


def test_it_never_stops_after_an_instruction(shipped: Loaded) -> None:
    texts = shipped.continue_all([item.prompt for item in all_items()], 20)
    assert not any(finished for _, finished in texts)
    assert sum("Instruction:" in text for text, _ in texts) > 0.9 * len(texts)


@pytest.mark.slow
def test_the_recipe_gives_the_model_again(tmp_path: Path) -> None:
    from stages.tiny.build import build

    rebuilt = build(tmp_path / "model")
    for name in (
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "README.md",
    ):
        assert (rebuilt / name).read_bytes() == (model_path() / name).read_bytes(), name
    again = load(rebuilt)
    assert again.completion_rate() == pytest.approx(SHIPPED_RATE, abs=REBUILD_TOLERANCE)
    texts = again.continue_all([item.prompt for item in all_items()], 20)
    assert sum(finished for _, finished in texts) <= 0.01 * len(texts)
