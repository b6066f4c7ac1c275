"""The equivalence stage: the guarded path, then the old one, then where they part."""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanguard.report.counting import counted
from cleanguard.report.escaping import for_markdown
from cleanguard.report.hidden import hidden_by_line
from guard import CleanModelLoader, Provenance, attest
from guard.records.writer import JsonlWriter, item_key
from stages.config import as_plain
from stages.equivalence.agreement import Agreement, agreement_of
from stages.equivalence.config import EquivalenceConfig
from stages.equivalence.old_path import Generated, OldPath
from stages.folder import run_folder, write_json, write_text
from stages.jsonl import read_lines
from stages.models import loader_of
from stages.processes.pieces import Piece, spread
from stages.processes.ranks import rank
from stages.registry import Outcome
from stages.reports.words import percent, with_interval
from stages.suites.forms import check_forms, render
from stages.suites.item import Suite, SuiteItem, plain_item
from stages.suites.registry import answers_only, find_suite, too_few, with_examples
from stages.suites.scorers import Answer, score

if TYPE_CHECKING:
    from guard import Loaded

PAIRS = "pairs.jsonl"
_log = logging.getLogger("cleanguard.equivalence")


def equivalence(config: EquivalenceConfig) -> Outcome:
    """Write `pairs.jsonl`, `equivalence.json` and `equivalence.md`; exit code 1 if the paths differ.

    One model is in memory at a time. A run that was stopped goes on with the pairs that are missing,
    in any number of processes.

    Raises:
        JobError: The suite or the folder cannot be used.
        GuardError: The model cannot be loaded, or a prompt is not clean.
    """
    config.scorer.allow()
    suite = answers_only(with_examples(find_suite(config.suite), (config.form,)), "equivalence")
    if config.limit and config.limit < len(suite.items):
        step = len(suite.items) / config.limit
        chosen = tuple(suite.items[int(at * step)] for at in range(config.limit))
        suite = replace(suite, items=chosen)
    check_forms(suite, [config.form])
    few = too_few(suite, len(suite.items), config.minimum)
    with run_folder(config.out, "equivalence", config) as folder:
        provenance = _fill(config, suite, folder)
        if rank():
            return Outcome(())
        agreement, words = _compare(config, suite, folder)
        report = {
            "schema": "cleanguard-equivalence/1",
            "verdict": agreement.call,
            "words": words,
            "agreement": asdict(agreement),
            "dropped_settings": provenance.generation.dropped,
            "notes": [few] if few else [],
            "settings": as_plain(config),
            "provenance": provenance.to_dict(),
        }
        write_json(folder / "equivalence.json", report)
        text = "\n".join(
            [f"# Equivalence: {agreement.call}", "", *(f"- {for_markdown(one)}" for one in words)]
        )
        write_text(folder / "equivalence.md", hidden_by_line(text + "\n"))
        for name in ("equivalence.json", "equivalence.md"):
            attest(folder / name, provenance, params=as_plain(config))
    lines = [f"equivalence: {agreement.call}", *(f"  {one}" for one in words)]
    lines += [f"note: {few}"] if few else []
    return Outcome(tuple(lines), passed=agreement.call != "different")


def _fill(config: EquivalenceConfig, suite: Suite, folder: Path) -> Provenance:
    """Write the pairs that are missing."""
    loaded = loader_of(config.model).load()
    provenance = loaded.provenance
    params = as_plain(replace(config, out=Path()))
    params["items"] = item_key([plain_item(item) for item in suite.items])
    batches = [
        suite.items[start : start + config.batch_size]
        for start in range(0, len(suite.items), config.batch_size)
    ]
    pieces = [Piece(tuple(_key(item) for item in batch), batch) for batch in batches]
    held = [loaded]
    del loaded
    spread(
        folder, (PAIRS,), provenance, params, pieces,
        lambda mine, files: _put_both_ways(config, suite, mine, held, files[0]),
    )  # fmt: skip
    return provenance


