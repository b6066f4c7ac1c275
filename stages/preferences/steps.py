"""The preferences stage: samples per prompt, judged, then paired."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from guard import CleanModelLoader, Loaded
from guard.records import JsonlWriter, item_key
from stages.adapters import attach
from stages.config import as_plain
from stages.folder import MANIFEST, file_entry, run_folder, write_json
from stages.jsonl import read_lines
from stages.likelihood import likelihoods
from stages.models import loader_of
from stages.preferences.config import PreferencesConfig
from stages.preferences.pairs import Judged, Pair, pairs_of, usable
from stages.preferences.prompts import Prompt, prompts_of
from stages.ranks import refuse_many
from stages.registry import Outcome
from stages.tokens import rows_of
from stages.training.data import split_by_group

SAMPLES = "samples.jsonl"
PAIRS = "pairs.jsonl"
_log = logging.getLogger("cleanguard.preferences")


@dataclass(frozen=True, slots=True)
class _Answers:
    """One prompt with its judged answers."""

    prompt: Prompt
    samples: list[Judged]
    negatives: list[Judged]


def make_pairs(config: PreferencesConfig) -> Outcome:
    """Write `samples.jsonl`, `pairs.jsonl` and a manifest; a stopped run goes on.

    Raises:
        JobError: The prompts, the adapter or the folder cannot be used.
    """
    refuse_many("preferences")
    with run_folder(config.out, "preferences", config) as folder:
        prompts = prompts_of(config)
        loaded = loader_of(config.model).load()
        model = attach(loaded, config.adapter) if config.adapter else loaded.model
        params = {**as_plain(config), "out": None, "inputs": _inputs(config)}
        with JsonlWriter(folder / SAMPLES, model, params=params) as out:
            _sample(config, model, loaded, prompts, out)
        judged = _judged(config, model, loaded, prompts, folder)
        records = [
            record
            for answers in judged
            for record in _pair_records(config, answers)
        ]  # fmt: skip
        if not records:
            raise JobError(
                f"no pairs came of {len(prompts)} prompts; look at {folder / SAMPLES}: are answers "
                "finished, and is any right?"
            )
        _, held = split_by_group(records, config.eval_share, config.seed)
        held_groups = {record["group"] for record in held}
        with JsonlWriter(folder / PAIRS, model, params=params) as out:
            for record in records:
                key = item_key(record["prompt"], record["chosen"], record["rejected"])
                if key not in out:
                    split = "eval" if record["group"] in held_groups else "train"
                    out.write(key, {**record, "split": split})
        counts = _counts(judged, records, held)
        files = {name: file_entry(folder / name) for name in (SAMPLES, PAIRS)}
        write_json(
            folder / MANIFEST,
            {"schema": "cleanguard-dataset/1", "stage": "preferences", "counts": counts,
             "params": params, "files": files},
        )  # fmt: skip
    return Outcome(_summary(config, counts))


def _inputs(config: PreferencesConfig) -> dict[str, Any]:
    paths = [path for path in (config.file, config.negatives_file) if path is not None]
    return {path.name: file_entry(path)["sha256"] for path in paths}


def _sample(
    config: PreferencesConfig,
    model: Any,
    loaded: Loaded,
    prompts: Sequence[Prompt],
    out: JsonlWriter,
) -> None:
    """A record per prompt with its k samples; each is drawn from a seed of its own."""
    left = [prompt for prompt in prompts if item_key(prompt.text) not in out]
    step = max(1, config.batch_size // config.k)
    for start in range(0, len(left), step):
        batch = left[start : start + step]
        found = CleanModelLoader.complete(
            model, loaded.tokenizer, [prompt.text for prompt in batch],
            batch_size=config.batch_size, num_return_sequences=config.k, do_sample=True,
            temperature=config.temperature, top_p=config.top_p, seed=config.seed,
            max_new_tokens=config.max_new_tokens,
        )  # fmt: skip
        for at, prompt in enumerate(batch):
            samples = [
                {
                    "text": one.text,
                    "finished": one.finish_reason == "eos" and not one.control_tokens,
                    "tokens": len(one.ids),
                    "draw": one.seed,
                }
                for one in found[at * config.k : (at + 1) * config.k]
            ]
            record = {"prompt": prompt.text, "group": prompt.group, "samples": samples}
            out.write(item_key(prompt.text), record)
        out.flush()
        _log.info("preferences: %d of %d prompts sampled", len(out), len(prompts))


def _judged(
    config: PreferencesConfig, model: Any, loaded: Loaded, prompts: Sequence[Prompt], folder: Path
) -> list[_Answers]:
    by_key = {record["key"]: record for record in read_lines(folder / SAMPLES, {"samples": list})}
    listed = _listed_negatives(config)
    texts: list[tuple[Prompt, list[str], list[str]]] = []
    for prompt in prompts:
        drawn = [(one["text"], one["finished"]) for one in by_key[item_key(prompt.text)]["samples"]]
        texts.append((prompt, usable(drawn), listed.get(prompt.instruction, [])))
    flat = [(prompt, text) for prompt, own, other in texts for text in (*own, *other)]
    scores = dict(zip(flat, _scores(config, model, loaded, flat), strict=True))
    return [
        _Answers(
            prompt,
            [Judged(text, scores[prompt, text]) for text in own],
            [Judged(text, scores[prompt, text], "file") for text in other],
        )
        for prompt, own, other in texts
        if config.negatives == "sampled" or other
    ]


def _scores(
    config: PreferencesConfig, model: Any, loaded: Loaded, flat: Sequence[tuple[Prompt, str]]
) -> list[float]:
    if config.judge == "verifier":
        return [float(prompt.verify is not None and prompt.verify(text)) for prompt, text in flat]
    if not flat:
        return []
    pairs = [(prompt.ask or prompt.text, f" {text.strip()}") for prompt, text in flat]
    # The base judges: an adapter would find its own habits likely.
    with model.disable_adapter() if config.adapter else nullcontext():
        scored = likelihoods(
            model, loaded.tokenizer, rows_of(loaded.tokenizer, pairs, eos=False),
            batch_size=config.batch_size,
        )  # fmt: skip
    return [one.mean for one in scored]


def _listed_negatives(config: PreferencesConfig) -> dict[str, list[str]]:
    if config.negatives_file is None:
        return {}
    found: dict[str, list[str]] = {}
    for record in read_lines(config.negatives_file, {"instruction": str, "rejected": str}):
        found.setdefault(record["instruction"], []).append(f" {record['rejected'].strip()}")
    return found


def _pair_records(config: PreferencesConfig, answers: _Answers) -> list[dict[str, Any]]:
    pairs = pairs_of(
        answers.samples, answers.negatives,
        right_from=1.0 if config.judge == "verifier" else None,
        min_margin=config.min_margin, max_pairs=config.max_pairs,
    )  # fmt: skip
    return [_record(config, answers.prompt, pair) for pair in pairs]


def _record(config: PreferencesConfig, prompt: Prompt, pair: Pair) -> dict[str, Any]:
    return {
        "prompt": prompt.text,
        "chosen": pair.chosen.text,
        "rejected": pair.rejected.text,
        "instruction": prompt.instruction,
        "group": prompt.group,
        "judge": config.judge,
        "chosen_score": pair.chosen.score,
        "rejected_score": pair.rejected.score,
        "margin": pair.margin,
        "rejected_origin": pair.rejected.origin,
        "finished": True,
    }


def _counts(
    judged: Sequence[_Answers], records: Sequence[dict[str, Any]], held: Sequence[Any]
) -> dict[str, int]:
    return {
        "prompts": len(judged),
        "with_a_usable_answer": sum(bool(one.samples) for one in judged),
        "paired_prompts": len({record["prompt"] for record in records}),
        "pairs": len(records),
        "held_out_pairs": len(held),
        "groups": len({record["group"] for record in records}),
    }


def _summary(config: PreferencesConfig, counts: dict[str, int]) -> tuple[str, ...]:
    return (
        f"{counts['pairs']} pairs for {counts['paired_prompts']} of {counts['prompts']} prompts in "
        f"{config.out / PAIRS}; {counts['held_out_pairs']} held out",
    )
