"""Lets the base model write instructions itself, shown a few known ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cleanguard.errors import JobError
from guard.records.writer import JsonlWriter
from stages.engines import Engine
from stages.generate.config import GenerateConfig
from stages.generate.seeds import Seed
from stages.jsonl import read_lines
from stages.processes.pieces import Piece, spread
from stages.text import normalised

if TYPE_CHECKING:
    from guard import Completion

_ROUNDS = 8  # drawings for each instruction that is wanted, before the stage says that it is stuck


def invented_seeds(
    engine: Engine, config: GenerateConfig, known: Sequence[Seed], path: Path
) -> list[Seed]:
    """New instructions in the model's own words; what was drawn before is read from the file.

    Args:
        engine: Holds the base model.
        config: A temperature of 0 is taken as 1 here: greedy drawings are all the same.
        known: Instructions to show; none of them comes back as new.
        path: Where every drawing is kept.

    Raises:
        JobError: The model repeats itself too often.
    """
    params = {"seed": config.seed, "examples": config.examples, "known": len(known)}

    def draw(batches: Sequence[list[str]], files: Sequence[JsonlWriter]) -> None:
        for batch in batches:
            prompts = [_prompt(config, known, key) for key in batch]
            for key, prompt, text in zip(
                batch, prompts, _draw(engine, config, prompts), strict=True
            ):
                if key not in files[0]:
                    files[0].write(key, {"prompt": prompt, **_judged(text)})
            files[0].flush()

    pieces: list[Piece[list[str]]] = []
    for number in range(_ROUNDS):
        keys = [f"{number}:{at}" for at in range(config.count)]
        for start in range(0, len(keys), config.batch_size):
            batch = keys[start : start + config.batch_size]
            pieces.append(Piece(tuple(batch), batch))
        spread(path.parent, (path.name,), engine.source, params, pieces, draw)
        found = list(_new(path, known))[: config.count]
        if len(found) == config.count:
            return [Seed(normalised(text), "model", text) for text in found]
    raise JobError(
        f"count: the model wrote only {len(found)} new instructions in "
        f"{_ROUNDS * config.count} drawings; ask for fewer, or raise the temperature"
    )


def _prompt(config: GenerateConfig, known: Sequence[Seed], key: str) -> str:
    rng = random.Random(f"{config.seed}|{key}")
    shown = rng.sample(known, min(config.examples, len(known)))
    return "".join(f"Instruction: {seed.instruction}\n" for seed in shown) + "Instruction:"


def _draw(engine: Engine, config: GenerateConfig, prompts: Sequence[str]) -> list[Completion]:
    return engine.complete(
        list(prompts),
        batch_size=config.batch_size, max_new_tokens=config.max_new_tokens,
        temperature=config.temperature or 1.0, top_p=config.top_p, seed=config.seed,
    )  # fmt: skip


def _judged(completion: Completion) -> dict[str, object]:
    """A drawing counts if it is one whole line."""
    line, newline, _ = completion.text.partition("\n")
    whole = bool(newline) or completion.finish_reason == "eos"
    usable = whole and bool(line.strip()) and not completion.control_tokens
    return {"instruction": line.strip(), "usable": usable, "draw": completion.seed}


def _new(path: Path, known: Sequence[Seed]) -> Iterator[str]:
    seen = {normalised(seed.instruction) for seed in known}
    for record in read_lines(path, {"instruction": str}, may_be_empty=True):
        name = normalised(record["instruction"])
        if record["usable"] and name not in seen:
            seen.add(name)
            yield record["instruction"]
