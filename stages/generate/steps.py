"""The generate stage: instructions in, answers by the base model out, each kept or dropped with a reason."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from guard.records.writer import JsonlWriter, item_key
from stages.config import as_plain
from stages.engines import NOT_STARTED, Engine, engine_for
from stages.folder import MANIFEST, file_entry, run_folder, write_json
from stages.generate.candidates import (
    asked_text,
    candidates_for,
    criticised,
    keys_of,
    record_of,
    training_prompt,
    verdict_on,
)
from stages.generate.config import GenerateConfig
from stages.generate.invented import invented_seeds
from stages.generate.seeds import Seed, file_seeds, template_seeds, world_seeds
from stages.jsonl import read_lines
from stages.processes.pieces import Piece, spread
from stages.processes.ranks import rank
from stages.registry import Outcome

DATASET = "dataset.jsonl"
DROPPED = "dropped.jsonl"
PLACEHOLDERS = "placeholders.jsonl"
_log = logging.getLogger("cleanguard.generate")


def generate(config: GenerateConfig) -> Outcome:
    """Write `dataset.jsonl`, `dropped.jsonl` and a manifest into the run's folder.

    A run that was stopped goes on with the instructions that have no record yet, in any number of
    processes.

    Raises:
        JobError: The folder, the templates or the file cannot be used.
    """
    with run_folder(config.out, "generate", config) as folder:
        known = _known(config)
        finished = (folder / MANIFEST).exists()
        engine = engine_for(config.engine, config.model, config.vllm, lazy=finished)
        seeds = _seeds(engine, config, known, folder)
        params = {**as_plain(config), "out": None, "inputs": _inputs(config), "engine": engine.name}
        pieces = [Piece(_keys(config, batch), batch) for batch in _batches(config, seeds)]
        spread(
            folder, (DATASET, DROPPED), engine.source, params, pieces,
            lambda batches, files: _fill(engine, config, batches, *files),
        )  # fmt: skip
        if rank():
            return Outcome(())
        counts = _counts(folder)
        if config.placeholders == "keep":
            _write_placeholders(engine, config, seeds, folder, params)
        names = [n for n in (DATASET, DROPPED, PLACEHOLDERS) if (folder / n).exists()]
        manifest = {
            "schema": "cleanguard-dataset/1",
            "stage": "generate",
            "counts": counts,
            "params": params,
            "files": {name: file_entry(folder / name) for name in names},
        }
        write_json(folder / MANIFEST, manifest)
    asked = () if engine.started else (NOT_STARTED,)
    return Outcome((*asked, *_summary(config, counts)))


def _known(config: GenerateConfig) -> list[Seed]:
    if config.source == "file":
        assert config.file is not None
        return file_seeds(config.file)
    return template_seeds(config.templates) if config.templates else world_seeds()


def _seeds(engine: Engine, config: GenerateConfig, known: list[Seed], folder: Path) -> list[Seed]:
    if config.source == "model":
        return invented_seeds(engine, config, known, folder / "instructions.jsonl")
    seeds = known[: config.count] if config.count else known
    if config.style == "completion":
        for seed in seeds:
            if seed.response is None and seed.ask is None:
                raise JobError(
                    f"style: {seed.instruction!r} has no sentence to complete (`ask`); "
                    'give it one, or use style = "format"'
                )
    return seeds


def _inputs(config: GenerateConfig) -> dict[str, Any]:
    paths = [path for path in (config.templates, config.file) if path is not None]
    return {path.name: file_entry(path)["sha256"] for path in paths}


def _keys(config: GenerateConfig, batch: Sequence[Seed]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for seed in batch for key in keys_of(config, seed)))


def _fill(
    engine: Engine,
    config: GenerateConfig,
    batches: Sequence[Sequence[Seed]],
    kept: JsonlWriter,
    dropped: JsonlWriter,
) -> None:
    for number, batch in enumerate(batches, 1):
        candidates = list(candidates_for(engine, config, batch))
        likely = criticised(engine, config, candidates)
        seen: set[tuple[str, str]] = set()
        for candidate, logprob in zip(candidates, likely, strict=True):
            reason = verdict_on(config, candidate, logprob, seen)
            if candidate.key not in kept and candidate.key not in dropped:
                record = record_of(config, candidate, logprob)
                if reason is None:
                    kept.write(candidate.key, record)
                else:
                    dropped.write(candidate.key, {**record, "reason": reason})
        kept.flush()
        dropped.flush()
        _log.info(
            "generate: batch %d of %d, %d kept, %d dropped",
            number, len(batches), len(kept), len(dropped),
        )  # fmt: skip


def _batches(config: GenerateConfig, seeds: Sequence[Seed]) -> Iterator[list[Seed]]:
    """Instructions that put the same text to the model stay together, since they share its answers."""
    by_text: defaultdict[str, list[Seed]] = defaultdict(list)
    for seed in seeds:
        by_text[asked_text(config, seed) or ""].append(seed)
    batch: list[Seed] = []
    for group in by_text.values():
        batch += group
        if len(batch) >= config.batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _write_placeholders(
    engine: Engine,
    config: GenerateConfig,
    seeds: Sequence[Seed],
    folder: Path,
    params: dict[str, Any],
) -> None:
    answered = {one["instruction"] for one in read_lines(folder / DATASET, {}, may_be_empty=True)}
    with JsonlWriter(folder / PLACEHOLDERS, engine.source, params=params) as out:
        for seed in seeds:
            key = item_key("placeholder", seed.group, seed.instruction)
            if seed.placeholder and seed.instruction not in answered and key not in out:
                record = {
                    "prompt": training_prompt(config, seed),
                    "completion": f" {seed.placeholder}",
                    "instruction": seed.instruction,
                    "kind": seed.kind,
                    "group": seed.group,
                    "origin": "placeholder",
                }
                out.write(key, record)


def _counts(folder: Path) -> dict[str, Any]:
    kept, dropped = (
        read_lines(folder / name, {}, may_be_empty=True) for name in (DATASET, DROPPED)
    )
    return {
        "kept": len(kept),
        "dropped": len(dropped),
        "instructions": len({one["instruction"] for one in kept}),
        "groups": len({one["group"] for one in kept}),
        "kinds": dict(sorted(Counter(one["kind"] for one in kept).items())),
        "origins": dict(sorted(Counter(one["origin"] for one in kept).items())),
        "reasons": dict(sorted(Counter(one["reason"] for one in dropped).items())),
    }


def _summary(config: GenerateConfig, counts: dict[str, Any]) -> tuple[str, ...]:
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts["reasons"].items())
    return (
        f"{counts['kept']} examples for {counts['instructions']} instructions about "
        f"{counts['groups']} things in {config.out / DATASET}",
        f"{counts['dropped']} dropped" + (f" ({reasons})" if reasons else ""),
    )
