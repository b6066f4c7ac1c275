"""The preferences stage: samples per prompt, judged, then paired."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanguard.errors import JobError
from cleanguard.report.counting import counted
from guard import CleanModelLoader, Loaded
from guard.records.writer import JsonlWriter, item_key
from stages.adapters import attach
from stages.config import as_plain
from stages.folder import MANIFEST, file_entry, run_folder, write_json
from stages.jsonl import located_lines, read_lines
from stages.likelihood import likelihoods
from stages.models import loader_of
from stages.preferences.config import PreferencesConfig
from stages.preferences.pairs import Judged, Pair, pairs_of, usable
from stages.preferences.prompts import Prompt, prompts_of
from stages.processes.pieces import Piece, spread
from stages.processes.ranks import rank
from stages.registry import Outcome
from stages.tokens import is_plain, rows_of
from stages.training.data import split_by_group

SAMPLES = "samples.jsonl"
SCORES = "scores.jsonl"
PAIRS = "pairs.jsonl"
_log = logging.getLogger("cleanguard.preferences")


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One prompt with the texts that are to be judged: its usable samples, and those of the file."""

    prompt: Prompt
    own: list[str]
    listed: list[str]

    @property
    def texts(self) -> list[str]:
        return [*self.own, *self.listed]


@dataclass(frozen=True, slots=True)
class _Answers:
    """One prompt with its judged answers."""

    prompt: Prompt
    samples: list[Judged]
    negatives: list[Judged]


