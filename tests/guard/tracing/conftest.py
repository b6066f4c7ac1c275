"""Small causal models with tokenizers of several kinds, and what a trace says of a piece of work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import guard
from cleanguard.settings.config import Settings

Codes = Callable[..., list[str]]
# Loads and generations by hand are in every test; they have tests of their own.
ALWAYS = ("CG101", "CG102", "CG301")


@pytest.fixture
def qwen(tiny_dir: Path) -> tuple[Any, Any]:
    """Without BOS, with ChatML."""
    model = AutoModelForCausalLM.from_pretrained(tiny_dir, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(tiny_dir)


@pytest.fixture
def llama(llama_like: Callable[[bool], Path]) -> tuple[Any, Any]:
    """A tokenizer that adds BOS by its post-processor."""
    folder = llama_like(True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def codes() -> Codes:
    """The codes that a trace reports for some work, in the order of their places."""

    def run(work: Callable[[], Any], **settings: Any) -> list[str]:
        given = Settings(ignore=ALWAYS) if not settings else Settings(**settings)
        with guard.traced(given) as run:
            work()
        assert not [one.what for one in run.seen.blind if "could not be read" in one.what]
        return [finding.code for finding in run.findings]

    return run