def _put_both_ways(
    config: EquivalenceConfig,
    suite: Suite,
    batches: Sequence[Sequence[SuiteItem]],
    held: list[Loaded],
    out: JsonlWriter,
) -> None:
    """Write the pairs of some batches; the loaded model is taken out of `held` and freed."""
    if not batches:
        return
    model, tokenizer, _ = held.pop()
    prompts = [[render(item, config.form, suite.shots) for item in batch] for batch in batches]
    _log.info("equivalence: %d prompts on the guarded path", sum(map(len, prompts)))
    new = [_guarded(config, model, tokenizer, batch) for batch in prompts]
    # The old path needs the memory; the guard's hooks refer to the model in a circle.
    del model
    gc.collect()
    _log.info("equivalence: %d prompts on the old path", sum(map(len, prompts)))
    old = OldPath(config)
    for items, texts, theirs in zip(batches, prompts, new, strict=True):
        for item, prompt, a, b in zip(items, texts, old.answers(texts), theirs, strict=True):
            if _key(item) not in out:
                out.write(_key(item), _record(suite, item, prompt, a, b, old.tokenizer))
        out.flush()


def _guarded(
    config: EquivalenceConfig, model: Any, tokenizer: Any, prompts: Sequence[str]
) -> list[Generated]:
    # Both paths decode by the library's own loop: what differs then is not its rounding.
    found = CleanModelLoader.complete(
        model, tokenizer, prompts,
        batch_size=config.batch_size, max_new_tokens=config.max_new_tokens, engine="plain",
    )  # fmt: skip
    ids = [CleanModelLoader.encode(tokenizer, one)["input_ids"][0].tolist() for one in prompts]
    return [Generated(tuple(row), one.ids) for row, one in zip(ids, found, strict=True)]


def _key(item: SuiteItem) -> str:
    return item_key("equivalence", item.id)


def _record(
    suite: Suite, item: SuiteItem, prompt: str, old: Generated, new: Generated, tokenizer: Any
) -> dict[str, Any]:
    sides: dict[str, dict[str, Any]] = {}
    for name, side in (("old", old), ("new", new)):
        ended = bool(side.ids) and side.ids[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(side.ids, skip_special_tokens=True)
        verdicts = score(item, Answer(text, "eos" if ended else "length", len(side.ids)))
        passed = verdicts.strict if suite.endpoint == "strict" else verdicts.content
        sides[name] = {**asdict(side), "text": text, "passed": passed}
    return {"item": item.id, "cluster": item.cluster, "prompt": prompt, **sides}


def _compare(
    config: EquivalenceConfig, suite: Suite, folder: Path
) -> tuple[Agreement, tuple[str, ...]]:
    records = read_lines(folder / PAIRS, {"item": str, "cluster": str, "old": dict, "new": dict})
    old, new = ([_side(record[name]) for record in records] for name in ("old", "new"))
    agreement = agreement_of(
        old,
        new,
        [record["old"]["passed"] == record["new"]["passed"] for record in records],
        [record["cluster"] for record in records],
        config.margin,
    )
    return agreement, tuple(_words(config, suite, agreement, records))


def _side(record: dict[str, Any]) -> Generated:
    return Generated(tuple(record["prompt_ids"]), tuple(record["ids"]))


def _words(
    config: EquivalenceConfig, suite: Suite, found: Agreement, records: Sequence[dict[str, Any]]
) -> list[str]:
    lines = [
        f"{with_interval(found.answers)} of {found.answers.n} answers are token-identical; "
        f"{percent(config.margin)} may differ",
        f"{with_interval(found.prompts)} of the prompts became the same ids",
        f"{with_interval(found.verdicts)} of the items have the same verdict ({suite.endpoint})",
    ]
    rates = [
        sum(record[name]["passed"] for record in records) / len(records) for name in ("old", "new")
    ]
    lines.append(
        f"{suite.endpoint}: {percent(rates[0])} on the old path, {percent(rates[1])} guarded"
    )
    if found.partings:
        places = sorted(one.at for one in found.partings)
        lines.append(
            f"they part at token {places[len(places) // 2]} in the median, first at {places[0]}"
        )
        shown = [
            f"{old} → {new} ({counted(count, 'time')})" for old, new, count in found.common[:5]
        ]
        lines.append(f"commonest ids at the parting, old → guarded: {', '.join(shown)}")
    return lines