def make_pairs(config: PreferencesConfig) -> Outcome:
    """Write `samples.jsonl`, `pairs.jsonl` and a manifest; a stopped run goes on.

    Several processes share the sampling and a model's judging; the pairs are made by the first.

    Raises:
        JobError: The prompts, the adapter or the folder cannot be used.
    """
    with run_folder(config.out, "preferences", config) as folder:
        prompts, listed = prompts_of(config), _listed_negatives(config)
        loaded = loader_of(config.model).load()
        _refuse_control_tokens(config, loaded, listed)
        model = attach(loaded, config.adapter) if config.adapter else loaded.model
        params = {**as_plain(config), "out": None, "inputs": _inputs(config)}
        spread(
            folder, (SAMPLES,), model, params, _pieces(config, prompts),
            lambda batches, files: _sample(config, model, loaded, batches, files[0]),
        )  # fmt: skip
        drawn = _drawn(prompts, listed, folder)
        scores = _scores(config, model, loaded, drawn, params)
        if rank():
            return Outcome(())
        judged = _judged(config, drawn, scores)
        records = [
            record
            for answers in judged
            for record in _pair_records(config, answers)
        ]  # fmt: skip
        if not records:
            raise JobError(
                f"no pairs came of {counted(len(prompts), 'prompt')}; look at {folder / SAMPLES}: are answers "
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
        names = [name for name in (SAMPLES, SCORES, PAIRS) if (folder / name).exists()]
        files = {name: file_entry(folder / name) for name in names}
        write_json(
            folder / MANIFEST,
            {"schema": "cleanguard-dataset/1", "stage": "preferences", "counts": counts,
             "params": params, "files": files},
        )  # fmt: skip
    return Outcome(_summary(config, counts))


def _inputs(config: PreferencesConfig) -> dict[str, Any]:
    paths = [path for path in (config.file, config.negatives_file) if path is not None]
    return {path.name: file_entry(path)["sha256"] for path in paths}


def _pieces(config: PreferencesConfig, prompts: Sequence[Prompt]) -> list[Piece[list[Prompt]]]:
    step = max(1, config.batch_size // config.k)
    batches = [list(prompts[start : start + step]) for start in range(0, len(prompts), step)]
    return [Piece(tuple(item_key(one.text) for one in batch), batch) for batch in batches]


def _sample(
    config: PreferencesConfig,
    model: Any,
    loaded: Loaded,
    batches: Sequence[Sequence[Prompt]],
    out: JsonlWriter,
) -> None:
    """A record per prompt with its k samples; each is drawn from a seed of its own."""
    for number, batch in enumerate(batches, 1):
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
            if item_key(prompt.text) not in out:
                out.write(item_key(prompt.text), record)
        out.flush()
        _log.info("preferences: batch %d of %d sampled", number, len(batches))


def _drawn(
    prompts: Sequence[Prompt], listed: Mapping[str, list[str]], folder: Path
) -> list[_Drawn]:
    by_key = {record["key"]: record for record in read_lines(folder / SAMPLES, {"samples": list})}
    found = []
    for prompt in prompts:
        samples = by_key[item_key(prompt.text)]["samples"]
        own = usable([(one["text"], one["finished"]) for one in samples])
        found.append(_Drawn(prompt, own, listed.get(prompt.instruction, [])))
    return found


def _judged(
    config: PreferencesConfig, drawn: Sequence[_Drawn], scores: Mapping[tuple[str, str], float]
) -> list[_Answers]:
    return [
        _Answers(
            one.prompt,
            [Judged(text, scores[one.prompt.text, text]) for text in one.own],
            [Judged(text, scores[one.prompt.text, text], "file") for text in one.listed],
        )
        for one in drawn
        if config.negatives == "sampled" or one.listed
    ]


def _scores(
    config: PreferencesConfig,
    model: Any,
    loaded: Loaded,
    drawn: Sequence[_Drawn],
    params: dict[str, Any],
) -> dict[tuple[str, str], float]:
    """The score of each answer, by its prompt and text; a model's are kept in `scores.jsonl`."""
    if config.judge == "verifier":
        return {
            (one.prompt.text, text): float(
                one.prompt.verify is not None and one.prompt.verify(text)
            )
            for one in drawn
            for text in one.texts
        }
    flat = [(one.prompt, text) for one in drawn for text in dict.fromkeys(one.texts)]
    batches = [
        flat[start : start + config.batch_size] for start in range(0, len(flat), config.batch_size)
    ]
    pieces = [Piece(tuple(item_key(p.text, text) for p, text in one), one) for one in batches]
    # The base judges: an adapter would find its own habits likely.
    with model.disable_adapter() if config.adapter else nullcontext():
        spread(
            config.out, (SCORES,), model, params, pieces,
            lambda mine, files: _score(config, model, loaded, mine, files[0]),
        )  # fmt: skip
    records = read_lines(config.out / SCORES, {"text": str, "score": float}, may_be_empty=True)
    return {(record["prompt"], record["text"]): record["score"] for record in records}


def _score(
    config: PreferencesConfig,
    model: Any,
    loaded: Loaded,
    batches: Sequence[Sequence[tuple[Prompt, str]]],
    out: JsonlWriter,
) -> None:
    """A record per answer with its mean log-probability per token, asked the judge's own way."""
    for batch in batches:
        pairs = [(prompt.ask or prompt.text, f" {text.strip()}") for prompt, text in batch]
        scored = likelihoods(
            model, loaded.tokenizer, rows_of(loaded.tokenizer, pairs, eos=False),
            batch_size=config.batch_size,
        )  # fmt: skip
        for (prompt, text), one in zip(batch, scored, strict=True):
            key = item_key(prompt.text, text)
            if key not in out:
                out.write(key, {"prompt": prompt.text, "text": text, "score": one.mean})
        out.flush()


def _listed_negatives(config: PreferencesConfig) -> dict[str, list[str]]:
    if config.negatives_file is None:
        return {}
    found: dict[str, list[str]] = {}
    expected = {"instruction": str, "rejected": str}
    for _, record in located_lines(config.negatives_file, expected, filled=expected):
        found.setdefault(record["instruction"], []).append(f" {record['rejected'].strip()}")
    return found


def _refuse_control_tokens(
    config: PreferencesConfig, loaded: Loaded, listed: Mapping[str, list[str]]
) -> None:
    """Before anything is sampled: neither the judge nor dpo takes such a text."""
    for instruction, texts in listed.items():
        for text in texts:
            if not is_plain(loaded.tokenizer, text):
                raise JobError(
                    f"{config.negatives_file}: the negative {text.strip()!r} of {instruction!r} holds "
                    "a control token; leave it out"
                )


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
        f"{counted(counts['pairs'], 'pair')} for {counts['paired_prompts']} of {counts['prompts']} prompts in "
        f"{config.out / PAIRS}; {counts['held_out_pairs']} held out",
    )
