"""The chain: each stage reads what the one before it wrote; one that is finished is not done again."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from stages import dpo, evaluate, generate, preferences, sft
from stages.chain.config import ChainConfig
from stages.folder import run_folder
from stages.generate.steps import DATASET
from stages.preferences.steps import PAIRS
from stages.processes.ranks import refuse_many
from stages.registry import Outcome
from stages.training.engine import ADAPTER

_log = logging.getLogger("cleanguard.chain")


def run_all(config: ChainConfig) -> Outcome:
    """Run the stages in order.

    Raises:
        JobError, GuardError: As the stages do.
    """
    refuse_many("chain")
    lines: list[str] = []
    passed = True
    begin = time.monotonic()
    with run_folder(config.out, "chain", config):
        for name, run in _stages(config):
            _log.info("chain: %s", name)
            start = time.monotonic()
            outcome = run()
            _free_memory()
            lines += [f"── {name} ({time.monotonic() - start:.0f} s)", *outcome.lines, ""]
            passed = passed and outcome.passed
    lines.append(f"{time.monotonic() - begin:.0f} s in all")
    return Outcome(tuple(lines), passed)


def _stages(config: ChainConfig) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    data = config.out / "generate" / DATASET
    pairs = config.out / "preferences" / PAIRS
    tuned, preferred = config.out / "sft" / ADAPTER, config.out / "dpo" / ADAPTER

    def own(name: str, part: Any, **paths: Any) -> Any:
        return replace(part, out=config.out / name, seed=config.seed, model=config.model, **paths)

    yield "generate", lambda: generate.run(own("generate", config.generate))
    yield "sft", lambda: sft.run(own("sft", config.sft, data=data))
    yield (
        "preferences",
        lambda: preferences.run(own("preferences", config.preferences, adapter=tuned)),
    )
    yield "dpo", lambda: dpo.run(own("dpo", config.dpo, data=pairs, sft=tuned))
    yield "evaluate", lambda: evaluate.run(
        own(
            "evaluate", config.evaluate,
            adapters=(f"sft={tuned}", f"dpo={preferred}"), training_data=(data, pairs),
        )
    )  # fmt: skip


def _free_memory() -> None:
    """Let go of a stage's model before the next one loads its own."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
